"""Folding markets anew: rows put before or among theirs become one timeline with them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from odds_pipeline.database.history import midnight
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days.opening import ensure_states, opening_state
from odds_pipeline.days.refold import refold
from odds_pipeline.odds.packed import OutcomeStatus, pack, unpack
from odds_pipeline_tests.database.by_hand import history_by_hand, insert_changes
from odds_pipeline_tests.days.live_days import Lived, Row, current_rows, history_rows, lived_through


@pytest.fixture(scope="module")
def template(shared_migrated_database: str) -> Iterator[Lived]:
    with lived_through(shared_migrated_database, seed=5) as lived:
        ensure_states(lived.database, lived.archive, lived.days[-1])
        yield lived


def refolded(lived: Lived, since: int) -> list[tuple[int, ...]]:
    """Refold every market from a day on; (added, removed, replaced) of each day that changed."""
    with lived.database.connect() as connection:
        take_writer_lock(connection)
        ids = [market_id for (market_id,) in connection.execute("SELECT id FROM markets ORDER BY id")]
        done = refold(connection, lived.database, lived.archive, ids, lived.days[since])
    return [tuple(day[1:]) for day in done]


@pytest.mark.parametrize("since", [0, 2])
def test_rows_that_the_writer_wrote_are_left_alone(lived: Lived, since: int) -> None:
    before, current = history_rows(lived.database), current_rows(lived.database)
    assert refolded(lived, since) == []
    assert history_rows(lived.database) == before
    assert current_rows(lived.database) == current


@pytest.mark.parametrize("seed", range(5))
def test_older_rows_and_those_after_them_become_one_timeline(lived: Lived, seed: int) -> None:
    """I1, I2, and the last prices of suspended outcomes are carried across the seam."""
    draw = random.Random(seed)
    imported = insert_older_rows(lived, draw)
    refolded(lived, 0)
    rows = history_rows(lived.database)
    by_market: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_market[row[0]].append(row)
    for timeline in by_market.values():
        prices: dict[int, int] = {}
        for _, _, _, state in timeline:
            for place, outcome in enumerate(unpack(state).outcomes):
                if outcome.status is OutcomeStatus.ACTIVE:
                    prices[place] = outcome.price
                assert outcome.price == prices.get(place, 0)
        assert all(before[3] != after[3] for before, after in pairwise(timeline)), "I2"
    assert {row[:2] for row in rows if row[2] == 0} == {row[:2] for row in imported}
    assert rebuild_current(lived.database).repaired == 0, "I1"
    assert refolded(lived, 0) == []
    state = opening_state(lived.database, lived.archive, lived.days[-1])
    expected = {row[0]: row for row in rows if row[1] < midnight(lived.days[-1])}
    assert {row[0]: row for row in state.rows()} == expected


def test_a_row_that_repeats_the_one_put_before_it_goes(lived: Lived) -> None:
    first_row = next(row for row in history_rows(lived.database) if row[1] >= midnight(lived.days[0]))
    older = first_row[1] - timedelta(seconds=1)
    with lived.database.connect() as connection:
        insert_changes(connection, [(older, first_row[0], 0, first_row[3])])
    assert refolded(lived, 0) == [(0, 1, 0)]
    assert history_rows(lived.database)[0] == (first_row[0], older, 0, first_row[3])


def test_current_follows_when_the_last_row_changes(lived: Lived) -> None:
    """A market of one row, whose suspended outcome turns out to have had a price."""
    rows = history_rows(lived.database)
    market_id, captured_at, _, _ = rows[0]
    suspended = pack([(OutcomeStatus.ACTIVE, 2_000), (OutcomeStatus.INACTIVE, 0)])
    older = pack([(OutcomeStatus.ACTIVE, 1_900), (OutcomeStatus.ACTIVE, 3_000)])
    with lived.database.connect() as connection:
        with history_by_hand(connection):
            connection.execute("DELETE FROM by_hand WHERE market_id = %s", [market_id])
        connection.execute(
            "UPDATE current_odds SET captured_at = %s, state = %s WHERE market_id = %s",
            [captured_at, suspended, market_id],
        )
        before = captured_at - timedelta(seconds=1)
        insert_changes(connection, [(captured_at, market_id, 0, suspended), (before, market_id, 0, older)])
    assert refolded(lived, 0) == [(0, 0, 1)]
    with lived.database.connect() as connection:
        row = connection.execute(
            "SELECT captured_at, state FROM current_odds WHERE market_id = %s", [market_id]
        ).fetchone()
    assert row == (captured_at, pack([(OutcomeStatus.ACTIVE, 2_000), (OutcomeStatus.INACTIVE, 3_000)]))


def insert_older_rows(lived: Lived, draw: random.Random) -> list[Row]:
    """Rows of the first day before those of half of the markets; no two in a row offer the same."""
    firsts: dict[int, Row] = {}
    for row in history_rows(lived.database):
        firsts.setdefault(row[0], row)
    inserted: list[Row] = []
    with lived.database.connect() as connection:
        for market_id, captured_at, _, _ in firsts.values():
            if draw.random() < 0.5 or captured_at.date() != lived.days[0]:
                continue
            for number in range(draw.randint(1, 3)):
                outcomes = [(OutcomeStatus.ACTIVE, draw.randint(101, 200) * 1_000 + number)]
                row = (market_id, midnight(lived.days[0]) + timedelta(seconds=number), 0, pack(outcomes))
                inserted.append(row)
        insert_changes(connection, [(at, market_id, run_id, state) for market_id, at, run_id, state in inserted])
        connection.execute(
            "UPDATE archive_files SET stale_from = %s WHERE kind = 'state' AND first_day > %s",
            [lived.days[0], lived.days[0]],
        )
    return inserted
