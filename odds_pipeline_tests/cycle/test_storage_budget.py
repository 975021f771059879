"""R15, scaled down: what a day of cycles through Dagster leaves on the disk at scale S, all in, as a pass or a fail.

A few cycles on the simulator, with a quarter of the markets of S, whose prices move as at S. Three numbers of S are put
in for those of the test, and nothing else is assumed:

- History, runs and what cycles leave in the archive grow by history rows. Parts that do not grow with the markets (a
  run's row, footers of files, half-empty pages) are scaled with the rest, which makes the day larger than it is.
- The state that a day begins with, and the room that current and the words take, grow by markets, once.
- Dagster's tables grow by cycles: a run's events do not depend on its markets. Nothing is pruned.

First sightings happen once in a market's life: their rows are no part of a day's. The changes at S are 5 % of its
markets in each cycle, times the rows that the pipeline stores for a market that differs from the cycle before.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.opening import ensure_states
from odds_pipeline_tests.dagster_fixtures import Pipeline

EVENTS = 24
CYCLES = 5
CYCLES_A_DAY = 288
MARKETS = 25_000
MOVING_PERCENT = 5

LARGEST_GROWTH = 360_000
LEAST_SAVING = 0.95
LIMIT_BYTES = 200_000_000

#: Tables of what there is, whatever becomes of it: their room is used again.
HELD = ("current_odds", "markets", "listing_state", "events", "event_bookmakers", "outcome_sets", "market_sources")


class Sizes(NamedTuple):
    """Bytes that are kept, tables with their indexes and TOAST, by what they grow with."""

    by_rows: int
    by_markets: int
    by_cycles: int


@pytest.mark.parametrize("pipeline", [EVENTS], indirect=True)
def test_a_day_at_scale_s_has_a_twentieth_of_the_rows_of_snapshots_and_less_than_200_megabytes(
    pipeline: Pipeline,
) -> None:
    """R15, B-05."""
    assert pipeline.cycle().success
    before, known, rows_before = sizes(pipeline), current(pipeline), history_rows(pipeline)
    differing = first_sightings = snapshot_rows = 0
    for _ in range(CYCLES):
        pipeline.advance()
        assert pipeline.cycle().success
        now = current(pipeline)
        differing += sum(now[market] != state for market, state in known.items())
        first_sightings += len(now.keys() - known.keys())
        snapshot_rows += sum(is_available for _, is_available in now.values())
        known = now
    archive = Archive.from_settings(pipeline.settings)
    assert ensure_states(pipeline.database, archive, pipeline.clock.now().date() + timedelta(days=1))
    gained = Sizes(*(later - earlier for earlier, later in zip(before, sizes(pipeline), strict=True)))
    assert 0.04 < differing / snapshot_rows < 0.06, "not the movement that the scale stands for"

    rows = history_rows(pipeline) - rows_before
    changes = rows - first_sightings
    snapshots_a_day = MARKETS * CYCLES_A_DAY
    changes_a_day = snapshots_a_day * MOVING_PERCENT / 100 * changes / differing
    assert changes_a_day <= LARGEST_GROWTH
    assert 1 - changes_a_day / snapshots_a_day >= LEAST_SAVING

    assert min(gained) > 0
    day = (
        gained.by_rows / rows * changes_a_day
        + gained.by_markets / len(known) * MARKETS
        + gained.by_cycles / CYCLES * CYCLES_A_DAY
    )
    assert day < LIMIT_BYTES


def current(pipeline: Pipeline) -> dict[int, tuple[Any, bool]]:
    """Each market's outcomes, and whether it is available, as readers see them."""
    rows = pipeline.rows("SELECT market_id, outcomes, unavailable_at IS NULL FROM market_odds_current")
    return {market_id: (outcomes, is_available) for market_id, outcomes, is_available in rows}


def history_rows(pipeline: Pipeline) -> int:
    # Of the listings that readers see, as current is.
    ((count,),) = pipeline.rows("SELECT count(*) FROM market_odds_history")
    return count


def sizes(pipeline: Pipeline) -> Sizes:
    ((states, cycles),) = pipeline.rows(
        """
        SELECT coalesce(sum(bytes) FILTER (WHERE kind = 'state'), 0)::bigint,
               coalesce(sum(bytes) FILTER (WHERE kind <> 'state'), 0)::bigint
        FROM archive_files
        """
    )
    odds = tables(pipeline.database)
    held = sum(odds.pop(name) for name in HELD)
    return Sizes(sum(odds.values()) + cycles, held + states, sum(tables(pipeline.dagster_database).values()))


def tables(database: Database) -> dict[str, int]:
    with database.connect(autocommit=True) as connection:
        # As autovacuum does within minutes: else the room of rewritten rows would not be used again here.
        connection.execute("VACUUM ANALYZE")
        rows = connection.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return dict(rows.fetchall())
