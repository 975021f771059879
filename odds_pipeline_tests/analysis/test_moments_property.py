"""State, history and freshness at any moment, kept or retired, against a plain walk over generated cycles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.cycles_of_days import MARKETS, Walk, cycles_of_days
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import commit, register_bookmaker
from odds_pipeline_tests.database.plain_model import Outcomes
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.questions import retire

FIRST_DAY = date(2026, 3, 1)
DAYS = 3
EVENTS = ("e1", "e2")
_worlds = itertools.count()


@pytest.mark.timeout(900)
@settings(
    max_examples=8,
    # Not shrunk, which would take minutes on a database.
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_what_is_told_of_a_moment_is_what_a_walk_up_to_it_finds(database: Database, data: st.DataObject) -> None:
    """I1, I8: of an event, a tournament and everything; and never fresher than it was."""
    world = next(_worlds)
    midnight = datetime.combine(FIRST_DAY + timedelta(days=world * DAYS), time(), UTC)
    slugs = (f"a{world}", f"b{world}")
    cycles = data.draw(cycles_of_days(midnight, slugs, EVENTS, days=DAYS))
    for slug in slugs:
        register_bookmaker(database, slug)
    walk = Walk()
    for cycle in cycles:
        commit(database, cycle)
        walk.apply(cycle)
    retire(database, midnight.date() + timedelta(days=data.draw(st.integers(0, DAYS - 1))))
    asked = Asked(database, walk, slugs)
    moments = st.integers(0, DAYS * 86_400_000_000).map(lambda number: midnight + timedelta(microseconds=number))
    arrivals = sorted({answer.at for cycle in cycles for answer in cycle.answers} or {midnight})
    for moment in data.draw(st.lists(moments | st.sampled_from(arrivals), min_size=5, max_size=5)):
        asked.require_states(moment, data.draw(st.sampled_from(["everything", "tournament", "event"])))
    for _ in range(2):
        since, until = sorted(data.draw(st.tuples(moments, moments | st.sampled_from(arrivals))))
        asked.require_history(data.draw(st.sampled_from(MARKETS))[0], since, until)
    asked.require_now(max(cycle.as_of for cycle in cycles))


class Asked:
    """One world's questions, and what the walk says to them."""

    def __init__(self, database: Database, walk: Walk, slugs: tuple[str, ...]) -> None:
        self.source = OddsSource(database, archive_of(database), lambda first, last: [])
        self.walk = walk
        self.slugs = slugs
        listed = """
            SELECT event_id, slug, external_event_id FROM event_bookmakers
            JOIN bookmakers ON bookmakers.id = bookmaker_id WHERE slug = ANY (%s)
        """
        self.events = {event_id: (slug, event) for event_id, slug, event in query(database, listed, [list(slugs)])}
        self.tournament_id: int | None = next(iter(query(database, "SELECT id FROM tournaments")), (None,))[0]

    def require_states(self, moment: datetime, scope: str) -> None:
        """Every scope tells what the walk finds, and is not fresher than it."""
        expected = self.walk.state_at(moment)
        rows = at(self.source, Scope(bookmakers=self.slugs), moment).rows.to_dicts()
        assert _states(rows) == expected
        for row in rows:
            confirmed_at = row["last_confirmed_at"]
            if row["is_unavailable"]:
                assert (confirmed_at, row["is_stale"]) == (row["captured_at"], False)
            else:
                assert row["captured_at"] <= confirmed_at <= self.walk.last_seen(_key(row), moment), (row, moment)
                assert row["is_stale"] or not self.walk.was_stale(_key(row)[:2], moment)
        match scope:
            case "everything":
                told = at(self.source, Scope(), moment).rows.filter(pl.col("bookmaker_slug").is_in(self.slugs))
                assert told.to_dicts() == rows
            case "tournament":
                of_tournament = Scope(tournament_id=self.tournament_id, bookmakers=self.slugs)
                assert at(self.source, of_tournament, moment).rows.to_dicts() == rows
            case _:
                for event_id in self.events:
                    of_event = [row for row in rows if row["event_id"] == event_id]
                    assert at(self.source, Scope([event_id]), moment).rows.to_dicts() == of_event

    def require_history(self, betpawa_market_id: str, since: datetime, until: datetime) -> None:
        """The opening and the changes, folded up to any moment between, give what the walk finds there."""
        for event_id, listing in self.events.items():
            choice = MarketChoice(event_id, betpawa_market_id)
            points = odds_history(self.source, choice, since, until, now=until).points.to_dicts()
            assert all(since <= row["at"] < until for row in points)
            told = [row for row in points if row["point"] != "confirmed"]
            last = [until - timedelta(microseconds=1)] if since < until else []
            for moment in {*last, *(row["at"] for row in told)}:
                found = {
                    key: state
                    for key, state in self.walk.state_at(moment).items()
                    if key[:3] == (*listing, betpawa_market_id)
                }
                assert _states(row for row in told if row["at"] <= moment) == found, (choice, since, until, moment)
            for row in points:
                if row["point"] == "confirmed":
                    assert row["captured_at"] < row["at"] <= self.walk.last_seen(_key(row), until)

    def require_now(self, now: datetime) -> None:
        """The newest state of available markets is confirmed when the rules say, exactly."""
        for row in at(self.source, Scope(bookmakers=self.slugs), now).rows.iter_rows(named=True):
            if not row["is_unavailable"]:
                assert row["last_confirmed_at"] == self.walk.confirmed_at(_key(row))


def _states(rows: Iterable[dict[str, Any]]) -> dict[Any, tuple[Outcomes, bool, datetime]]:
    """As the walk tells them; of several rows of a market the last."""
    return {_key(row): _state(row) for row in rows}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["bookmaker_slug"], row["external_event_id"], row["betpawa_market_id"], row["line"])


def _state(row: dict[str, Any]) -> tuple[Outcomes, bool, datetime]:
    outcomes = {outcome["key"]: (outcome["odds"], outcome["is_active"]) for outcome in row["outcomes"]}
    return outcomes, not row["is_unavailable"], row["captured_at"]
