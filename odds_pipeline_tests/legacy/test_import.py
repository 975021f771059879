"""Importing a whole earlier system with its known faults: what comes out is what the offer really was."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise

import polars as pl
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days.read import Wanted, history
from odds_pipeline.legacy.plan import plan
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.unimported import unimported_days
from odds_pipeline.legacy.write import ImportedDay, import_days
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.legacy.earlier_system import EarlierSystem, MarketKey, State, make_earlier_system

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUESTIONS = 400


@dataclass
class Import:
    """An earlier system of both generations, what a dry run said of it, and what its import did."""

    database: Database
    source: LegacySource
    system: EarlierSystem
    planned: pl.DataFrame
    unimported: list[str]
    days: list[ImportedDay]

    def again(self) -> list[ImportedDay]:
        return import_all(self.database, self.source)


def import_all(database: Database, source: LegacySource) -> list[ImportedDay]:
    days = source.days()
    return import_days(database, archive_of(database), source, days[0], days[-1], settings=Settings(), now=NOW)


@pytest.fixture(scope="module")
def imported(shared_migrated_database: str) -> Iterator[Import]:
    database = Database(shared_migrated_database)
    with database.connect() as connection:
        system = make_earlier_system(
            connection,
            schema="earlier",
            events=6,
            days=3,
            interval=timedelta(hours=2),
            apart_from=timedelta(days=1, hours=12),
            snapshots_until=timedelta(days=2),
        )
    source = LegacySource(database, "earlier")
    days = source.days()
    planned = plan(source, days[0], days[-1])
    missing = unimported_days(database, source)
    yield Import(database, source, system, planned, [str(day) for day in missing], import_all(database, source))
    database.dispose()


def test_the_dry_run_said_what_the_import_then_counted(imported: Import) -> None:
    by_day = imported.planned.group_by("day").agg(
        pl.col("rows", "refused", "untrusted").sum(), changes=(pl.col("changed") + pl.col("gone")).sum()
    )
    planned = {row["day"]: row for row in by_day.iter_rows(named=True)}
    assert planned.keys() == {day.day for day in imported.days}
    for day in imported.days:
        told = planned[day.day]
        assert (day.rows_read, day.refused, day.untrusted, day.changes) == (
            told["rows"],
            told["refused"],
            told["untrusted"],
            told["changes"],
        )
    stored = query(imported.database, "SELECT day, rows_read, changes, untrusted, refused FROM imported_days")
    assert set(stored) == {(day.day, day.rows_read, day.changes, day.untrusted, day.refused) for day in imported.days}
    assert sum(day.rows_read for day in imported.days) > 1_000


def timelines(database: Database) -> dict[MarketKey, list[tuple[datetime, State | None]]]:
    """Every market's states by time, None where it is not offered."""
    rows = query(
        database,
        """
        SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, captured_at, unavailable_at, outcomes
        FROM market_odds_history ORDER BY captured_at
        """,
    )
    found: dict[MarketKey, list[tuple[datetime, State | None]]] = {}
    for *key, captured_at, unavailable_at, outcomes in rows:
        state = frozenset(
            (each["key"], Decimal(str(each["odds"])).quantize(Decimal("0.001")) if each["is_active"] else None)
            for each in outcomes
        )
        found.setdefault(tuple(key), []).append((captured_at, None if unavailable_at else state))  # type: ignore[arg-type]
    return found


def test_history_says_what_the_offer_was_at_any_moment(imported: Import) -> None:
    """B-50: the earlier generations' history stays readable, through the same questions as ours."""
    kickoffs = dict(query(imported.database, "SELECT external_event_id, kickoff FROM event_bookmakers"))
    known = timelines(imported.database)
    end = datetime(2026, 2, 4, tzinfo=UTC)
    wrong, offers = [], 0
    for market, moment, state in imported.system.truth.questions(QUESTIONS, seed=7, until=end):
        timeline = known.get(market, [])
        position = bisect_right(timeline, moment, key=lambda entry: entry[0])
        answer = timeline[position - 1][1] if position else None
        truth = None if moment >= kickoffs[market[1]] else state
        exact = (
            None if truth is None else frozenset((key, odds and odds.quantize(Decimal("0.001"))) for key, odds in truth)
        )
        offers += exact is not None
        if answer != exact:
            wrong.append((market, moment, answer, exact))
    assert wrong == []
    assert offers > QUESTIONS / 3


def test_known_faults_are_marked_and_most_rows_are_not(imported: Import) -> None:
    ((trusted, untrusted),) = query(
        imported.database,
        "SELECT count(*) FILTER (WHERE is_trusted), count(*) FILTER (WHERE NOT is_trusted) FROM market_odds_history",
    )
    assert 0 < untrusted < trusted
    assert query(imported.database, "SELECT count(*) FROM untrusted_spans WHERE reason = ''") == [(0,)]


def test_importing_everything_again_changes_nothing(imported: Import) -> None:
    before = query(imported.database, "SELECT * FROM odds_history_changes ORDER BY 1, 2, 3")
    assert [(day.added, day.removed, day.replaced) for day in imported.again()] == [(0, 0, 0)] * len(imported.days)
    assert query(imported.database, "SELECT * FROM odds_history_changes ORDER BY 1, 2, 3") == before
    assert rebuild_current(imported.database).repaired == 0, "current is where history ends (I1)"


def test_days_imported_in_any_order_give_the_same_history(imported: Import, database: Database) -> None:
    """Also of markets that the earlier system says are gone before the day is imported on which they were there."""
    days = imported.source.days()
    for day in (*days[1::2], *reversed(days[::2])):
        import_days(database, archive_of(database), imported.source, day, day, settings=Settings(), now=NOW)
    assert timelines(database) == timelines(imported.database)
    assert rebuild_current(database).repaired == 0


def test_no_row_repeats_the_one_before(imported: Import) -> None:
    """I2, over the borders of days."""
    for states in timelines(imported.database).values():
        assert all(before != after for (_, before), (_, after) in pairwise(states))


def test_what_is_not_imported_is_named_until_it_is(imported: Import) -> None:
    """R18: an empty series is never returned in silence."""
    assert imported.unimported == [str(day.day) for day in imported.days]
    assert unimported_days(imported.database, imported.source) == []
    elsewhere = LegacySource(imported.database, "no_such_schema")
    assert unimported_days(imported.database, elsewhere) == []
    with imported.database.connect() as connection:
        make_earlier_system(connection, schema="another", events=2, days=1)
    another = LegacySource(imported.database, "another")
    missing = partial(unimported_days, imported.database, another)
    asked = {"since": datetime(2026, 2, 1, tzinfo=UTC), "until": datetime(2026, 2, 2, tzinfo=UTC)}
    answer = history(
        imported.database, archive_of(imported.database), Wanted(event_ids=[999]), **asked, unimported_days=missing
    )
    assert answer.rows.is_empty()
    assert answer.unimported == [asked["since"].date()]


def test_competitors_of_a_match_that_betpawa_has_share_its_event(imported: Import) -> None:
    """Also where the earlier system had never linked them."""
    rows = query(
        imported.database,
        "SELECT sportradar_id, count(DISTINCT event_id), count(*) FROM event_bookmakers GROUP BY 1",
    )
    assert {events for _, events, _ in rows} == {1}
    assert max(listings for *_, listings in rows) == 3
