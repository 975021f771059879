"""What rows are told of, in whichever tier they lie: words of today, primary listings, events that are gone, faults."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.read import Wanted
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds, shown_rows
from odds_pipeline_tests.days.questions import (
    BEGINNING,
    END,
    EVERYTHING,
    FIRST_KEPT,
    Oracle,
    Row,
    assert_answers,
    current_at,
    delete_event,
    market_of,
    retire,
    told,
)


def test_words_are_those_of_today_in_both_tiers(retired: list[Row], database: Database, archive: Archive) -> None:
    market_id = market_of(database, "1x2")
    with database.connect() as connection:
        connection.execute("UPDATE market_labels SET name = 'Full time result' WHERE name = 'name of 1x2'")
        connection.execute("UPDATE outcome_sets SET names = ARRAY(SELECT 'today ' || key FROM unnest(keys) AS key)")
    rows = told(database, archive, Wanted(market_ids=[market_id]), BEGINNING, END).rows
    assert rows["betpawa_market_name"].unique().to_list() == ["Full time result"]
    outcomes = rows.explode("outcomes").unnest("outcomes")
    assert sorted(outcomes["name"].unique()) == ["today 1", "today 2", "today X"]


def test_secondary_listings_are_left_out_in_both_tiers(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE event_bookmakers SET is_primary = false WHERE external_event_id = '0'")
    expected = Oracle([row for row in retired if row["external_event_id"] != "0"])
    assert told(database, archive, EVERYTHING, BEGINNING, END).rows.to_dicts() == expected.history(
        EVERYTHING, BEGINNING, END
    )
    moment = BEGINNING + timedelta(days=1, hours=5)
    assert current_at(database, archive, EVERYTHING, moment).rows.to_dicts() == expected.state_at(EVERYTHING, moment)


def test_an_event_that_was_cleaned_up_is_found_in_the_archive(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    event_id = next(row["event_id"] for row in retired if row["external_event_id"] == "1")
    delete_event(database, event_id)
    oracle = Oracle([r for r in retired if r["event_id"] != event_id or r["captured_at"].date() < FIRST_KEPT])
    gone = next(row["market_id"] for row in oracle.rows if row["event_id"] == event_id)
    for wanted in (Wanted(event_ids=[event_id]), EVERYTHING, Wanted(market_ids=[gone]), Wanted(bookmakers=["betpawa"])):
        rows = told(database, archive, wanted, BEGINNING, END).rows.to_dicts()
        assert rows == oracle.history(wanted, BEGINNING, END)
        moment = BEGINNING + timedelta(days=2, hours=3)
        assert current_at(database, archive, wanted, moment).rows.to_dicts() == oracle.state_at(wanted, moment)
    named = Wanted(event_ids=[event_id], betpawa_market_ids=["over-under"], line=Decimal("2.5"))
    assert told(database, archive, named, BEGINNING, END).rows.to_dicts() == oracle.history(named, BEGINNING, END)
    assert current_at(database, archive, named, END).rows.to_dicts() == oracle.state_at(named, END)


def test_untrusted_rows_are_marked_in_both_tiers(days: DaysOfOdds, database: Database, archive: Archive) -> None:
    market_id = market_of(database, "1x2")
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO untrusted_spans VALUES (%s, %s, %s, 'a fault')",
            [market_id, BEGINNING, BEGINNING + timedelta(days=2)],
        )
    oracle = Oracle(shown_rows(database))
    assert {row["is_trusted"] for row in oracle.rows if row["market_id"] == market_id} == {True, False}
    assert_answers(database, oracle, seed=7, number=10)
    retire(database, FIRST_KEPT)
    assert_answers(database, oracle, seed=7, number=10)
