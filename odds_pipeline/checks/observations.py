"""Checks of one bookmaker's scraped observations, made in the step that scraped them, before anything is written.

Schema and uniqueness block the write. Coverage, prices and row counts warn; a bookmaker that failed wholly is an error
that does not block, because the others' odds are still worth writing.
"""

import dagster as dg
import polars as pl

from odds_pipeline.odds.frames import SchemaMismatch, require_schema
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA, AnswerStatus

TOLERATED_FAILED_SHARE = 0.02
"""Share of asked events that may fail before coverage warns."""
PLAUSIBLE_ODDS = 1_001
"""Higher prices are stored, but looked at: 250 is the most seen so far."""
ROW_COUNT_DROP = 0.30
"""Drop of the outcomes stored, against the last whole cycle, that warns."""

_KEY = ("external_event_id", "betpawa_market_id", "line")


def observation_check_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks that every bookmaker's observations have."""
    return [
        dg.AssetCheckSpec(
            "schema", asset=asset, blocking=True, description="Columns and types are those of the public contract."
        ),
        dg.AssetCheckSpec(
            "unique", asset=asset, blocking=True, description="One row per bookmaker event, market and line."
        ),
        dg.AssetCheckSpec(
            "coverage",
            asset=asset,
            description=f"Discovery reached the end and at most {TOLERATED_FAILED_SHARE:.0%} of the events failed.",
        ),
        dg.AssetCheckSpec(
            "price_bounds", asset=asset, description=f"Active odds lie above 1 and not above {PLAUSIBLE_ODDS}."
        ),
        dg.AssetCheckSpec(
            "row_count",
            asset=asset,
            description=f"Not over {ROW_COUNT_DROP:.0%} fewer outcomes than the last whole cycle stored.",
        ),
    ]


def check_observations(
    asset: dg.AssetKey, observations: pl.LazyFrame, coverage: pl.DataFrame, *, outcomes_before: int | None
) -> list[dg.AssetCheckResult]:
    """Judge one bookmaker's staged observations and coverage.

    ``outcomes_before``: outcomes stored by the last whole cycle, None if there was none.
    """
    try:
        require_schema(observations, OBSERVATION_SCHEMA, source="/".join(asset.path))
    except SchemaMismatch as mismatch:
        unread = [
            _result(asset, name, passed=False, severity=severity, reason="not examined: the schema is wrong")
            for name, severity in (
                ("unique", dg.AssetCheckSeverity.ERROR),
                ("price_bounds", dg.AssetCheckSeverity.WARN),
            )
        ]
        schema = _result(asset, "schema", passed=False, severity=dg.AssetCheckSeverity.ERROR, reason=str(mismatch))
        return [schema, *unread, _coverage(asset, coverage), _row_count(asset, coverage, outcomes_before)]
    return [
        _result(asset, "schema", passed=True, columns=len(OBSERVATION_SCHEMA)),
        _unique(asset, observations),
        _coverage(asset, coverage),
        _price_bounds(asset, observations),
        _row_count(asset, coverage, outcomes_before),
    ]


def _unique(asset: dg.AssetKey, observations: pl.LazyFrame) -> dg.AssetCheckResult:
    repeated = observations.group_by(*_KEY).len().filter(pl.col("len") > 1).collect()
    return _result(
        asset,
        "unique",
        passed=repeated.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR,
        repeated=repeated.height,
        **({} if repeated.is_empty() else {"example": str(repeated.row(0, named=True))}),
    )


def _coverage(asset: dg.AssetKey, coverage: pl.DataFrame) -> dg.AssetCheckResult:
    events = coverage.filter(pl.col("external_event_id").is_not_null())
    discovery = coverage.filter(pl.col("external_event_id").is_null())
    counts = {status.value: events.filter(pl.col("status") == status.value).height for status in AnswerStatus}
    is_discovered = not discovery.is_empty() and (discovery["status"] == AnswerStatus.COMPLETE.value).all()
    lost = counts[AnswerStatus.FAILED] + counts[AnswerStatus.NOT_ASKED]
    has_answers = counts[AnswerStatus.COMPLETE] + counts[AnswerStatus.STARTED] > 0
    reasons = coverage.filter(pl.col("reason").is_not_null()).group_by("reason").len().sort("len", descending=True)
    return _result(
        asset,
        "coverage",
        passed=is_discovered and has_answers and lost <= TOLERATED_FAILED_SHARE * max(events.height, 1),
        severity=dg.AssetCheckSeverity.WARN if has_answers else dg.AssetCheckSeverity.ERROR,
        discovery="complete" if is_discovered else "incomplete",
        **counts,
        reasons=", ".join(f"{reason}: {count}" for reason, count in reasons.iter_rows()) or "none",
    )


def _price_bounds(asset: dg.AssetKey, observations: pl.LazyFrame) -> dg.AssetCheckResult:
    active = (
        observations.select(pl.col("outcomes").explode(empty_as_null=False))
        .unnest("outcomes")
        .filter(pl.col("is_active") & pl.col("odds").is_not_null())
        .select("odds")
    )
    lowest, highest, beyond = (
        active.select(
            lowest=pl.col("odds").min(),
            highest=pl.col("odds").max(),
            beyond=((pl.col("odds") <= 1) | (pl.col("odds") > PLAUSIBLE_ODDS)).sum(),
        )
        .collect()
        .row(0)
    )
    return _result(
        asset, "price_bounds", passed=not beyond, beyond=int(beyond or 0), lowest=str(lowest), highest=str(highest)
    )


def _row_count(asset: dg.AssetKey, coverage: pl.DataFrame, outcomes_before: int | None) -> dg.AssetCheckResult:
    stored = int(coverage["outcomes_stored"].sum())
    if not outcomes_before:
        return _result(asset, "row_count", passed=True, outcomes=stored, before="no whole cycle before")
    return _result(
        asset,
        "row_count",
        passed=stored >= (1 - ROW_COUNT_DROP) * outcomes_before,
        outcomes=stored,
        before=outcomes_before,
    )


def _result(
    asset: dg.AssetKey,
    name: str,
    *,
    passed: bool,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN,
    **metadata: str | int | float,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset, check_name=name, passed=bool(passed), severity=severity, metadata=metadata
    )
