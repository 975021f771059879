"""Every setting, its default and its unit. Read from the environment (``ODDS_*``; nested names by ``__``).

Nothing here is read at import: ``Settings()`` reads the environment when it is made, and is passed down from there.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class BookmakerSettings(BaseModel):
    """How one bookmaker may be asked."""

    url: str | None = Field(default=None, description="Base URL instead of the live site's, e.g. a simulator's.")
    parallelism: int = Field(default=50, ge=1, description="Requests under way at once.")
    delay_ms: int = Field(default=0, ge=0, description="Milliseconds that a slot rests after each request.")
    timeout_s: float = Field(default=30.0, gt=0, description="Seconds for connecting and for each read.")
    tries: int = Field(default=3, ge=1, description="Attempts at one request, the first included.")
    retry_wait_s: float = Field(
        default=1.0, ge=0, description="Seconds before the first retry; doubled each time, with jitter."
    )
    retry_wait_max_s: float = Field(default=10.0, ge=0, description="Longest wait between tries, Retry-After included.")
    max_body_bytes: int = Field(default=16_000_000, gt=0, description="Largest decompressed answer that is read.")
    give_up_after: int = Field(
        default=50, ge=1, description="Requests failing in a row after which the rest of a cycle is not asked."
    )


class Settings(BaseSettings):
    """All settings; README.md names the ones that a user is likely to change."""

    model_config = SettingsConfigDict(
        env_prefix="ODDS_",
        env_nested_delimiter="__",
        # As container files leave a variable that was not given: it is no path to the current directory.
        env_ignore_empty=True,
        # ODDS_BET9JA__URL alone must not reset Bet9ja's own parallelism and delay.
        nested_model_default_partial_update=True,
        extra="forbid",
        frozen=True,
        # The errors are shown in the UI; what was given may be a URL with its password.
        hide_input_in_errors=True,
    )

    # Where things live
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL 15+ of your own; unset: the embedded one."
    )
    dagster_database_url: SecretStr | None = Field(
        default=None, description="Dagster's own database; unset: `dagster` on the server of the odds database."
    )
    data_dir: Path | None = Field(
        default=None, description="Embedded database, archive, staging, logs; unset: .data in the project."
    )
    archive_url: SecretStr | None = Field(
        default=None,
        description="Folder or s3://bucket/prefix of the archives; unset: archive in the data directory.",
    )

    # Whom to ask
    source: Literal["simulator", "live"] = "simulator"
    bookmakers: tuple[str, ...] = ("betpawa", "sportybet", "bet9ja")
    betpawa: BookmakerSettings = BookmakerSettings()
    sportybet: BookmakerSettings = BookmakerSettings()
    bet9ja: BookmakerSettings = BookmakerSettings(parallelism=15, delay_ms=25)
    bet9ja_cache_version: str = Field(default="1.318.4.243", description="Front-end build number that Bet9ja expects.")
    betpawa_brand: str = Field(default="betpawa-nigeria", description="Value of the x-pawa-brand header.")

    # The cycle
    cycle_interval: timedelta = Field(
        default=timedelta(minutes=5), description="Time between the starts of two cycles."
    )
    near_kickoff_interval: timedelta = Field(
        default=timedelta(minutes=2), description="Interval while kick-offs are near."
    )
    near_kickoff_window: timedelta = Field(
        default=timedelta(minutes=30), description="How long before kick-off is near."
    )
    cycle_margin: timedelta = Field(
        default=timedelta(seconds=30), description="Least pause after a cycle before the next."
    )
    dead_run_after: timedelta = Field(
        default=timedelta(minutes=10), description="A running cycle without life is given up."
    )

    midnight_grace: timedelta = Field(
        default=timedelta(minutes=15), description="How long after midnight a cycle of yesterday may still begin."
    )
    report_interval: timedelta = Field(
        default=timedelta(hours=1), description="Least time between two runs of the same report."
    )

    # Absence and freshness
    guard_share: float = Field(
        default=0.30, gt=0, le=1, description="Share of events vanishing that is not believed at once."
    )
    guard_least_events: int = Field(
        default=20, ge=1, description="Events a bookmaker must have for the guard to apply."
    )
    stale_failures: int = Field(default=3, ge=1, description="Failed answers in a row after which odds are stale.")
    stale_intervals: int = Field(
        default=3, ge=1, description="Intervals without a newer answer after which odds are stale."
    )
    recurring_failures: int = Field(default=3, ge=2, description="Cycles in a row that make a failure recurring.")

    # History
    partition_days_ahead: int = Field(default=7, ge=1, description="Days of history partitions made ahead.")
    history_start: date | None = Field(
        default=None, description="First day that Dagster shows of history; unset: as many days back as are kept."
    )

    # Retention, in days
    retention_days: int = Field(
        default=14, ge=1, le=90, description="Days of history in PostgreSQL, today not counted, and of its sources."
    )
    match_retention_days: int = Field(
        default=14, ge=1, le=3650, description="Days after its kick-off that a finished event is kept."
    )
    run_retention_days: int = Field(
        default=30, ge=1, le=3650, description="Days that runs and their coverage are kept."
    )
    error_retention_days: int = Field(default=30, ge=1, le=3650, description="Days that scrape errors are kept.")
    sample_retention_days: int = Field(
        default=90, ge=1, le=3650, description="Days that storage samples and ended alerts are kept."
    )

    # Storage: what it may take, and when it is looked at
    storage_target_gb: float = Field(
        default=10, gt=0, description="Size that everything should stay below (10^9 bytes)."
    )
    disk_gb: float = Field(default=75, gt=0, description="Size of the disk that it all must fit on (10^9 bytes).")
    profile_interval: timedelta = Field(
        default=timedelta(hours=1), description="Least time between two storage profiles, and so between samples."
    )
    alert_growth_percent: float = Field(
        default=20, gt=0, description="Growth between two samples that raises an alert, in percent."
    )
    alert_growth_least_mb: float = Field(
        default=500, ge=0, description="Growth in megabytes below which no percentage raises an alert."
    )
    alert_size_gb: float = Field(default=50, gt=0, description="Size that raises an alert (10^9 bytes).")
    alert_days_until_full: float = Field(
        default=14, gt=0, description="Days until the disk is full that raise an alert."
    )
    alert_retention_after: timedelta = Field(
        default=timedelta(hours=26), description="Time without a completed retention run that raises an alert."
    )

    # Dagster's own storage
    dagster_prune_interval: timedelta = Field(
        default=timedelta(hours=6), description="Least time between two prunings of Dagster's storage."
    )
    dagster_log_days: int = Field(
        default=2, ge=1, le=365, description="Days that the step-by-step log of a succeeded run is kept."
    )
    dagster_graph_days: int = Field(
        default=14, ge=1, le=3650, description="Days of materializations and checks that Dagster's graphs show."
    )
    dagster_failed_days: int = Field(
        default=30, ge=1, le=3650, description="Days that failed and canceled runs are kept whole."
    )

    # An earlier system to import from
    legacy_database_url: SecretStr | None = Field(
        default=None, description="Database of an earlier system; unset: its tables in the odds database."
    )
    legacy_schema: str = Field(default="public", description="Schema of the earlier system's tables.")
    legacy_import: bool = Field(default=False, description="Whether its days are imported without being asked for.")
    legacy_untrusted: Literal["mark", "leave_out"] = Field(
        default="mark", description="What becomes of earlier odds that are known to be unreliable."
    )

    # The HTTP API
    reader_database_url: SecretStr | None = Field(
        default=None,
        description="The odds database as a role that may only read; unset: as odds_reader, a role made for it.",
    )
    api_statement_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="After which a question to the HTTP API is given up."
    )
    refresh_token: SecretStr | None = Field(
        default=None, description="Who knows it may have an event refreshed over HTTP; unset: nobody may."
    )

    # The simulator
    simulator_events: int = Field(default=200, ge=1)
    simulator_seed: int = 1
    simulator_port: int = Field(default=0, ge=0, le=65535, description="0: any free port.")

    @model_validator(mode="after")
    def _require_known_variables(self) -> Self:
        """A misspelt variable would change nothing, silently: pydantic looks only for the names it knows."""
        known = set(type(self).model_fields)
        sections = {name for name in known if isinstance(getattr(self, name), BookmakerSettings)}
        nested = {f"{name}__{field}" for name in sections for field in BookmakerSettings.model_fields}
        variables = {name for name in os.environ if name.upper().startswith("ODDS_")}
        unknown = sorted(name for name in variables if name.lower().removeprefix("odds_") not in known | nested)
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}; odds_pipeline/settings.py lists them all")
        return self

    def of(self, bookmaker: str) -> BookmakerSettings:
        """The settings of one bookmaker; a new bookmaker without a section of its own gets the defaults."""
        section = getattr(self, bookmaker, None)
        return section if isinstance(section, BookmakerSettings) else BookmakerSettings()
