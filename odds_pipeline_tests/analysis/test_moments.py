"""The state at a moment of the hand-made world, written out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.analysis.moments import STATE_ROWS, Moment, Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.source import open_source
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline_tests.analysis.hand_made import (
    CYCLES,
    NOW,
    OVER_UNDER,
    OVER_UNDER_3,
    RESULT,
    HandMade,
    hand_made,
    moment,
    outcomes,
)
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.days.questions import delete_event, retire
from odds_pipeline_tests.legacy.one_match import DAY, SCHEMA, OldSystem, market

P, S, N = "betpawa", "sportybet", "bet9ja"
#: Between the fourth cycle and the fifth: the match at home has kicked off at 12:08, though nobody said so yet.
THEN = datetime(2026, 11, 20, 12, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def told(rows: pl.DataFrame, *also: str) -> list[tuple[Any, ...]]:
    """Bookmaker, market, line and state of each row, and what is asked for besides, in an order of their own."""
    found = rows.select("bookmaker_slug", "betpawa_market_id", "line", "state", *also).rows()
    return sorted(found, key=lambda row: tuple(map(str, row[:3])))


def test_an_event_at_a_moment_is_each_market_in_the_state_it_had(world: HandMade) -> None:
    answer = at(world.source, Scope([world.events["derby"]], bookmakers=[P, N]), THEN)
    assert told(answer.rows, "captured_at", "last_confirmed_at", "is_stale") == [
        (N, *RESULT, "available", moment(2, N), moment(3, N), False),
        (N, *OVER_UNDER, "unavailable", moment(3, N), moment(3, N), False),
        (P, *RESULT, "available", moment(3, P), moment(4, P), False),
        (P, "3795", None, "available", moment(4, P), moment(4, P), False),
        (P, "4693", None, "available", moment(1, P), moment(4, P), False),
        (P, *OVER_UNDER, "available", moment(1, P), moment(4, P), False),
        (P, *OVER_UNDER_3, "unavailable", moment(3, P), moment(3, P), False),
    ]
    assert dict(answer.rows.schema) == dict(STATE_ROWS)
    assert answer.rows["market_id"].is_sorted()
    assert (answer.unimported, answer.next) == ([], None)
    of_betpawa = answer.rows.filter(bookmaker_slug=P).to_dicts()
    prices = {row["betpawa_market_id"]: row["outcomes"] for row in of_betpawa if row["line"] is None}
    assert prices["3743"] == outcomes(RESULT, "1.90", "3.50", "4.10")
    assert prices["3795"] == outcomes(("3795", None), "1.75", "2.10", suspended=("No",))


def test_what_failed_for_long_is_stale_in_the_end(world: HandMade) -> None:
    scope = Scope([world.events["derby"]], bookmakers=[N], betpawa_market_ids=[RESULT[0]])
    for minutes, is_stale in ((14, False), (16, True)):
        (row,) = at(world.source, scope, moment(3, N) + timedelta(minutes=minutes)).rows.to_dicts()
        assert (row["last_confirmed_at"], row["is_stale"]) == (moment(3, N), is_stale)


def test_a_match_that_kicked_off_is_unavailable_from_then_on(world: HandMade) -> None:
    scope = Scope([world.events["home"]])
    kickoff = datetime(2026, 11, 20, 12, 8, tzinfo=UTC)
    assert told(at(world.source, scope, kickoff - timedelta(seconds=1)).rows)[0][3] == "available"
    assert told(at(world.source, scope, kickoff).rows, "captured_at") == [(P, *RESULT, "unavailable", kickoff)]


def test_before_the_first_answer_there_is_nothing(world: HandMade) -> None:
    assert at(world.source, Scope(), CYCLES[0]).rows.is_empty()
    assert at(world.source, Scope([world.events["derby"]]), moment(1, P)).rows["bookmaker_slug"].unique().to_list() == [
        P
    ]


def test_a_tournament_is_its_events_and_everything_is_all_of_them(world: HandMade) -> None:
    def events(scope: Scope) -> set[str]:
        ids = {event_id: name for name, event_id in world.events.items()}
        return {ids[event_id] for event_id in at(world.source, scope, NOW).rows["event_id"]}

    assert events(Scope(tournament_id=world.tournaments["Premier League"])) == {"derby", "away"}
    assert events(Scope(tournament_id=world.tournaments["Premier Division"], bookmakers=[S])) == {"moved"}
    assert events(Scope()) == set(world.events)
    assert events(Scope([])) == set()


def test_a_scope_may_name_markets_and_a_line(world: HandMade) -> None:
    derby = [world.events["derby"]]
    goals = at(world.source, Scope(derby, betpawa_market_ids=["5000"]), NOW).rows
    assert goals["line"].unique().sort().to_list() == [Decimal("2.5"), Decimal("3.5")]
    assert set(at(world.source, Scope(derby, line=Decimal("3.5")), NOW).rows["bookmaker_slug"]) == {P}
    assert "5000" not in set(at(world.source, Scope(derby, line=None), NOW).rows["betpawa_market_id"])


def test_pages_follow_one_another_without_gap_or_repetition(world: HandMade) -> None:
    whole = at(world.source, Scope(), NOW).rows
    assert whole.height == 15
    pages: list[Moment] = []
    while not pages or pages[-1].next is not None:
        pages.append(at(world.source, Scope(), NOW, limit=4, after=pages[-1].next if pages else None))
    assert [page.rows.height for page in pages] == [4, 4, 4, 3]
    assert pl.concat(page.rows for page in pages).equals(whole)
    assert at(world.source, Scope(), NOW, after=whole["market_id"][-1]).rows.is_empty()
    with pytest.raises(BadQuestion, match="at least 1 row"):
        at(world.source, Scope(), NOW, limit=0)


def test_freshness_may_be_left_out(world: HandMade) -> None:
    scope = Scope([world.events["derby"]])
    rows = at(world.source, scope, NOW, with_freshness=False).rows
    assert dict(rows.schema) == dict(STATE_ROWS)
    assert rows.select("last_confirmed_at", "is_stale").null_count().row(0) == (rows.height, rows.height)
    asked = at(world.source, scope, NOW).rows
    assert rows.drop("last_confirmed_at", "is_stale").equals(asked.drop("last_confirmed_at", "is_stale"))


def test_a_moment_of_another_zone_is_the_same_moment(world: HandMade) -> None:
    west = THEN.astimezone(timezone(timedelta(hours=-9)))
    assert at(world.source, Scope(), west).rows.equals(at(world.source, Scope(), THEN).rows)
    with pytest.raises(ValueError, match="no time zone"):
        at(world.source, Scope(), datetime(2026, 11, 20, 12))  # noqa: DTZ001


def test_what_was_never_seen_is_told_from_what_was_not_there_yet(world: HandMade) -> None:
    derby = world.events["derby"]
    for scope, name in (
        (Scope([999]), "no event 999"),
        (Scope([derby, 999]), "no event 999"),
        (Scope([derby, -1]), "no event -1"),
        (Scope(tournament_id=999), "no tournament 999"),
        (Scope([derby], betpawa_market_ids=["0815"]), "no market '0815'"),
        (Scope([derby], betpawa_market_ids=[RESULT[0], "0815"]), "no market '0815'"),
    ):
        with pytest.raises(NotFound, match=name):
            at(world.source, scope, NOW)
    with pytest.raises(BadQuestion, match=r"nobet.*known are .*sportybet"):
        at(world.source, Scope(bookmakers=["nobet"]), NOW)
    with pytest.raises(BadQuestion, match="no text that could be stored"):
        at(world.source, Scope(betpawa_market_ids=["a\0b"]), NOW)
    assert at(world.source, Scope([derby]), CYCLES[0]).rows.is_empty()
    assert at(world.source, Scope([world.events["away"]], betpawa_market_ids=["5000"]), NOW).rows.is_empty()


def test_an_event_that_was_cleaned_up_is_found_while_it_is_archived(database: Database) -> None:
    world = hand_made(database)
    derby = world.events["derby"]
    choice = MarketChoice(derby, RESULT[0])
    before = at(world.source, Scope([derby]), THEN).rows, odds_history(world.source, choice, until=THEN, now=NOW).points
    retire(database, NOW.date() + timedelta(days=1))
    delete_event(database, derby)
    rows = at(world.source, Scope([derby]), THEN).rows
    assert rows.drop("last_confirmed_at").equals(before[0].drop("last_confirmed_at"))
    assert (rows["last_confirmed_at"] <= before[0]["last_confirmed_at"]).all()
    points = odds_history(world.source, choice, until=THEN, now=NOW).points
    assert points.filter(point="change").equals(before[1].filter(point="change"))
    assert at(world.source, Scope([derby]), CYCLES[0]).rows.is_empty()
    assert odds_history(world.source, choice, until=CYCLES[0], now=NOW).points.is_empty()
    with pytest.raises(NotFound, match="no event 999"):
        at(world.source, Scope([999]), THEN)


def test_days_of_an_earlier_system_that_were_not_imported_are_told(database: Database) -> None:
    """R18: of the earlier system that the settings name, where the answer may lack something of theirs."""
    old = OldSystem(database.libpq)
    old.snapshot(10, market("3743", {"1": 2.0, "X": 3.0, "2": 4.0}))
    world = hand_made(database)
    choice = MarketChoice(world.events["derby"], RESULT[0])
    settings = Settings(legacy_schema=SCHEMA, archive_url=SecretStr(str(archive_of(database).url)))
    with open_source(settings, database) as source:
        for scope in (Scope(), Scope([world.events["derby"]])):
            long_ago = at(source, scope, datetime.combine(DAY, datetime.min.time(), UTC) + timedelta(days=2))
            assert (long_ago.rows.height, long_ago.unimported) == (0, [DAY])
        assert odds_history(source, choice, now=NOW).unimported == [DAY]
        assert odds_history(source, choice, CYCLES[1], now=NOW).unimported == []
        earlier = at(source, Scope(), datetime.combine(DAY - timedelta(days=1), datetime.min.time(), UTC))
        assert earlier.unimported == []
