"""What retention promises for each table of the pipeline, against what is there (R22).

Costs a read of small tables (events, runs, errors) and of indexes; neither history nor current odds are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg import errors, sql

from odds_pipeline.clock import require_utc
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import HISTORY
from odds_pipeline.days import cleanup, earlier_system
from odds_pipeline.days.bounds import Bounds, midnight
from odds_pipeline.days.preview import due_days
from odds_pipeline.days.sweep import outlived
from odds_pipeline.settings import Settings
from odds_pipeline.storage.measured import ArchiveKind, DatabaseProfile, Kept, Table
from odds_pipeline.storage.session import measuring

Connection = psycopg.Connection[tuple[Any, ...]]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Policy:
    """``setting``: of the days that count; ``root``: the table whose rows end, and take these along."""

    setting: str
    root: str


_POLICIES: Mapping[str, _Policy] = {
    HISTORY.name: _Policy("retention_days", HISTORY.name),
    **dict.fromkeys(
        (
            *("events", "tournaments", "event_bookmakers", "listing_state", "event_kickoffs", "refresh_requests"),
            *("markets", "former_markets", "former_places", "untrusted_spans", "current_odds"),
        ),
        _Policy("match_retention_days", "events"),
    ),
    **dict.fromkeys(("scrape_runs", "scrape_coverage"), _Policy("run_retention_days", "scrape_runs")),
    "scrape_errors": _Policy("error_retention_days", "scrape_errors"),
    "storage_samples": _Policy("sample_retention_days", "storage_samples"),
    "storage_alerts": _Policy("sample_retention_days", "storage_alerts"),
    **dict.fromkeys(("odds_snapshots", "market_odds"), _Policy("retention_days", "odds_snapshots")),
    **dict.fromkeys(
        ("competitor_odds_snapshots", "competitor_market_odds"), _Policy("retention_days", "competitor_odds_snapshots")
    ),
    "competitor_events": _Policy("match_retention_days", "competitor_events"),
    "competitor_tournaments": _Policy("match_retention_days", "competitor_tournaments"),
}
_WITH_HISTORY = ("observations", "coverage", "state")
"""Kinds of archive files that days of history are rebuilt from; the archive's own history is kept for good."""

# Without retention's look at every market: a market's last change is no newer than its listing's last answer.
_EVENTS = cleanup.finished_events(
    sql.SQL("""
        SELECT FROM event_bookmakers AS listing
        JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        WHERE listing.event_id = event.id AND state.last_answer_at >= %(first_kept)s
    """)
)


def kept(
    database: Database, profile: DatabaseProfile, archives: Sequence[ArchiveKind], *, settings: Settings, now: datetime
) -> tuple[Kept, ...]:
    """Each table of the odds database, whose profile it is, and each kind of archive file: what is beyond its policy.

    Bytes beyond = the table's bytes x rows that retention would delete / rows; of history, the bytes of its days before
    the first one kept; of the archive, those of files whose days are over. What goes with another table's rows has that
    table's share and oldest row; of events and all that hangs on them the oldest is the oldest kick-off; a table
    without rows has none. A table whose rows stay for as long as they are needed has no days; such are an earlier
    system's until all of it is imported. Empty for a database that is not the pipeline's. Raises
    ``psycopg.OperationalError`` when it does not answer.
    """
    if profile.table("scrape_runs") is None or profile.table(HISTORY.name) is None:
        return ()
    bounds = Bounds.of(settings, require_utc(now))
    with measuring(database) as connection:
        policies = _policies(connection)
        roots = {policy.root for policy in policies.values()}
        shares = {root: _told(lambda root=root: _share_beyond(connection, profile, root, bounds)) for root in roots}
        oldest = {root: _oldest(profile.table(root)) for root in roots} | {
            "events": _told(lambda: _kickoff(connection))
        }
        over = _told(lambda: outlived(connection, bounds))

    def of_table(table: Table) -> Kept:
        policy = policies.get(table.name) if table.schema == "public" else None
        if policy is None:
            return Kept(table.name, None, None, _oldest(table), 0, schema=table.schema)
        days, setting = _days(policy, settings)
        share, since = shares[policy.root], oldest[policy.root]
        since = None if isinstance(since, _Unknown) or not table.rows else since
        if isinstance(share, _Unknown):
            return Kept(table.name, days, setting, since, 0, share.why)
        return Kept(table.name, days, setting, since, round(table.total_bytes * share) if table.rows else 0)

    def of_archive(archived: ArchiveKind) -> Kept:
        name, since = f"archive.{archived.kind}", None if archived.first_day is None else midnight(archived.first_day)
        if archived.kind not in _WITH_HISTORY:
            return Kept(name, None, None, since, 0)
        days, setting = _days(_POLICIES[HISTORY.name], settings)
        if isinstance(over, _Unknown):
            return Kept(name, days, setting, since, 0, over.why)
        return Kept(name, days, setting, since, sum(file.bytes for file in over.files if file.kind == archived.kind))

    return (*map(of_table, profile.whole_tables), *map(of_archive, archives))


@dataclass(frozen=True, slots=True)
class _Unknown:
    """Why something could not be told."""

    why: str


def _told(ask: Callable[[], Answer]) -> Answer | _Unknown:
    """The answer; unknown where a lock, a missing right or the time allowed for one statement stands in the way."""
    try:
        return ask()
    except (errors.QueryCanceled, errors.LockNotAvailable, errors.InsufficientPrivilege) as error:
        return _Unknown(f"{str(error).partition(chr(10))[0]}; odds-pipeline retention --preview counts it")


def _policies(connection: Connection) -> Mapping[str, _Policy]:
    """Those in force: an earlier system's tables have one once every day of theirs is imported."""
    if _told(lambda: earlier_system.is_imported(connection)) is True:
        return _POLICIES
    return {name: policy for name, policy in _POLICIES.items() if policy.root not in earlier_system.GOING}


def _days(policy: _Policy, settings: Settings) -> tuple[int, str]:
    """The days, and the variable that says so: runs stay at least as long as history."""
    setting = policy.setting
    if setting == "run_retention_days" and settings.retention_days > settings.run_retention_days:
        setting = "retention_days"
    return getattr(settings, setting), f"ODDS_{setting.upper()}"


def _share_beyond(connection: Connection, profile: DatabaseProfile, root: str, bounds: Bounds) -> float:
    """Of a table's rows, or of history's bytes: what retention would delete."""
    table = profile.table(root)
    if table is None:
        return 0.0
    if root == HISTORY.name:
        over = (profile.table(partition.name) for partition in due_days(connection, bounds))
        size = sum(day.total_bytes for day in over if day is not None)
        return size / table.total_bytes if size else 0.0
    going = {**cleanup.GOING, **earlier_system.GOING, "events": _EVENTS}[root]
    parameters = asdict(bounds) | {"first_kept": midnight(bounds.first_kept)}
    row = connection.execute(sql.SQL("SELECT count(*) FROM ({}) AS going").format(going), parameters).fetchone()
    assert row is not None
    return row[0] / max(table.rows, row[0]) if row[0] else 0.0


def _oldest(table: Table | None) -> datetime | None:
    return None if table is None or table.ages is None else table.ages.oldest


def _kickoff(connection: Connection) -> datetime | None:
    row = connection.execute("SELECT min(kickoff) FROM events").fetchone()
    assert row is not None
    return row[0]
