"""Time to kick-off, and opening against closing, asked of a database: what is chosen, and what the answers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.analysis.kickoff import opening_closing, time_to_kickoff, time_to_kickoff_rows
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import (
    DOUBLE_CHANCE,
    NOW,
    OVER_UNDER_3,
    RESULT,
    HandMade,
    hand_made,
    moment,
    outcomes,
)
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds
from odds_pipeline_tests.days.questions import FIRST_KEPT, retire

P, S, N = "betpawa", "sportybet", "bet9ja"
EVERY: dict[str, Any] = {"kickoff_since": NOW - timedelta(days=1), "kickoff_until": NOW + timedelta(days=9)}


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def margin(*odds: float) -> Any:
    return pytest.approx(100 * (sum(1 / each for each in odds) - 1))


def move(*pairs: tuple[float, float]) -> Any:
    """The mean of how far prices are from where they opened, each given as (opening, now)."""
    return pytest.approx(sum(abs(price / opening - 1) * 100 for opening, price in pairs) / len(pairs))


def test_each_bookmaker_has_its_buckets(world: HandMade) -> None:
    """At 12:00:00 six hours were left, so bet9ja's change of 11:55:14 is in one bucket, the others' are in the next."""
    told = time_to_kickoff(world.source, event_ids=[world.events["derby"]], markets=[RESULT], now=NOW)
    names = ("bookmaker_slug", "bucket", "events", "markets", "changes", "mean_margin", "mean_odds_move")
    bet9jas = (margin(1.88, 3.45, 4.05), move((1.98, 1.88), (3.35, 3.45), (3.75, 4.05)))
    assert told.rows.select(names).rows() == [
        (P, "6-24h", 1, 1, 0, margin(2.00, 3.40, 3.80), 0),
        (P, "1-6h", 1, 1, 1, margin(1.90, 3.50, 4.10), move((2.00, 1.90), (3.40, 3.50), (3.80, 4.10))),
        (S, "6-24h", 1, 1, 0, margin(2.05, 3.30, 3.70), 0),
        (S, "1-6h", 1, 1, 1, margin(1.92, 3.40, 4.00), move((2.05, 1.92), (3.30, 3.40), (3.70, 4.00))),
        (N, "6-24h", 1, 1, 1, *bet9jas),
        (N, "1-6h", 1, 1, 0, *bet9jas),
    ]
    assert set(told.rows.select("betpawa_market_id", "betpawa_market_name", "line", "tournament").rows()) == {
        ("3743", "1X2 - FT", None, None)
    }
    assert told.unimported == []


def test_tournaments_are_told_apart_with_their_country(world: HandMade) -> None:
    told = time_to_kickoff(world.source, **EVERY, markets=[RESULT], by=["tournament"], now=NOW)
    assert told.rows.select("tournament", "country", "bucket", "events", "markets", "changes").rows() == [
        ("Premier Division", "Nigeria", "24-72h", 1, 2, 0),
        ("Premier Division", "Nigeria", "<1h", 1, 1, 1),
        ("Premier Division", "Nigeria", "after", 1, 1, 1),
        ("Premier League", "England", "24-72h", 1, 1, 0),
        ("Premier League", "England", "6-24h", 2, 4, 2),  # away from 12:10:00 on, changed at 12:10:12
        ("Premier League", "England", "1-6h", 1, 3, 2),
    ]


def test_a_row_says_what_the_market_was_when_the_bucket_ended(world: HandMade) -> None:
    rows = time_to_kickoff_rows(world.source, event_ids=[world.events["home"]], now=NOW).rows
    started = datetime(2026, 11, 20, 12, 8, tzinfo=UTC)
    names = ("bucket", "bucket_end", "changes", "outcomes", "is_unavailable", "margin", "margin_missing", "odds_move")
    last = outcomes(RESULT, "1.45", "4.20", "7.00")
    assert rows.select(names).rows() == [
        ("<1h", started, 1, last, False, margin(1.45, 4.2, 7), None, move((1.5, 1.45), (4, 4.2), (6.5, 7))),
        ("after", NOW, 1, last, True, None, "unavailable", None),
    ]
    names = ("event_id", "tournament_id", "tournament", "country", "bookmaker_slug", "kickoff", "market_id")
    assert rows.select(names).rows()[0] == (
        *(world.events["home"], world.tournaments["Premier Division"], "Premier Division", "Nigeria", P, started),
        world.market_id("p2", RESULT),
    )


def test_opening_and_closing_are_compared_once_the_match_has_begun(world: HandMade) -> None:
    rows = opening_closing(world.source, event_ids=[world.events["home"], world.events["away"]], now=NOW).rows
    names = ("bookmaker_slug", "name", "opening_at", "opening_odds", "closing_at", "closing_odds", "move_percent",
             "closing_margin")  # fmt: skip
    first, last = moment(1, P), moment(2, P)
    closing = margin(1.45, 4.20, 7.00)
    assert rows.filter(event_id=world.events["home"]).select(names).rows() == [
        (P, "1", first, Decimal("1.5"), last, Decimal("1.45"), pytest.approx(-10 / 3), closing),
        (P, "X", first, Decimal("4"), last, Decimal("4.2"), pytest.approx(5), closing),
        (P, "2", first, Decimal("6.5"), last, Decimal("7"), pytest.approx(100 / 13), closing),
    ]
    to_come = rows.filter(event_id=world.events["away"])
    assert to_come["opening_odds"].to_list() == [Decimal("2.5"), Decimal("3.1"), Decimal("2.9")]
    assert to_come["closing_odds"].to_list() == [None] * 3


def test_a_kickoff_that_was_moved_is_told(world: HandMade) -> None:
    rows = opening_closing(world.source, **EVERY, markets=[RESULT], now=NOW).rows
    moved = {event_id for event_id, is_moved in rows.select("event_id", "is_kickoff_moved").rows() if is_moved}
    assert moved == {world.events["moved"]}
    (kickoff,) = rows.filter(event_id=world.events["moved"])["kickoff"].unique()
    assert kickoff == datetime(2026, 11, 22, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (EVERY, ["away", "derby", "home", "moved"]),
        (EVERY | {"kickoff_since": datetime(2026, 11, 20, 18, tzinfo=UTC)}, ["away", "derby", "moved"]),
        (EVERY | {"kickoff_until": datetime(2026, 11, 20, 18, tzinfo=UTC)}, ["home"]),
        (EVERY | {"kickoff_since": datetime(2026, 11, 22, 20, tzinfo=UTC)}, ["moved"]),
        (EVERY | {"bookmakers": [N]}, ["derby"]),
        (EVERY | {"bookmakers": [S, P], "markets": [DOUBLE_CHANCE]}, ["derby"]),
        (EVERY | {"markets": []}, []),
        (EVERY | {"event_ids": []}, []),
    ],
)
def test_a_choice_is_what_meets_all_that_is_given(
    world: HandMade, choice: Mapping[str, Any], names: Sequence[str]
) -> None:
    rows = time_to_kickoff_rows(world.source, **choice, now=NOW).rows
    assert set(rows["event_id"]) == {world.events[name] for name in names}


def test_a_tournament_and_a_line_are_chosen(world: HandMade) -> None:
    nigeria = time_to_kickoff_rows(
        world.source, **EVERY, tournament_id=world.tournaments["Premier Division"], now=NOW
    ).rows
    assert set(nigeria["event_id"]) == {world.events["home"], world.events["moved"]}
    lines = time_to_kickoff_rows(world.source, **EVERY, markets=[OVER_UNDER_3, RESULT], now=NOW).rows
    assert set(lines.select("betpawa_market_id", "line").rows()) == {("5000", Decimal("3.5")), ("3743", None)}


def test_at_an_earlier_now_nothing_later_is_known(world: HandMade) -> None:
    then = moment(2, S)
    told = time_to_kickoff_rows(world.source, event_ids=[world.events["derby"]], markets=[RESULT], now=then).rows
    assert told.select("bookmaker_slug", "bucket", "bucket_end", "changes").rows() == [
        (P, "6-24h", then, 0),
        (S, "6-24h", then, 0),
        (N, "6-24h", then, 0),
    ]
    early = time_to_kickoff_rows(world.source, **EVERY, now=NOW - timedelta(days=3))
    assert early.rows.is_empty()


def test_a_question_that_makes_no_sense_says_why(world: HandMade) -> None:
    ask = world.source
    with pytest.raises(BadQuestion, match="no events are chosen; give both ends"):
        time_to_kickoff(ask, kickoff_since=NOW, now=NOW)
    with pytest.raises(BadQuestion, match="no grouping by colour, size; there is by betpawa_market_id, line"):
        time_to_kickoff(ask, **EVERY, by=["line", "colour", "size"], now=NOW)
    with pytest.raises(BadQuestion, match="before it begins"):
        time_to_kickoff(ask, kickoff_since=NOW, kickoff_until=NOW - timedelta(hours=1), now=NOW)
    with pytest.raises(BadQuestion, match=r"nobody.*betpawa, sportybet, bet9ja"):
        opening_closing(ask, **EVERY, bookmakers=["nobody"], now=NOW)
    with pytest.raises(ValueError, match="no time zone"):
        opening_closing(ask, kickoff_since=datetime(2026, 11, 20), kickoff_until=NOW, now=NOW)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        opening_closing(ask, **EVERY, now=datetime(2026, 11, 20))  # noqa: DTZ001


def test_what_was_never_seen_is_not_found(world: HandMade) -> None:
    ask = world.source
    choices: list[dict[str, Any]] = [{"event_ids": [999]}, {"event_ids": [2**40]}, EVERY | {"tournament_id": 999}]
    for choice in choices:
        with pytest.raises(NotFound):
            time_to_kickoff_rows(ask, **choice, now=NOW)
    with pytest.raises(NotFound, match="no market 'nonsense'"):
        opening_closing(ask, **EVERY, markets=[("nonsense", None)], now=NOW)


def test_an_empty_database_has_no_answer_and_no_error(database: Database) -> None:
    source = OddsSource(database, archive_of(database), lambda first, last: [])
    assert time_to_kickoff(source, **EVERY, now=NOW).rows.is_empty()
    assert opening_closing(source, **EVERY, now=NOW).rows.is_empty()


SEEN_FROM = datetime(2026, 11, 1, tzinfo=UTC)
STARTS = {"0": datetime(2026, 11, 4, 15, tzinfo=UTC), "1": datetime(2026, 11, 9, 15, tzinfo=UTC)}
FIVE_DAYS_ON = SEEN_FROM + timedelta(days=5)
DRAWN: dict[str, Any] = {
    "kickoff_since": SEEN_FROM,
    "kickoff_until": SEEN_FROM + timedelta(days=30),
    "markets": [("1x2", None), ("over-under", Decimal("2.5"))],
}


@pytest.fixture
def five_days(database: Database) -> OddsSource:
    DaysOfOdds(database, events=2, kickoffs=STARTS).write(days=5, cycles=2)
    return OddsSource(database, archive_of(database), lambda first, last: [first, last])


def test_days_that_have_left_postgresql_count_all_the_same(database: Database, five_days: OddsSource) -> None:
    """Also where rows are older than their listing by the clock: replayed, or imported from an earlier system."""
    rows = time_to_kickoff_rows(five_days, **DRAWN, now=FIVE_DAYS_ON).rows
    prices = opening_closing(five_days, **DRAWN, now=FIVE_DAYS_ON).rows
    assert rows["changes"].sum() > 20
    assert prices["closing_odds"].drop_nulls().len() > 3
    assert prices["opening_at"].min() == SEEN_FROM + timedelta(minutes=1)
    retire(database, FIRST_KEPT)
    assert time_to_kickoff_rows(five_days, **DRAWN, now=FIVE_DAYS_ON).rows.equals(rows)
    assert opening_closing(five_days, **DRAWN, now=FIVE_DAYS_ON).rows.equals(prices)
    with database.connect() as connection:
        connection.execute("UPDATE event_bookmakers SET created_at = %s", [FIVE_DAYS_ON])
    assert opening_closing(five_days, **DRAWN, now=FIVE_DAYS_ON).rows.equals(prices), "replayed"
    with database.connect() as connection:
        connection.execute("UPDATE event_kickoffs SET known_since = %s", [FIVE_DAYS_ON])
        connection.execute(
            """
            INSERT INTO imported_days (source, day, run_id, rows_read, changes, untrusted, refused, superseded,
                                       left_out, imported_at)
            VALUES ('earlier', %s, 1, 0, 0, 0, 0, 0, 0, %s)
            """,
            [SEEN_FROM.date(), FIVE_DAYS_ON],
        )
    assert opening_closing(five_days, **DRAWN, now=FIVE_DAYS_ON).rows.equals(prices), "imported"


def test_days_that_were_not_imported_are_named(database: Database) -> None:
    """All up to now: an earlier system may have known these matches long before us, and others that we do not know."""
    known = [date(2026, 9, 1), date(2026, 10, 31), FIVE_DAYS_ON.date() + timedelta(days=1)]
    source = OddsSource(
        database, archive_of(database), lambda first, last: [day for day in known if first <= day <= last]
    )
    DaysOfOdds(database, events=1, kickoffs=STARTS).write(days=1, cycles=1)
    no_matches: dict[str, Any] = {"kickoff_since": FIVE_DAYS_ON, "kickoff_until": FIVE_DAYS_ON + timedelta(days=1)}
    for chosen in (DRAWN, no_matches):
        assert time_to_kickoff(source, **chosen, now=FIVE_DAYS_ON).unimported == known[:2]
        assert opening_closing(source, **chosen, now=FIVE_DAYS_ON).unimported == known[:2]
    assert opening_closing(source, **no_matches, now=FIVE_DAYS_ON).rows.is_empty()
