"""Importing days that were written by hand: one timeline with what is stored, whatever came first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import current, errors, history, history_count, query
from odds_pipeline_tests.legacy.hand_made import NOW, at, change, imported

WINNER: MarketKey = ("3743", None)
TOTAL: MarketKey = ("5000", None)
MARKET = ("betpawa", "1", "3743", None)
LATER = at(25, 12)


def live(database: Database, moment: datetime, markets: dict[MarketKey, dict[str, str | None]]) -> None:
    """A complete answer of our own."""
    commit(database, Cycle(moment, {}, [answer("betpawa", "1", moment, markets, kickoff=LATER)]))


def timeline(database: Database, market: tuple[str, str, str, None] = MARKET) -> list[tuple[datetime, object]]:
    """The market's history in short: an offer, or None where it is gone."""
    return [
        (row.captured_at, row.outcomes if row.unavailable_at is None else None) for row in history(database, market)
    ]


def everything(database: Database) -> list[list[tuple[object, ...]]]:
    """All that an import may touch."""
    tables = (
        "odds_history",
        "current_odds",
        "markets",
        "event_bookmakers",
        "events",
        "listing_state",
        "scrape_runs",
        "imported_days",
        "untrusted_spans",
        "outcome_sets",
    )
    return [query(database, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]


def test_an_imported_day_is_history_and_its_end_is_current(database: Database) -> None:
    done = imported(
        database,
        3,
        change(at(3, 10), {"1": "1.85", "2": "4.20"}, kickoff=LATER),
        change(at(3, 11), {"1": "1.90", "2": None}, kickoff=LATER),
        change(at(3, 12), {}, kickoff=LATER),
        change(at(3, 13), {"1": "1.95", "2": "4.00"}, kickoff=LATER),
    )
    assert (done.rows_read, done.changes, done.added, done.removed, done.replaced) == (3, 4, 4, 0, 0)
    assert timeline(database) == [
        (at(3, 10), {"1": "1.85", "2": "4.2"}),
        (at(3, 11), {"1": "1.9", "2": "(4.2)"}),
        (at(3, 12), None),
        (at(3, 13), {"1": "1.95", "2": "4"}),
    ]
    row = current(database)[MARKET]
    assert (row.outcomes, row.unavailable_at, row.last_updated_at) == ({"1": "1.95", "2": "4"}, None, at(3, 13))
    assert row.last_confirmed_at == at(3, 13)
    assert row.is_stale, "what nobody has confirmed since is not fresh"
    assert rebuild_current(database).repaired == 0


def test_an_imported_day_stands_under_a_run_of_its_own(database: Database) -> None:
    done = imported(database, 3, change(at(3, 10), {"1": "1.85"}))
    assert query(database, "SELECT id, status, trigger, events_scraped FROM scrape_runs") == [
        (done.run_id, "completed", "backfill", 1)
    ]
    assert query(database, "SELECT DISTINCT run_id FROM odds_history") == [(done.run_id,)]
    assert query(database, "SELECT source, day, run_id, rows_read, changes FROM imported_days") == [
        ("earlier/odds/public", date(2026, 2, 3), done.run_id, 1, 1)
    ]


def test_importing_a_day_twice_changes_nothing(database: Database) -> None:
    rows = [
        change(at(3, 10), {"1": "1.85"}, kickoff=at(3, 20)),
        change(at(3, 11), {"1": "1.90"}, kickoff=at(3, 20), distrust="wrong places"),
        change(at(3, 12), {"h": "2.5"}, market=TOTAL, kickoff=at(3, 20)),
    ]
    live(database, at(5, 9), {WINNER: {"1": "2.0"}})
    imported(database, 3, *rows)
    before = everything(database)
    again = imported(database, 3, *rows, now=NOW + timedelta(days=1))
    assert (again.added, again.removed, again.replaced) == (0, 0, 0)
    assert everything(database) == before


def test_a_day_that_the_earlier_system_has_added_to_gets_the_rest(database: Database) -> None:
    first, second = change(at(3, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.90"})
    imported(database, 3, first)
    again = imported(database, 3, first, second)
    assert (again.added, again.removed, again.replaced) == (1, 0, 0)
    corrected = imported(database, 3, first, change(at(3, 11), {"1": "1.95"}))
    assert (corrected.added, corrected.removed, corrected.replaced) == (0, 0, 1)
    moved = imported(database, 3, first, change(at(3, 12), {"1": "1.95"}))
    assert (moved.added, moved.removed, moved.replaced) == (1, 1, 0)
    assert timeline(database) == [(at(3, 10), {"1": "1.85"}), (at(3, 12), {"1": "1.95"})]
    assert current(database)[MARKET].last_updated_at == at(3, 12)


def test_what_the_earlier_system_has_deleted_since_stays_in_history(database: Database) -> None:
    first, second = change(at(3, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.90"})
    imported(database, 3, first, second)
    before = everything(database)
    assert imported(database, 3, second).has_shrunk
    assert everything(database) == before


def test_days_may_be_imported_in_any_order(database: Database) -> None:
    days = {
        3: change(at(3, 10), {"1": "1.85", "2": "4.00"}, kickoff=LATER),
        4: change(at(4, 10), {"1": "1.85", "2": None}, kickoff=LATER),
        5: change(at(5, 10), {"1": "1.95", "2": None}, kickoff=LATER),
    }
    for day in (4, 5, 3):
        imported(database, day, days[day])
    assert timeline(database) == [
        (at(3, 10), {"1": "1.85", "2": "4"}),
        (at(4, 10), {"1": "1.85", "2": "(4)"}),
        (at(5, 10), {"1": "1.95", "2": "(4)"}),
    ]
    assert current(database)[MARKET].outcomes == {"1": "1.95", "2": "(4)"}
    assert rebuild_current(database).repaired == 0


def test_a_row_that_repeats_the_day_before_goes_when_that_day_is_imported(database: Database) -> None:
    """I2 across the seam of two days, the later of which came first."""
    imported(database, 4, change(at(4, 10), {"1": "1.85"}, kickoff=LATER))
    imported(database, 3, change(at(3, 10), {"1": "1.85"}, kickoff=LATER))
    assert timeline(database) == [(at(3, 10), {"1": "1.85"})]
    assert current(database)[MARKET].last_updated_at == at(3, 10)
    imported(database, 4, change(at(4, 10), {"1": "1.85"}, kickoff=LATER))
    assert history_count(database) == 1


def test_our_own_first_row_goes_when_it_repeats_the_imported_state(database: Database) -> None:
    live(database, at(5, 9), {WINNER: {"1": "1.85", "2": None}})
    live(database, at(5, 10), {WINNER: {"1": "1.85", "2": "3.00"}})
    imported(database, 3, change(at(3, 10), {"1": "1.80", "2": "4.00"}), change(at(3, 11), {"1": "1.85", "2": None}))
    assert timeline(database) == [
        (at(3, 10), {"1": "1.8", "2": "4"}),
        (at(3, 11), {"1": "1.85", "2": "(4)"}),
        (at(5, 10), {"1": "1.85", "2": "3"}),
    ]
    assert rebuild_current(database).repaired == 0


def test_our_own_row_that_repeated_one_day_is_there_again_when_the_next_differs(database: Database) -> None:
    live(database, at(5, 9), {WINNER: {"1": "1.85"}})
    imported(database, 3, change(at(3, 10), {"1": "1.85"}))
    assert timeline(database) == [(at(3, 10), {"1": "1.85"})]
    imported(database, 4, change(at(4, 10), {"1": "1.95"}))
    assert timeline(database) == [
        (at(3, 10), {"1": "1.85"}),
        (at(4, 10), {"1": "1.95"}),
        (at(5, 9), {"1": "1.85"}),
    ]
    assert current(database)[MARKET].outcomes == {"1": "1.85"}
    assert rebuild_current(database).repaired == 0


def test_a_suspended_price_is_carried_from_the_import_into_our_own_rows(database: Database) -> None:
    live(database, at(5, 9), {WINNER: {"1": "1.90", "2": None}})
    imported(database, 3, change(at(3, 10), {"1": "1.85", "2": "4.00"}))
    assert timeline(database)[-1] == (at(5, 9), {"1": "1.9", "2": "(4)"})
    assert current(database)[MARKET].outcomes == {"1": "1.9", "2": "(4)"}
    live(database, at(5, 10), {WINNER: {"1": "1.90", "2": None}})
    assert history_count(database) == 2, "the same odds are no change after the import either"


def test_cycles_go_on_where_the_import_ends(database: Database) -> None:
    imported(
        database, 3, change(at(3, 10), {"1": "1.85"}, kickoff=LATER), change(at(3, 10), {"h": "2.0"}, market=TOTAL)
    )
    live(database, at(5, 9), {WINNER: {"1": "1.85"}})
    live(database, at(5, 10), {WINNER: {"1": "1.90"}})
    assert timeline(database) == [(at(3, 10), {"1": "1.85"}), (at(5, 10), {"1": "1.9"})]
    assert timeline(database, ("betpawa", "1", "5000", None)) == [(at(3, 10), {"h": "2"}), (at(5, 9), None)]
    assert errors(database) == [], "no answer of ours is late after an import"
    assert current(database)[MARKET].last_confirmed_at == at(5, 10)


def test_what_our_pipeline_knows_the_earlier_system_does_not_overrule(database: Database) -> None:
    """Both ran side by side for a while: from our first complete answer on, ours counts."""
    live(database, at(3, 12), {WINNER: {"1": "1.90"}})
    done = imported(
        database,
        3,
        change(at(3, 10), {"1": "1.85"}, home_team="Old Rovers"),
        change(at(3, 12, 1), {"1": "1.91"}, home_team="Old Rovers"),
        change(at(3, 13), {"1": "1.95"}, home_team="Old Rovers"),
    )
    assert (done.changes, done.superseded, done.added) == (3, 2, 1)
    assert timeline(database) == [(at(3, 10), {"1": "1.85"}), (at(3, 12), {"1": "1.9"})]
    assert query(database, "SELECT home_team FROM events") == [("Lagos Rovers",)]
    assert query(database, "SELECT name FROM market_labels") == [("name of 3743",)]


def test_a_market_that_our_first_complete_answer_lacks_ends_there(database: Database) -> None:
    live(database, at(4, 12), {WINNER: {"1": "1.90"}})
    imported(database, 3, change(at(3, 10), {"h": "2.0"}, market=TOTAL))
    assert timeline(database, ("betpawa", "1", "5000", None)) == [(at(3, 10), {"h": "2"}), (at(4, 12), None)]
    assert current(database)["betpawa", "1", "5000", None].unavailable_at == at(4, 12)
    imported(database, 2, change(at(2, 10), {"h": "2.2"}, market=TOTAL))
    assert [moment for moment, _ in timeline(database, ("betpawa", "1", "5000", None))] == [
        at(2, 10), at(3, 10), at(4, 12)
    ]  # fmt: skip


def test_importing_again_leaves_our_first_answer_whole_though_an_import_ended_markets_in_it(database: Database) -> None:
    """The ends of its markets stand in our answer's pack, each under the import's run."""
    rows = [
        change(at(3, 10), {"h": "2.0"}, market=TOTAL),
        change(at(3, 10), {"h": "2.1"}, market=("5001", None)),
        change(at(3, 10), {"1": "1.85"}),
    ]
    live(database, at(3, 12), {WINNER: {"1": "1.90"}, ("3795", None): {"1": "1.20"}})
    imported(database, 3, *rows)
    before = everything(database)
    assert query(database, "SELECT odds_count(changes) FROM odds_history ORDER BY captured_at") == [(3,), (4,)]
    again = imported(database, 3, *rows, now=NOW + timedelta(days=1))
    assert (again.added, again.removed, again.replaced) == (0, 0, 0)
    assert everything(database) == before
    imported(database, 3, *rows, change(at(3, 11), {"h": "2.3"}, market=TOTAL), now=NOW + timedelta(days=2))
    assert timeline(database) == [(at(3, 10), {"1": "1.85"}), (at(3, 12), {"1": "1.9"})]
    assert timeline(database, ("betpawa", "1", "3795", None)) == [(at(3, 12), {"1": "1.2"})]
    assert timeline(database, ("betpawa", "1", "5000", None))[1:] == [(at(3, 11), {"h": "2.3"}), (at(3, 12), None)]
    assert rebuild_current(database).repaired == 0


def test_an_event_that_only_the_earlier_system_knew_ends_at_its_kickoff(database: Database) -> None:
    imported(database, 3, change(at(3, 10), {"1": "1.85"}, kickoff=at(4, 20)))
    assert timeline(database) == [(at(3, 10), {"1": "1.85"}), (at(4, 20), None)]
    row = current(database)[MARKET]
    assert (row.unavailable_at, row.outcomes) == (at(4, 20), {"1": "1.85"})
    imported(database, 4, change(at(4, 10), {"1": "1.90"}, kickoff=at(4, 20)))
    assert timeline(database) == [(at(3, 10), {"1": "1.85"}), (at(4, 10), {"1": "1.9"}), (at(4, 20), None)]
    assert query(database, "SELECT unlisted_at FROM listing_state") == [(at(4, 20),)]
    assert rebuild_current(database).repaired == 0


def test_an_event_still_to_come_stays_on_offer_until_a_cycle_says_otherwise(database: Database) -> None:
    imported(database, 3, change(at(3, 10), {"1": "1.85"}, kickoff=LATER))
    assert current(database)[MARKET].unavailable_at is None
    moment = at(5, 9)
    commit(database, Cycle(moment, {"betpawa": (moment, True)}, []))
    assert current(database)[MARKET].unavailable_at == moment


def test_competitors_meet_betpawas_event_by_sportradar_id(database: Database) -> None:
    imported(
        database,
        3,
        change(at(3, 10), {"1": "1.85"}, sportradar_id="77"),
        change(at(3, 10), {"1": "1.80"}, sportradar_id="77", bookmaker="sportybet", event="sr:match:77"),
        change(at(3, 10), {"1": "1.82"}, sportradar_id="77", bookmaker="bet9ja", event="900"),
    )
    assert query(database, "SELECT count(*), count(DISTINCT event_id) FROM market_odds_current") == [(3, 1)]


def test_untrusted_rows_are_marked_and_no_others(database: Database) -> None:
    imported(
        database,
        3,
        change(at(3, 10), {"1": "1.85"}, kickoff=LATER),
        change(at(3, 11), {"1": "1.90"}, kickoff=LATER, distrust="wrong places"),
        change(at(3, 12), {"1": "1.95"}, kickoff=LATER, distrust="wrong places"),
        change(at(3, 13), {"1": "2.00"}, kickoff=LATER),
    )
    live(database, at(5, 9), {WINNER: {"1": "2.10"}})
    assert query(database, "SELECT is_trusted FROM market_odds_history ORDER BY captured_at") == [
        (True,), (False,), (False,), (True,), (True,)
    ]  # fmt: skip
    assert query(database, "SELECT since, until, reason FROM untrusted_spans") == [
        (at(3, 11), at(3, 12) + timedelta(microseconds=1), "wrong places")
    ]


def test_untrusted_rows_may_be_left_out(database: Database) -> None:
    done = imported(
        database,
        3,
        change(at(3, 10), {"1": "1.85"}, kickoff=LATER),
        change(at(3, 11), {"1": "1.90"}, kickoff=LATER, distrust="wrong places"),
        settings=Settings(legacy_untrusted="leave_out"),
    )
    assert (done.changes, done.untrusted, done.left_out, done.added) == (2, 1, 1, 1)
    assert timeline(database) == [(at(3, 10), {"1": "1.85"})]
    assert query(database, "SELECT count(*) FROM untrusted_spans") == [(0,)]


def test_an_outcome_that_is_new_to_a_market_is_added_to_its_set_whose_words_stay(database: Database) -> None:
    live(database, at(5, 9), {WINNER: {"1": "1.90", "2": "3.00"}})
    before = query(database, "SELECT label_id, source_id, label_fingerprint FROM markets")
    imported(database, 3, change(at(3, 10), {"X": "3.10", "1": "1.85"}))
    assert query(database, "SELECT keys FROM markets JOIN outcome_sets AS s ON s.id = outcome_set_id") == [
        (["1", "2", "X"],)
    ]
    assert query(database, "SELECT label_id, source_id, label_fingerprint FROM markets") == before
    assert timeline(database) == [(at(3, 10), {"1": "1.85", "X": "3.1"}), (at(5, 9), {"1": "1.9", "2": "3"})]


def test_an_import_that_fails_leaves_nothing(database: Database) -> None:
    before = everything(database)
    with pytest.raises(LookupError, match="nobody"):
        imported(database, 3, change(at(3, 10), {"1": "1.85"}, bookmaker="nobody"))
    assert everything(database) == before


def test_a_day_without_changes_is_imported_too(database: Database) -> None:
    done = imported(database, 3)
    assert (done.changes, done.added) == (0, 0)
    assert query(database, "SELECT day FROM imported_days") == [(date(2026, 2, 3),)]


def test_times_of_imported_rows_are_utc(database: Database) -> None:
    imported(database, 3, change(datetime(2026, 2, 3, 23, 59, 59, 999999, UTC), {"1": "1.85"}))
    assert query(database, "SELECT captured_at FROM odds_history_20260203") == [
        (datetime(2026, 2, 3, 23, 59, 59, 999999, UTC),)
    ]
