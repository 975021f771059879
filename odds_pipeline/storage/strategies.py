"""The five strategies that are always judged (R23), also where they cannot be had or are done already."""

from __future__ import annotations

from typing import Literal

from odds_pipeline.storage.judged import Level, Plan, StrategyJudgement
from odds_pipeline.storage.measured import DatabaseProfile, StorageProfile
from odds_pipeline.storage.opportunities.advice import Advice, own_saving
from odds_pipeline.storage.opportunities.retain import kept_for, subject_of
from odds_pipeline.storage.opportunities.shapes import is_dagsters, is_ours, raw_column
from odds_pipeline.storage.ranking import RISK, advices
from odds_pipeline.storage.words import in_bytes, in_percent

RAW = "Dropping raw responses"
HYPERTABLES = "TimescaleDB hypertables"
RETENTION = "Aggressive retention (7 and 30 days)"
NORMALIZATION = "Outcome normalization"
COMPRESSION = "Native compression"
NAMES = (RAW, HYPERTABLES, RETENTION, NORMALIZATION, COMPRESSION)

_NONE = DatabaseProfile("odds", "", is_replica=False, total_bytes=0, tables=())
_TIMESCALE = "timescaledb"
_LEAST_RATIO = 1.1
_HISTORY_SETTING = "ODDS_RETENTION_DAYS"


def strategies(profile: StorageProfile, plan: Plan) -> tuple[StrategyJudgement, ...]:
    """The five, in the order of ``NAMES``, judged for the database that holds the odds: the first but Dagster's.

    What takes much or risks much is recommended where the plan needs it.
    """
    odds = next((each for each in profile.databases if not is_dagsters(each)), _NONE)
    found = advices(odds, profile.measured_at)
    return (
        _raw_responses(odds, found),
        _hypertables(odds),
        _retention(odds, profile, plan),
        _normalization(odds, found, plan),
        _native_compression(odds),
    )


def _raw_responses(odds: DatabaseProfile, found: tuple[Advice, ...]) -> StrategyJudgement:
    """Saving: of all raw columns together (``eliminate.raw_answers``)."""
    raw = [each.opportunity for each in found if each.kind == "raw column"]
    if not raw:
        return StrategyJudgement(
            name=RAW,
            benefit="Nothing: no table holds an answer as it came.",
            risk="low",
            risk_reason="nothing would change",
            effort="low",
            verdict="done",
            reason=_no_raw_answers(odds)
            + (" What answers said is kept as changes, and in compressed observation files." if is_ours(odds) else ""),
            saving_bytes=0,
            basis="sampled",
        )
    saving = sum(each.saving_bytes or 0 for each in raw)
    highest = max(raw, key=lambda each: RISK[each.risk])
    columns = ", ".join(each.id.partition(":")[2] for each in raw)
    return StrategyJudgement(
        name=RAW,
        benefit=f"{in_bytes(saving)} ({in_percent(_share(saving, odds))} of the database) at once.",
        risk=highest.risk,
        risk_reason=highest.risk_reason,
        effort="low",
        verdict="not recommended" if highest.risk == "high" else "recommended",
        reason=f"{columns}: the largest saving for the least work; what was understood of the answers stays.",
        saving_bytes=saving,
        basis="sampled",
    )


def _no_raw_answers(odds: DatabaseProfile) -> str:
    empty = [
        f"{table.name}.{column.name}"
        for table in odds.whole_tables
        for column in table.columns
        if raw_column(table, column)
    ]
    if not empty:
        return "No column is called raw, and no table of answers holds JSON of more than 4 kB a value."
    kept = "; their tables are there for imports of an earlier system" if is_ours(odds) else ""
    return f"{', '.join(empty)} {'is' if len(empty) == 1 else 'are'} there, but empty or nearly so{kept}."


def _hypertables(odds: DatabaseProfile) -> StrategyJudgement:
    """Never measured here: it needs the extension, and the rows in it."""
    has_it = (odds.extensions or {}).get(_TIMESCALE)
    where = {
        None: "This server does not offer the extension"
        if odds.extensions is not None
        else "Whether this server offers the extension cannot be known",
        False: "The server offers the extension; this database has not made it",
        True: "This database has the extension",
    }[has_it]
    return StrategyJudgement(
        name=HYPERTABLES,
        benefit="Chunks by time, dropped as a whole, and columnar compression of old ones: 90 % and more of typical "
        "time series by its vendor's account, which is no measurement of these rows.",
        risk="medium",
        risk_reason="compressed chunks are dear to change, its compression is under a licence that not every hosted "
        "PostgreSQL accepts, and every server and restored copy needs the extension",
        effort="high",
        verdict="not available here" if has_it is None else "not recommended",
        reason=f"{where}. Rows that repeat compress well because they need not be there: storing changes only removes "
        "them first, plain partitions by day end by DROP TABLE just as fast, and old days fit into Parquet files.",
        saving_bytes=None,
        basis="not measured here",
    )


def _retention(odds: DatabaseProfile, profile: StorageProfile, plan: Plan) -> StrategyJudgement:
    """Saving: of 7 days, by the rows' ages (``retain.kept_for``); that of 30 stands in the benefit."""
    week, month = (own_saving(odds, kept_for(odds, days, profile.measured_at)) for days in (7, 30))
    configured = next((kept for kept in profile.policies if kept.setting == _HISTORY_SETTING), None)
    is_planned = any(step.opportunity.id == f"retain:{subject_of(7)}" for step in plan.steps)
    verdict: Literal["recommended", "not recommended", "done"] = "recommended" if is_planned else "not recommended"
    if is_planned:
        reason = "The size target is missed with 14 days, after everything that loses nothing."
    elif configured is not None and configured.days is not None and configured.days <= 30:
        verdict = "done"
        reason = (
            f"{configured.setting} keeps {configured.days} days and moves what is older to compressed files; a week "
            "would take away what can be asked quickly, and the size target does not need it."
        )
    elif any(step.opportunity.family == "eliminate" for step in plan.steps):
        reason = (
            "Most of what it would take are raw answers and rows that repeat, which can go without losing an answer; "
            "after them, 14 days are within the size target."
        )
    else:
        reason = "The size target does not need it."
    return StrategyJudgement(
        name=RETENTION,
        benefit=f"7 days: {in_bytes(week)} ({in_percent(_share(week, odds))}); 30 days: "
        f"{in_bytes(month)} ({in_percent(_share(month, odds))}), as the rows' ages are now.",
        risk="high",
        risk_reason="what is deleted without an archive is gone, and a week is less than many questions look back",
        effort="low",
        verdict=verdict,
        reason=reason,
        saving_bytes=week,
        basis="sampled",
    )


def _normalization(odds: DatabaseProfile, found: tuple[Advice, ...], plan: Plan) -> StrategyJudgement:
    """Saving: of all columns of outcomes together, with nothing done before (``normalize.outcomes_as_arrays``)."""
    outcomes = [each.opportunity for each in found if each.kind == "outcomes"]
    if not outcomes:
        return _nothing_to_normalize(is_ours(odds))
    saving = sum(each.saving_bytes or 0 for each in outcomes)
    is_planned = any(step.opportunity.id in {each.id for each in outcomes} for step in plan.steps)
    if is_planned:
        reason = "The size target is missed without it."
    elif any(each.kind == "repeats" for each in found):
        reason = (
            "Storing changes only comes first: it removes most of the rows whose names would be stored once, and what "
            "is left is within the size target."
        )
    else:
        reason = "The size target does not need it, and everything that reads the column would have to change."
    return StrategyJudgement(
        name=NORMALIZATION,
        benefit=f"{in_bytes(saving)} ({in_percent(_share(saving, odds))} of the database), were it done first.",
        risk="high",
        risk_reason="everything that reads or writes outcomes must be changed at the same moment",
        effort="high",
        verdict="recommended" if is_planned else "not recommended",
        reason=reason,
        saving_bytes=saving,
        basis="sampled",
    )


def _nothing_to_normalize(is_done: bool) -> StrategyJudgement:
    level: Level = "low" if is_done else "high"
    return StrategyJudgement(
        name=NORMALIZATION,
        benefit="Nothing: no column holds lists of outcomes that is large enough to gain by it.",
        risk=level,
        risk_reason="nothing would change"
        if is_done
        else "everything that reads or writes outcomes must be changed at the same moment",
        effort=level,
        verdict="done" if is_done else "not recommended",
        reason="Names of outcomes are stored once for each set of them (outcome_sets), and a state holds its prices "
        "packed, by their places."
        if is_done
        else "There is nothing to gain.",
        saving_bytes=0,
        basis="sampled",
    )


def _native_compression(odds: DatabaseProfile) -> StrategyJudgement:
    """No saving is given: PostgreSQL compresses long values by itself, and never short rows."""
    columns = [column for table in odds.whole_tables for column in table.columns if column.raw_bytes and column.bytes]
    compressed = [each for each in columns if (each.raw_bytes or 0) / each.bytes >= _LEAST_RATIO]
    stored, raw = sum(each.bytes for each in compressed), sum(each.raw_bytes or 0 for each in compressed)
    plain = sum(each.bytes for each in columns) - stored
    long = (
        f"Long values are compressed already: {in_bytes(raw)} take {in_bytes(stored)} "
        f"({', '.join(sorted({each.name for each in compressed}))})."
        if compressed
        else "No column holds values that PostgreSQL compresses."
    )
    found = "and has done so" if compressed else "and finds nothing here that is long enough"
    method = "lz4 could be had, and is faster rather than smaller" if odds.can_lz4 else "lz4 is not built in here"
    return StrategyJudgement(
        name=COMPRESSION,
        benefit=f"{long} {in_bytes(plain)} of values that could be compressed are stored as they are: PostgreSQL "
        "looks only at rows of more than 2 kB.",
        risk="low",
        risk_reason="a setting of a column, which new values follow",
        effort="low",
        verdict="done" if compressed else "not recommended",
        reason=f"PostgreSQL compresses by itself (pglz), {found}; {method}. What it leaves in short rows needs fewer "
        "or shorter rows.",
        saving_bytes=None,
        basis="not measured here",
    )


def _share(saving: int, odds: DatabaseProfile) -> float:
    return saving / odds.total_bytes if odds.total_bytes else 0.0
