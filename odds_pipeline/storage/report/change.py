"""The report's sections on what comes: growth, how old the rows are, how much changed, against whole snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from odds_pipeline.storage.judged import AgainstSnapshots, Projection
from odds_pipeline.storage.measured import WINDOWS, Ages, Growth, Repeats, StorageProfile, Table, Turnover
from odds_pipeline.storage.opportunities.shapes import is_ours
from odds_pipeline.storage.report.parts import Facts, Part, Section, Sentences, grid
from odds_pipeline.storage.report.sizes import label, table_name
from odds_pipeline.storage.words import NOT_KNOWN, in_bytes, in_count, in_days, in_percent, in_rows

_TABLES_SHOWN = 12


def growth_section(profile: StorageProfile) -> Section:
    """Bytes gained a day, by table, and rows of each of the last 7 days."""
    parts: list[Part] = [Sentences(growth_sentence(profile.growth))]
    if profile.growth is not None and profile.growth.by_table:
        grown = sorted(profile.growth.by_table.items(), key=lambda each: -each[1])
        rows = [(name, in_bytes(size)) for name, size in grown[:_TABLES_SHOWN] if size]
        parts += [grid(("table", "growth a day"), rows, numbers=(1,))] if rows else []
    return Section("Growth", tuple(parts))


def growth_sentence(growth: Growth | None) -> str:
    """How much is gained in a day, since when, and who says so."""
    if growth is None:
        return (
            "Growth is not known yet: it takes two samples an hour apart, or rows that say when they came, the first "
            "of them more than an hour ago."
        )
    who = "stored samples of the sizes" if growth.said_by == "samples" else "the ages of the rows that are there"
    stretch = in_days((growth.until - growth.since) / timedelta(days=1))
    return (
        f"{in_bytes(growth.bytes_a_day)} a day, by {who} over {stretch} "
        f"({growth.since:%Y-%m-%d %H:%M} to {growth.until:%Y-%m-%d %H:%M} UTC)."
    )


def age_sections(profile: StorageProfile) -> Iterator[Section]:
    """What falls within 7, 14 and 30 days, and the rows of each of the last 7 days."""
    aged = [
        (table_name(profile, database, table), table, table.ages)
        for database in profile.databases
        for table in database.whole_tables
        if table.ages is not None
    ]
    aged.sort(key=lambda each: -each[1].total_bytes)
    if not aged:
        yield Section("Ages of rows", (Sentences("No table has rows that say how old they are."),))
        return
    titles = ("table", "by", "oldest (UTC)", "newest (UTC)", *(f"rows of {days} days" for days in WINDOWS))
    rows = [_age_row(name, table, ages) for name, table, ages in aged[:_TABLES_SHOWN]]
    further = f"{len(aged) - _TABLES_SHOWN:,} further tables are smaller; JSON has them all."
    beyond: tuple[Part, ...] = (Sentences(further),) if len(aged) > _TABLES_SHOWN else ()
    yield Section("Ages of rows", (grid(titles, rows, numbers=range(4, len(titles))), *beyond))
    yield Section("Rows by day", tuple(_by_day(aged)))


def change_section(profile: StorageProfile, projection: Projection) -> Section:
    """The share of answers and of markets that changed, bytes per event, and what whole snapshots would have taken."""
    rows: list[tuple[str, str]] = []
    parts: list[Part] = []
    if profile.turnover is not None:
        rows += _turnover_facts(profile.turnover)
    for database in profile.databases:
        for table in database.own_tables:
            rows += _packed_facts(table)
        for found in database.repeats:
            is_packed = any((t.schema, t.name) == (found.schema, found.table) and t.changes for t in database.tables)
            rows += _repeat_facts(found, "change" if is_packed else "row") if found.pairs else ()
    rows.append(("Growth per event and day", _per_event(profile)))
    parts.append(Facts(tuple(rows)))
    if profile.turnover is None and not any(database.repeats for database in profile.databases):
        parts.append(Sentences("How much of what is stored has changed is not known: nothing here tells it."))
    against = projection.against_snapshots
    parts.append(Sentences(_against(against) if against else _not_compared(profile)))
    return Section("What changed, and what snapshots would have taken", tuple(parts))


def _age_row(name: str, table: Table, ages: Ages) -> tuple[str, ...]:
    within = [ages.rows_within.get(days) for days in WINDOWS]
    return (
        name,
        ages.said_by,
        f"{ages.oldest:%Y-%m-%d %H:%M}",
        f"{ages.newest:%Y-%m-%d %H:%M}",
        *(
            ""
            if rows is None
            else f"{in_rows(rows, ages.rows_from)} ({in_percent(rows / table.rows if table.rows else 0)})"
            for rows in within
        ),
    )


def _by_day(aged: list[tuple[str, Table, Ages]]) -> Iterator[Part]:
    days = sorted({day for _, _, ages in aged for day in ages.rows_by_day})
    shown = [each for each in aged if any(each[2].rows_by_day.values())]
    if not shown:
        yield Sentences("No row is of the 7 days before today.")
        return
    rows = [
        (name, *(in_rows(ages.rows_by_day.get(day, 0), ages.rows_from) for day in days))
        for name, _, ages in shown[:_TABLES_SHOWN]
    ]
    sums = (sum(ages.rows_by_day.get(day, 0) * (table.bytes_per_row or 0) for _, table, ages in shown) for day in days)
    rows.append(("bytes of all of them, about", *map(in_bytes, sums)))
    yield grid(("table", *(f"{day:%d %b}" for day in days)), rows, numbers=range(1, len(days) + 1))


def _turnover_facts(turnover: Turnover) -> Iterator[tuple[str, str]]:
    stretch = f"{turnover.since:%Y-%m-%d %H:%M} to {turnover.until:%Y-%m-%d %H:%M} UTC"
    yield "Cycles", f"{in_count(turnover.cycles)} ({stretch})"
    yield "Events in a cycle", in_count(turnover.events)
    changed = turnover.changed_answers
    yield "Answers", in_count(turnover.answers)
    yield "Answers that changed anything", _of(changed, turnover.answers)
    yield "Markets seen", in_count(turnover.observations)
    yield "Markets that changed", _of(turnover.history_rows, turnover.observations)
    yield "Of these, seen for the first time", in_count(turnover.first_sightings)


_FEWEST_PAIRS = 100
"""Pairs below which their share is no evidence."""


def _packed_facts(table: Table) -> Iterator[tuple[str, str]]:
    """Of rows that are answers with their changes."""
    if table.changes and table.bytes_per_change is not None:
        each = f"{table.changes / table.rows:,.1f} to a row, {table.bytes_per_change:,.1f} bytes each"
        yield f"Changes that {label(table)} holds", f"{in_count(table.changes)}: {each}"


def _repeat_facts(found: Repeats, what: Literal["row", "change"]) -> Iterator[tuple[str, str]]:
    name = found.table if found.schema == "public" else f"{found.schema}.{found.table}"
    few = f", too few to tell: {in_count(found.firsts)} of the {what}s looked at have none before them"
    yield (
        f"{what.capitalize()}s of {name} that say what the {what} before them said",
        f"{in_count(found.equal)} of {in_count(found.pairs)}{few}"
        if found.pairs < _FEWEST_PAIRS
        else _of(found.equal, found.pairs),
    )
    if found.answers:
        changed = found.answers - found.equal_answers
        yield f"Answers of {name} that changed anything", _of(changed, found.answers)


def _of(part: int | None, whole: int) -> str:
    if part is None:
        return NOT_KNOWN
    return f"{in_count(part)} of {in_count(whole)}: {in_percent(part / whole)}" if whole else "none were seen"


def _per_event(profile: StorageProfile) -> str:
    """By the events asked for in a cycle, or else by those on offer on a day."""
    offered = (each.events_a_day for each in profile.databases if each.events_a_day)
    events = profile.turnover.events if profile.turnover else next(offered, None)
    if profile.growth is None:
        return f"{NOT_KNOWN}, because growth is not"
    if not events:
        return f"{NOT_KNOWN}: nothing tells how many events are on offer on a day"
    return f"{profile.growth.bytes_a_day / events / 1e6:,.3f} MB ({in_count(events)} events)"


def _not_compared(profile: StorageProfile) -> str:
    if profile.turnover is not None:
        why = "no cycle saw a market"
    elif any(is_ours(database) for database in profile.databases):
        why = "it is told by the cycles' own numbers, once the first of them is an hour old, over the last 7 days"
    else:
        why = "it is told by the numbers of cycles that this pipeline ran, and it ran none here"
    return f"Not compared with storing whole snapshots: {why}."


def _against(against: AgainstSnapshots) -> str:
    return (
        f"{in_count(against.rows_a_day)} changes a day were stored where whole snapshots would have taken "
        f"{in_count(against.snapshot_rows_a_day)} rows: {in_percent(against.fewer_rows)} fewer, and "
        f"{in_percent(against.fewer_rows_beside_first_sightings)} beside the "
        f"{in_count(against.first_sightings_a_day)} a day that are a market's first sighting. "
        f"{in_bytes(against.bytes_a_day)} a day against {in_bytes(against.snapshot_bytes_a_day)}, a snapshot's row "
        f"taken at {against.snapshot_row_bytes:,.0f} bytes ({against.snapshot_row_from})."
    )
