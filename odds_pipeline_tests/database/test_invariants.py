"""The invariants I1 to I9 over generated cycles, on real PostgreSQL, against the plain model."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline_tests.database.cycles import commit, register_bookmaker
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey, Outcomes, PlainModel

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_worlds = itertools.count()

MARKETS: tuple[MarketKey, ...] = (
    ("3743", None),
    ("5000", None),
    ("5000", Decimal("0.000")),
    ("5000", Decimal("2.500")),
    ("sportybet:900[minute=5]", Decimal("-0.750")),
)
PRICES: list[Decimal | None] = [
    Decimal(price) for price in ("1.010", "2.500", "2.505", "163.830", "163.840", "999999.999", "1000000.000")
]

outcome = st.tuples(st.sampled_from(PRICES), st.booleans())
some_outcomes = st.dictionaries(st.sampled_from(["a", "b", "c"]), outcome, min_size=1, max_size=3)
outcomes = some_outcomes.flatmap(lambda chosen: st.permutations(list(chosen.items())).map(dict))


@st.composite
def answers(draw: st.DrawFn, slug: str, event: str, cycle_at: datetime, kickoffs: dict[str, datetime]) -> Answer:
    """One answer: complete, failed (with or without readable markets), in play, not asked; in time or late."""
    status = draw(st.sampled_from(["complete"] * 6 + ["failed", "started", "not_asked"]))
    at = cycle_at + timedelta(seconds=draw(st.sampled_from([1, 20, 20, 40, -400])))
    markets: dict[MarketKey, Outcomes] = {}
    refused: set[MarketKey] = set()
    if status == "complete" or (status == "failed" and draw(st.booleans())):
        for market in MARKETS:
            match draw(st.sampled_from(["offered", "offered", "offered", "absent", "refused"])):
                case "offered":
                    markets[market] = draw(outcomes)
                case "refused":
                    refused.add(market)
    return Answer(slug, event, at, status, kickoffs[event], markets, refused)


@st.composite
def histories(draw: st.DrawFn) -> list[Cycle]:
    """A few cycles of two bookmakers and three events; the same cycle may come twice."""
    world = next(_worlds)
    slugs = [f"w{world}x{START:%f}{name}" for name in "ab"]
    kickoffs = {
        "e1": START + timedelta(days=2),
        "e2": START + timedelta(minutes=draw(st.integers(3, 25))),
        "e3": START + timedelta(minutes=draw(st.integers(3, 60))),
    }
    cycles: list[Cycle] = []
    for number in range(draw(st.integers(8, 12))):
        if cycles and draw(st.integers(0, 9)) == 0:
            cycles.append(cycles[-1])
            continue
        at = START + timedelta(minutes=5 * number)
        discoveries: dict[str, tuple[datetime, bool]] = {}
        said: list[Answer] = []
        for slug in slugs:
            kind = draw(st.sampled_from(["whole", "whole", "whole", "failed", "none"]))
            if kind != "none":
                discoveries[slug] = (at + timedelta(seconds=draw(st.sampled_from([0] * 9 + [-600]))), kind == "whole")
            said += [
                draw(answers(slug, event, at, kickoffs))
                for event in kickoffs
                if draw(st.sampled_from([True, True, True, False]))
            ]
        cycles.append(Cycle(at, discoveries, said))
    return cycles


def generated(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on so many histories. Not shrunk, which would take minutes on a database."""
    return settings(
        max_examples=examples,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


@generated(20)
@given(cycles=histories())
def test_current_and_history_are_what_the_rules_say_after_every_cycle(database: Database, cycles: list[Cycle]) -> None:
    """I1, I2, I3, I6, I7, I9; B-02, B-05 to B-08, B-10 to B-14, B-17, B-26, B-48 over generated cycles."""
    require_rules(database, cycles)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@generated(640)
@given(cycles=histories())
def test_thousands_of_cycles_follow_the_rules(database: Database, cycles: list[Cycle]) -> None:
    """The same over more than 5,000 cycles, at least 8 in each example."""
    require_rules(database, cycles)


def require_rules(database: Database, cycles: list[Cycle]) -> None:
    """Current and history are the plain model's after each cycle."""
    slugs = sorted(
        {answer.bookmaker for cycle in cycles for answer in cycle.answers}
        | set().union(*(c.discoveries for c in cycles))
    )
    for slug in slugs:
        register_bookmaker(database, slug)
    model = PlainModel()
    snapshots: list[tuple[datetime, int, dict[Any, Any]]] = []
    previous: Cycle | None = None
    for cycle in cycles:
        record = commit(database, cycle)
        rows_before = len(model.history)
        model.apply(cycle)
        assert stored_current(database, slugs) == expected_current(model)
        assert record.inserted_history == len(model.history) - rows_before
        if cycle is previous:
            assert record.inserted_history == 0, "the same cycle twice changes nothing the second time (I6)"
        previous = cycle
        snapshots.append((cycle.as_of, len(model.history), shown(model)))

    rows = stored_history(database, slugs)
    assert_no_row_repeats_the_one_before(rows)
    for moment, length, snapshot in snapshots:
        nothing_was_learnt_later = all(at > moment for _, _, at, _, _ in model.history[length:])
        if nothing_was_learnt_later:
            assert replayed(rows, moment) == snapshot
    assert rebuild_current(database).repaired == 0, "replaying history gives current (I1)"


def expected_current(model: PlainModel) -> dict[Any, Any]:
    """(bookmaker, event, market, line) to (outcomes, unavailable_at, last_updated_at, last_confirmed_at)."""
    expected: dict[Any, Any] = {}
    for (slug, event), listing in model.listings.items():
        for (market_id, line), market in listing.markets.items():
            if market.gone_at is None and market.own_sighting is None:
                confirmed = max(market.changed_at, listing.last_confirmed or market.changed_at)
            else:
                confirmed = market.own_sighting
            expected[slug, event, market_id, line] = (
                market.shown,
                market.gone_at,
                market.changed_at,
                confirmed,
            )
    return expected


def shown(model: PlainModel) -> dict[Any, Any]:
    """(bookmaker, event, market, line) to (outcomes, is available)."""
    return {
        (*listing_key, *market_key): (dict(market.shown), market.gone_at is None)
        for listing_key, listing in model.listings.items()
        for market_key, market in listing.markets.items()
    }


def stored_current(database: Database, slugs: list[str]) -> dict[Any, Any]:
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, outcomes, unavailable_at,
                   last_updated_at, last_confirmed_at
            FROM market_odds_current WHERE bookmaker_slug = ANY(%s)
            """,
            [slugs],
        ).fetchall()
    assert len({row[:4] for row in rows}) == len(rows)
    return {row[:4]: (as_outcomes(row[4]), *row[5:]) for row in rows}


def stored_history(database: Database, slugs: list[str]) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT bookmaker_slug, external_event_id, betpawa_market_id, line, captured_at, outcomes, unavailable_at
            FROM market_odds_history WHERE bookmaker_slug = ANY(%s) ORDER BY captured_at
            """,
            [slugs],
        ).fetchall()
    return [(row[:4], row[4], as_outcomes(row[5]), row[6] is None) for row in rows]


def as_outcomes(outcomes: list[dict[str, Any]]) -> Outcomes:
    return {
        o["key"]: (None if o["odds"] is None else Decimal(str(o["odds"])).quantize(Decimal("0.001")), o["is_active"])
        for o in outcomes
    }


def replayed(rows: list[tuple[Any, ...]], moment: datetime) -> dict[Any, Any]:
    return {key: (offered, available) for key, at, offered, available in rows if at <= moment}


def assert_no_row_repeats_the_one_before(rows: list[tuple[Any, ...]]) -> None:
    by_market: dict[Any, list[Any]] = defaultdict(list)
    for key, _, offered, available in rows:
        content = {name: odds if active else None for name, (odds, active) in offered.items()}
        by_market[key].append((content, available))
    for states in by_market.values():
        assert all(before != after for before, after in itertools.pairwise(states)), "I2"
