"""Questions to both tiers and what plain Python answers them, over days of which some are retired."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.opening import make_states
from odds_pipeline.days.read import Wanted, history, state_at
from odds_pipeline.days.retire import retire_day
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY

DAYS = 5
FIRST_KEPT = FIRST_DAY + timedelta(days=3)
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
END = BEGINNING + timedelta(days=DAYS)
EVERYTHING = Wanted()

Row = dict[str, Any]


def nothing_unimported(first: date, last: date) -> list[date]:
    return []


told = partial(history, unimported_days=nothing_unimported)
current_at = partial(state_at, unimported_days=nothing_unimported)


class Shared(NamedTuple):
    """A database with three of five days retired, for tests that change nothing; the rows that there were before."""

    database: Database
    archive: Archive
    rows: list[Row]


def retire(database: Database, first_kept: date) -> None:
    """What retention does with days before the first kept one."""
    archive = archive_of(database)
    with database.connect() as connection, archive_lock(connection):
        make_states(database, archive, first_kept)
        for each in list_partitions(connection):
            connection.commit()
            if each.first_day < first_kept:
                retire_day(connection, database, archive, each)


def market_of(database: Database, betpawa_market_id: str, event: str = "0", bookmaker: str = "betpawa") -> int:
    return query(
        database,
        """
        SELECT DISTINCT market_id FROM market_odds_current
        WHERE (bookmaker_slug, external_event_id, betpawa_market_id) = (%s, %s, %s)
        """,
        [bookmaker, event, betpawa_market_id],
    )[0][0]


def delete_event(database: Database, event_id: int) -> None:
    with database.connect() as connection:
        listings = "SELECT id FROM event_bookmakers WHERE event_id = %(id)s"
        markets = f"SELECT id FROM markets WHERE event_bookmaker_id IN ({listings})"
        for statement in (
            f"DELETE FROM odds_history WHERE event_bookmaker_id IN ({listings})",
            f"DELETE FROM current_odds WHERE market_id IN ({markets})",
            f"DELETE FROM markets WHERE event_bookmaker_id IN ({listings})",
            "DELETE FROM event_bookmakers WHERE event_id = %(id)s",
            "DELETE FROM events WHERE id = %(id)s",
        ):
            connection.execute(statement.encode(), {"id": event_id})


class Oracle:
    """The answers as plain Python finds them in a list of all rows there are."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = sorted(rows, key=lambda row: (row["market_id"], row["captured_at"]))

    def history(self, wanted: Wanted, since: datetime, until: datetime) -> list[Row]:
        return [row for row in self.rows if self._meant(row, wanted) and since <= row["captured_at"] < until]

    def state_at(self, wanted: Wanted, moment: datetime) -> list[Row]:
        last = {r["market_id"]: r for r in self.rows if self._meant(r, wanted) and r["captured_at"] <= moment}
        return list(last.values())

    @staticmethod
    def _meant(row: Row, wanted: Wanted) -> bool:
        conditions = [
            (wanted.event_ids, "event_id"),
            (wanted.bookmakers, "bookmaker_slug"),
            (wanted.betpawa_market_ids, "betpawa_market_id"),
            (wanted.market_ids, "market_id"),
        ]
        is_line = isinstance(wanted.line, Decimal | None)
        return all(values is None or row[name] in values for values, name in conditions) and (
            not is_line or row["line"] == wanted.line
        )


def questions(database: Database, seed: int, number: int) -> Iterator[tuple[Wanted, datetime, datetime]]:
    """Choices of markets, each with two moments in order."""
    draw = random.Random(seed)
    markets = [row[0] for row in query(database, "SELECT id FROM markets ORDER BY id")]
    events = [row[0] for row in query(database, "SELECT id FROM events ORDER BY id")]
    span = DAYS * 86_400_000_000
    for _ in range(number):
        wanted = draw.choice(
            [
                Wanted(market_ids=[draw.choice(markets)]),
                Wanted(market_ids=[draw.choice(markets)]),
                Wanted(event_ids=[draw.choice(events)], bookmakers=["betpawa"], betpawa_market_ids=["over-under"]),
                Wanted(event_ids=[draw.choice(events)], line=draw.choice([None, Decimal("2.5"), Decimal("7.125")])),
                Wanted(bookmakers=["sportybet", "bet9ja"]),
                Wanted(market_ids=draw.sample(markets, 5), line=Decimal("3.5")),
                EVERYTHING,
            ]
        )
        first, second = sorted(BEGINNING + timedelta(microseconds=draw.randrange(span)) for _ in range(2))
        yield wanted, first, second


def assert_answers(database: Database, oracle: Oracle, *, seed: int, number: int = 20) -> None:
    archive = archive_of(database)
    for wanted, first, second in questions(database, seed, number):
        asked = f"{wanted} {first} {second}"
        between = told(database, archive, wanted, first, second).rows
        assert between.to_dicts() == oracle.history(wanted, first, second), asked
        for moment in (first, second):
            state = current_at(database, archive, wanted, moment).rows
            expected = oracle.state_at(wanted, moment)
            assert state.to_dicts() == expected, asked
            limit = 1 + len(expected) // 3
            after = expected[limit - 1]["market_id"] if expected else 0
            page = current_at(database, archive, wanted, moment, after=after, limit=limit).rows
            assert page.to_dicts() == expected[limit : 2 * limit], f"{asked}, {limit} after {after}"
