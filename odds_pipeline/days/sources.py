"""What a day of history can be rebuilt from, and why another cannot: judged from the names of files, not their content.

A day can be rebuilt when every run that wrote into it left its observations in the archive, or when an import did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import psycopg

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import NamedFile, named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.opening import history_snapshot

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DaySource:
    """What a UTC day can be rebuilt from: observation files, and the runs of imports whose rows are their own source.

    ``why_not`` None: it can; ``is_empty``: nothing was ever written into it. ``rows``: how many PostgreSQL holds.
    """

    day: date
    files: tuple[NamedFile, ...]
    import_runs: tuple[int, ...]
    rows: int
    why_not: str | None
    is_empty: bool


class DayNotRebuildable(Exception):
    """A day has no source; the message says which, why, and which days can be rebuilt."""


def rebuildable_days(database: Database, archive: Archive, *, now: datetime) -> list[DaySource]:
    """Every UTC day of which there could be history, today the last, and what it can be rebuilt from.

    Raises ``ArchiveUnusable``.
    """
    today = now.date()
    with history_snapshot(database) as connection:
        first, last = known_days(connection, today=today)
        return day_sources(connection, archive, first, last, today=today)


def known_days(connection: psycopg.Connection, *, today: date) -> tuple[date, date]:
    """The first and the last UTC day, today at the latest, of which there could be history anywhere."""
    row = connection.execute(
        """
        SELECT least((SELECT min(first_day) FROM archive_files WHERE kind <> 'state'),
                     (SELECT min(day) FROM imported_days),
                     (SELECT (min(captured_at) AT TIME ZONE 'UTC')::date FROM odds_history))
        """
    ).fetchone()
    assert row is not None
    return min(row[0] or today, today), today


def day_sources(
    connection: psycopg.Connection, archive: Archive, first: date, last: date, *, today: date
) -> list[DaySource]:
    """What each UTC day of the range, both ends included, can be rebuilt from. Raises ``ArchiveUnusable``."""
    days = [first + n * _A_DAY for n in range((last - first).days + 1)]
    within = {"first": first, "last": last, "since": midnight(first), "until": midnight(last + _A_DAY)}
    files = named_files(connection, "observations", first, last)
    files_by_day = {day: [file for file in files if file.first_day <= day <= file.last_day] for day in days}
    missing = _missing(archive, files)
    retired = {file.first_day for file in named_files(connection, "history", first, last)}
    written = _run_rows(connection, days, within)
    recorded = _pairs(
        connection,
        """
        SELECT day::date, run.id FROM scrape_runs AS run, jsonb_array_elements_text(run.counts -> 'days') AS day
        WHERE jsonb_typeof(run.counts -> 'days') = 'array' AND day::date BETWEEN %(first)s AND %(last)s
        """,
        within,
    )
    imported = _pairs(
        connection,
        """
        SELECT day, run_id FROM imported_days
        WHERE day BETWEEN %(first)s AND %(last)s AND changes > superseded + left_out
        """,
        within,
    )
    import_runs = {run_id for (run_id,) in connection.execute("SELECT run_id FROM imported_days")}
    found: list[DaySource] = []
    for day in days:
        of_day = files_by_day[day]
        runs = written[day]
        strangers = (runs.keys() | recorded[day]) - {file.run_id for file in of_day} - import_runs
        lost_imports = imported[day] - runs.keys()
        lost_files = [file.path for file in of_day if file.path in missing]
        why_not, is_empty = None, False
        if day > today:
            why_not = "it lies in the future"
        elif day in retired:
            why_not = "it was retired: read it from the archive"
        elif strangers:
            rows = sum(runs.get(run_id, 0) for run_id in strangers)
            why_not = (
                f"{_runs(strangers)} wrote into it ({rows:,} rows are there) and left no observations in the archive"
            )
        elif lost_files:
            why_not = f"{lost_files[0]} is not in the archive {archive.url} any more{_and_more(lost_files)}"
        elif lost_imports:
            why_not = "the rows that were imported into it are gone: import it again"
        elif is_empty := not of_day and not runs:
            why_not = "nothing was ever written into it"
        found.append(
            DaySource(
                day, tuple(of_day), tuple(sorted(runs.keys() & import_runs)), sum(runs.values()), why_not, is_empty
            )
        )
    return found


def require_rebuildable(
    connection: psycopg.Connection, archive: Archive, sources: Sequence[DaySource], *, today: date
) -> None:
    """Raise ``DayNotRebuildable`` for the first day that has no source."""
    bad = next((source for source in sources if source.why_not is not None), None)
    if bad is not None:
        raise not_rebuildable(connection, archive, bad.day, str(bad.why_not), today=today)


def not_rebuildable(
    connection: psycopg.Connection, archive: Archive, day: date, why_not: str, *, today: date
) -> DayNotRebuildable:
    """The error for a day, which names the days that can be rebuilt."""
    first, last = known_days(connection, today=today)
    can = [
        source.day
        for source in day_sources(connection, archive, first, last, today=today)
        if source.why_not is None and source.day != day
    ]
    return DayNotRebuildable(f"{day} cannot be rebuilt: {why_not}; {_which(can)}")


def _which(days: Sequence[date]) -> str:
    if not days:
        return "no day can be rebuilt"
    return f"{', '.join(_spans(days))} can be rebuilt"


def _spans(days: Sequence[date]) -> list[str]:
    """Days in order, neighbours put together: ``2026-11-12 to 2026-11-20``."""
    spans: list[list[date]] = []
    for day in days:
        if spans and day - spans[-1][-1] == _A_DAY:
            spans[-1].append(day)
        else:
            spans.append([day])
    return [f"{span[0]} to {span[-1]}" if len(span) > 1 else str(span[0]) for span in spans]


def _missing(archive: Archive, files: Iterable[NamedFile]) -> set[str]:
    """Paths of named files that are not there."""
    paths = {file.path for file in files}
    there = {path for folder in {str(PurePosixPath(path).parent) for path in paths} for path in archive.list(folder)}
    return paths - there


def _run_rows(
    connection: psycopg.Connection, days: Sequence[date], within: dict[str, Any]
) -> dict[date, dict[int, int]]:
    """How many rows each run has in each day."""
    found: dict[date, dict[int, int]] = {day: {} for day in days}
    if any(partition.first_day in found for partition in list_partitions(connection)):
        for day, run_id, rows in connection.execute(
            """
            SELECT (captured_at AT TIME ZONE 'UTC')::date, coalesce(own.run_id, history.run_id),
                   sum(coalesce(own.changes, odds_count(history.changes)))::int
            FROM odds_history AS history LEFT JOIN LATERAL (
                SELECT run_id, count(*) AS changes FROM odds_changes(history.changes)
                WHERE odds_is_mixed(history.changes) GROUP BY run_id
            ) AS own ON true
            WHERE captured_at >= %(since)s AND captured_at < %(until)s GROUP BY 1, 2
            """,
            within,
        ):
            found[day][run_id] = rows
    return found


def _pairs(connection: psycopg.Connection, query: str, parameters: dict[str, Any]) -> dict[date, set[int]]:
    pairs: dict[date, set[int]] = defaultdict(set)
    for day, run_id in connection.execute(query.encode(), parameters):
        pairs[day].add(run_id)
    return pairs


def _runs(run_ids: set[int]) -> str:
    first = min(run_ids)
    return f"run {first}" if len(run_ids) == 1 else f"run {first} and {len(run_ids) - 1} other"


def _and_more(paths: Sequence[str]) -> str:
    return "" if len(paths) == 1 else f", nor are {len(paths) - 1} others"
