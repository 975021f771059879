"""The family eliminate: raw answers that nobody reads, repeating rows, empty room; indexes stand in ``indexes``."""

from __future__ import annotations

from collections.abc import Iterator

from odds_pipeline.storage.judged import Level
from odds_pipeline.storage.measured import Column, ColumnReaders, DatabaseProfile, Table
from odds_pipeline.storage.opportunities.advice import Advice, Kind, advise, called
from odds_pipeline.storage.opportunities.afterwards import (
    compact,
    with_share,
    with_table,
    without_column,
    without_repeats,
)
from odds_pipeline.storage.opportunities.market_level import keep_changes, says_what_is_gone
from odds_pipeline.storage.opportunities.shapes import (
    document_column,
    holds_changes,
    is_dagsters,
    is_ours,
    raw_column,
    repeats_of,
    states_of,
)
from odds_pipeline.storage.opportunities.statements import name, relation, rewrite, text
from odds_pipeline.storage.words import in_bytes, in_count, in_percent

LEAST_BLOAT = 0.3
"""Share of heap and TOAST that is empty from which on a rewrite is advised: what is less comes back by itself."""

_NAMED = 5
_REWRITES = "the table is locked while it is rewritten, and the copy needs room beside it; cannot be undone"


def raw_answers(profile: DatabaseProfile) -> Iterator[Advice]:
    """Columns that keep raw answers. Saving: the column's TOAST and what of it lies in the heap."""
    if is_dagsters(profile):
        return
    for table in profile.own_tables:
        for column in table.columns:
            if raw_column(table, column) and column.bytes:
                yield _raw_answers(profile, table, column)


def documents(profile: DatabaseProfile) -> Iterator[Advice]:
    """Columns of long JSON that may be anybody's data. Saving: as ``raw_answers``. No plan takes them."""
    if is_dagsters(profile) or is_ours(profile):
        return
    for table in profile.own_tables:
        for column in table.columns:
            if document_column(table, column) and column.bytes:
                yield _documents(profile, table, column)


def repeating_rows(profile: DatabaseProfile) -> Iterator[Advice]:
    """Rows that repeat the one before them. Saving: their share of all rows x (heap + TOAST + indexes) but bloat.

    The share is of a sample of consecutive rows: equal ones / (pairs + rows without one before them).
    """
    for table in profile.own_tables:
        repeats = repeats_of(profile, table)
        if repeats is None or not repeats.equal or holds_changes(profile, table) or is_ours(profile):
            continue
        share = repeats.share_of_rows
        left = with_table(profile, table, lambda each, share=share: with_share(each, 1 - share))
        states = states_of(profile, table)
        answers = (
            f" Of {in_count(repeats.answers)} pairs of answers, {in_count(repeats.equal_answers)} changed nothing."
            if repeats.answers
            else ""
        )
        yield advise(
            profile,
            without_repeats(left, repeats),
            kind="repeats",
            family="eliminate",
            subject=f"{called(profile, table)}.repeats",
            title=f"Market-level storage: keep a row of {table.name} only when the market changed",
            tables=(table,),
            evidence=f"{in_count(repeats.equal)} of {in_count(repeats.pairs)} rows looked at say what the row before "
            f"them of the same market said ({in_percent(repeats.share)}); rows without one before them counted, that "
            f"is {in_percent(share)} of {in_count(table.rows)} rows and {in_bytes(table.total_bytes)}.{answers}",
            effort="medium",
            risk="medium",
            risk_reason="what writes must compare with the last state of a market from then on, and what reads must "
            "look for the last row up to a moment, not for a snapshot's own rows; stop the writer while it is done",
            loses=None
            if states and says_what_is_gone(states)
            else "since when a market is no longer offered: without a column for it, only a missing row says so",
            statement=keep_changes(states)
            if states
            else "Keep a row only where it differs from the row before it of the same event, bookmaker, market and "
            "line, and write no other from then on.",
            is_sql=states is not None,
        )


def empty_room(profile: DatabaseProfile) -> Iterator[Advice]:
    """Tables of which much is empty. Saving: the bloat, which is what the rows do not need by statistics."""
    for table in profile.own_tables:
        share = empty_share(table)
        if share < LEAST_BLOAT:
            continue
        dead = f", {in_count(table.dead_rows)} rows are dead" if table.dead_rows else ""
        yield advise(
            profile,
            with_table(profile, table, compact),
            kind="bloat",
            family="eliminate",
            subject=f"{called(profile, table)}.bloat",
            title=f"Give back the empty room in {table.name}",
            tables=(table,),
            evidence=f"{in_bytes(table.bloat_bytes)} of {in_bytes(table.heap_bytes + table.toast_bytes)} "
            f"({in_percent(share)}) are more than the rows need by statistics{dead}.",
            effort="low",
            risk="low",
            risk_reason=f"{_REWRITES} (pg_repack, where it is installed, does the same while others write)",
            statement=rewrite(profile, table),
            basis="statistics",
        )


def empty_share(table: Table) -> float:
    """Share of heap and TOAST that is bloat, 0 to 1; 0 where it is not known."""
    stored = table.heap_bytes + table.toast_bytes
    return min(1.0, (table.bloat_bytes or 0) / stored) if stored else 0.0


def _raw_answers(profile: DatabaseProfile, table: Table, column: Column) -> Advice:
    risk, reason = _risk_of_readers(column.readers)
    return _without(
        profile,
        table,
        column,
        kind="raw column",
        title=f"Drop {table.name}.{column.name}: answers as they came",
        risk=risk,
        risk_reason=reason,
        loses="the answers as they came: what was not taken out of them when they were stored is gone",
    )


def _documents(profile: DatabaseProfile, table: Table, column: Column) -> Advice:
    """What a column is for cannot be told by its size: that nothing is found to read it is no reason to drop it."""
    risk, reason = _risk_of_readers(column.readers)
    return _without(
        profile,
        table,
        column,
        kind="documents",
        title=f"Ask whether {table.name}.{column.name} is needed: long JSON",
        risk="medium" if risk == "low" else risk,
        risk_reason=f"what it holds is not known, and it may be kept nowhere else; {reason}",
        loses="everything that the column says",
    )


def _without(
    profile: DatabaseProfile,
    table: Table,
    column: Column,
    *,
    kind: Kind,
    title: str,
    risk: Level,
    risk_reason: str,
    loses: str,
) -> Advice:
    values = table.rows * (1 - column.null_share)
    uncompressed = f", {in_bytes(column.raw_bytes)} before compression" if column.raw_bytes else ""
    return advise(
        profile,
        with_table(profile, table, lambda each: without_column(each, column.name)),
        kind=kind,
        family="eliminate",
        subject=f"{called(profile, table)}.{column.name}",
        title=title,
        tables=(table,),
        evidence=f"{in_bytes(column.bytes)} of the table's {in_bytes(table.total_bytes)}, "
        f"{in_bytes(column.bytes / values if values else None)} a value{uncompressed}. {_read_by(column.readers)}",
        effort="low",
        risk=risk,
        risk_reason=f"{risk_reason}; {_REWRITES}",
        loses=loses,
        statement=_drop_column(profile, table, column),
    )


def _drop_column(profile: DatabaseProfile, table: Table, column: Column) -> str:
    dropped = text("ALTER TABLE {table} DROP COLUMN {column};", table=relation(table), column=name(column.name))
    return dropped + rewrite(profile, table)


def _risk_of_readers(readers: ColumnReaders | None) -> tuple[Level, str]:
    if readers is None:
        return "medium", "who reads the column was not looked for"
    if readers.views or readers.functions:
        return "high", "views or functions read the column, and must be changed before"
    if readers.blockers:
        return "high", f"the statement fails before these are dropped: {_some(readers.blockers)}"
    if readers.parts:
        return "medium", "indexes and constraints on it go with it"
    if readers.statements or readers.source:
        return "medium", "applications mention the column, if only to write it, and must be changed before"
    if readers.statements is None and readers.source is None:
        return "low", "nothing in the database reads it; what applications do is not known"
    return "low", "nothing was found that reads it"


def _read_by(readers: ColumnReaders | None) -> str:
    if readers is None:
        return "Who reads it was not looked for."
    found = {
        "views": readers.views,
        "functions (by their text)": readers.functions,
        "indexes, constraints and triggers": readers.parts,
        "statements": readers.statements,
        "source": readers.source,
    }
    named = "; ".join(f"{what}: {_some(who)}" for what, who in found.items() if who)
    unknown = [
        said
        for said, who in (
            ("statements cannot be known without pg_stat_statements", readers.statements),
            ("no source was searched", readers.source),
        )
        if who is None
    ]
    nobody = ", ".join(what for what, who in found.items() if who == ())
    return " ".join(
        f"{part[0].upper()}{part[1:]}."
        for part in (
            f"it is mentioned in {named}" if named else "",
            f"nothing was found among {nobody}" if nobody else "",
            "; ".join(unknown),
        )
        if part
    )


def _some(who: tuple[str, ...]) -> str:
    return ", ".join(who[:_NAMED]) + (f" and {len(who) - _NAMED} more" if len(who) > _NAMED else "")
