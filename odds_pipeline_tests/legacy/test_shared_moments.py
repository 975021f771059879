"""A moment that an import and another run both wrote into: each row stays its own run's, whatever is made anew."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.by_hand import history_by_hand
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.legacy.hand_made import NOW, at, change, imported

WINNER: MarketKey = ("3743", None)
BOTH: MarketKey = ("3795", None)
TOTAL: MarketKey = ("5000", None)
LATER = at(25, 12)
SHARED = at(5, 9)

Row = tuple[str, datetime, int, bool]
"""Market, time, run, and whether the market was gone."""


def live(database: Database) -> None:
    """Our own first complete answer, where what was imported and is not in it ends."""
    offer = {WINNER: {"1": "2.0"}, BOTH: {"1": "1.2"}}
    commit(database, Cycle(SHARED, {}, [answer("betpawa", "1", SHARED, offer, kickoff=LATER)]))


def winner(moment: datetime, price: str = "1.85") -> dict[str, object]:
    return change(moment, {"1": price}, market=WINNER, kickoff=LATER)


def total(moment: datetime, price: str = "2.0") -> dict[str, object]:
    return change(moment, {"h": price}, market=TOTAL, kickoff=LATER)


def rows(database: Database) -> list[Row]:
    return query(
        database,
        """
        SELECT betpawa_market_id, captured_at, run_id, unavailable_at IS NOT NULL FROM market_odds_history
        ORDER BY 1, 2
        """,
    )


def everything(database: Database) -> list[list[tuple[object, ...]]]:
    """History, its packs, and what is current."""
    tables = ("odds_history_changes", "odds_history", "market_odds_history", "market_odds_current")
    return [query(database, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]


def rebuilt(database: Database) -> tuple[int, int, int, int]:
    """The day of the shared moment made anew: its rows, and those added, removed and replaced."""
    (day,) = rebuild_days(database, archive_of(database), SHARED.date(), SHARED.date(), now=NOW)
    assert rebuild_current(database).repaired == 0
    return day.rows, day.added, day.removed, day.replaced


@pytest.mark.parametrize(
    ("day", "before", "after", "rows_of_day"),
    [
        (3, [winner(at(3, 10))], [winner(at(3, 10)), total(at(3, 11))], 3),
        (3, [], [winner(at(3, 10)), total(at(3, 11))], 3),
        (5, [winner(at(5, 8))], [winner(at(5, 8)), total(at(5, 8))], 5),
    ],
    ids=["the answer's run is the later one", "the import's run is the later one", "both on one day"],
)
def test_a_rebuild_keeps_the_end_that_an_import_put_into_our_answer(
    database: Database, day: int, before: list[dict[str, object]], after: list[dict[str, object]], rows_of_day: int
) -> None:
    if before:
        imported(database, day, *before)
    live(database)
    imported(database, day, *after)
    (import_run,) = query(database, "SELECT run_id FROM imported_days")[0]
    of_moment = {market: (run_id, is_gone) for market, moment, run_id, is_gone in rows(database) if moment == SHARED}
    assert of_moment["5000"] == (import_run, True)
    (own_run,) = {run_id for _, moment, run_id, _ in rows(database) if moment == SHARED} - {import_run}
    assert of_moment["3743"] == of_moment["3795"] == (own_run, False)
    stored = everything(database)
    assert rebuilt(database) == (rows_of_day, 0, 0, 0)
    assert everything(database) == stored


def test_a_rebuild_restores_a_row_of_our_answer_beside_an_imports_end(database: Database) -> None:
    live(database)
    imported(database, 3, winner(at(3, 10)), total(at(3, 11)))
    stored = everything(database)
    with database.connect() as connection, history_by_hand(connection):
        connection.execute(
            """
            UPDATE by_hand SET state = '\\x0000ff'
            WHERE captured_at = %s AND market_id = (SELECT min(id) FROM markets)
            """,
            [SHARED],
        )
    assert everything(database) != stored
    assert rebuilt(database) == (3, 0, 0, 1)
    assert everything(database) == stored


def test_two_sources_that_say_something_of_one_moment_are_each_imported_again_alike(database: Database) -> None:
    sources = {
        "a/odds/public": [winner(at(3, 10)), winner(at(3, 11), "1.95")],
        "b/odds/public": [total(at(3, 11))],
    }
    for source, said in sources.items():
        imported(database, 3, *said, source=source)
    stored = everything(database)
    assert [(market, moment) for market, moment, *_ in rows(database) if moment == at(3, 11)] == [
        ("3743", at(3, 11)),
        ("5000", at(3, 11)),
    ]
    assert len({run_id for _, moment, run_id, _ in rows(database) if moment == at(3, 11)}) == 2
    for number, source in enumerate(("b/odds/public", "a/odds/public", "b/odds/public"), 1):
        done = imported(database, 3, *sources[source], source=source, now=NOW + timedelta(days=number))
        assert (done.added, done.removed, done.replaced) == (0, 0, 0)
        assert everything(database) == stored
    earlier = [winner(at(3, 10)), winner(at(3, 10, 30), "1.95")]
    imported(database, 3, *earlier, source="a/odds/public", now=NOW + timedelta(days=4))
    assert [(market, moment) for market, moment, *_ in rows(database)] == [
        ("3743", at(3, 10)),
        ("3743", at(3, 10, 30)),
        ("5000", at(3, 11)),
    ]
