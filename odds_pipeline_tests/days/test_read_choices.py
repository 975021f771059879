"""Which markets a question is about: tournaments, known bookmakers, and the state of many markets page by page."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.listings import UnknownBookmaker
from odds_pipeline.days.read import Wanted
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.questions import (
    BEGINNING,
    DAYS,
    END,
    EVERYTHING,
    Oracle,
    Row,
    Shared,
    current_at,
    delete_event,
    told,
)


def test_a_bookmaker_that_nobody_knows_is_refused_and_the_known_are_named(shared: Shared) -> None:
    wanted = Wanted(bookmakers=["betpawa", "nobet"])
    with pytest.raises(UnknownBookmaker, match="unknown bookmaker: nobet; known are bet9ja, betpawa, sportybet"):
        told(shared.database, shared.archive, wanted, BEGINNING, END)
    with pytest.raises(UnknownBookmaker, match="nobet"):
        current_at(shared.database, shared.archive, wanted, END)
    assert told(shared.database, shared.archive, Wanted(bookmakers=["bet9ja"]), BEGINNING, END).rows.is_empty()


def test_a_tournament_means_its_events(days: object, database: Database, archive: Archive) -> None:
    (event_id,) = (row[0] for row in query(database, "SELECT min(id) FROM events"))
    with database.connect() as connection:
        row = connection.execute(
            """
            INSERT INTO tournaments (sport_id, name, country) SELECT sport_id, 'Cup', 'Ghana' FROM tournaments LIMIT 1
            RETURNING id
            """
        ).fetchone()
        assert row is not None
        connection.execute("UPDATE events SET tournament_id = %s WHERE id = %s", [row[0], event_id])
    of_cup, of_event = Wanted(tournament_ids=[row[0]]), Wanted(event_ids=[event_id])
    rows = told(database, archive, of_cup, BEGINNING, END).rows
    assert rows.height > 0
    assert rows.equals(told(database, archive, of_event, BEGINNING, END).rows)
    assert current_at(database, archive, of_cup, END).rows.equals(current_at(database, archive, of_event, END).rows)
    other = Wanted(tournament_ids=[row[0]], event_ids=[event_id + 1])
    assert told(database, archive, other, BEGINNING, END).rows.is_empty()


def in_pages(database: Database, archive: Archive, moment: datetime, limit: int) -> pl.DataFrame:
    """All pages, one under the other, with the empty one at the end if there is one."""
    pages = [current_at(database, archive, EVERYTHING, moment, limit=limit).rows]
    while pages[-1].height == limit:
        after = pages[-1]["market_id"][-1]
        pages.append(current_at(database, archive, EVERYTHING, moment, limit=limit, after=after).rows)
    return pl.concat(pages)


@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_pages_of_a_moment_are_the_whole_of_it(shared: Shared, limit: int) -> None:
    for hours in (2, 30, DAYS * 24):
        moment = BEGINNING + timedelta(hours=hours)
        whole = current_at(shared.database, shared.archive, EVERYTHING, moment).rows
        assert whole.height > 0
        assert in_pages(shared.database, shared.archive, moment, limit).equals(whole)


def test_pages_of_a_moment_have_markets_of_events_that_are_gone(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    event_id = next(row["event_id"] for row in retired if row["external_event_id"] == "0")
    delete_event(database, event_id)
    moment = BEGINNING + timedelta(days=1, hours=3)
    rows = in_pages(database, archive, moment, 2)
    assert rows.to_dicts() == Oracle(retired).state_at(EVERYTHING, moment)
    assert event_id in rows["event_id"]


def test_the_first_markets_may_have_no_row_at_the_moment(shared: Shared) -> None:
    """The search goes on until there are as many rows as are asked for."""
    moment = BEGINNING + timedelta(minutes=2)
    whole = current_at(shared.database, shared.archive, EVERYTHING, moment).rows
    first = current_at(shared.database, shared.archive, EVERYTHING, moment, limit=whole.height).rows
    assert first.equals(whole)
    with pytest.raises(ValueError, match="a limit of 0 rows"):
        current_at(shared.database, shared.archive, EVERYTHING, moment, limit=0)
