"""Attack: a whole day of cycles with everything that a day brings, after which nothing is wrong and nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.attacks.day_of_cycles import A_DAY, PERIOD, DayOfCycles, Weight
from odds_pipeline_tests.attacks.rounds import told
from odds_pipeline_tests.database.reading import query

SEED = 605
MIDNIGHT = datetime(2030, 3, 3, tzinfo=UTC)


def test_a_few_cycles_over_midnight_with_faults_retention_and_a_rebuild(database: Database, tmp_path: Path):
    live(database, tmp_path, events=6, cycles_before_midnight=5, cycles_after=5, check_every=6)


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_a_day_of_288_cycles_leaves_nothing_wrong_and_nothing_behind(database: Database, tmp_path: Path):
    day = live(database, tmp_path, events=40, cycles_before_midnight=144, cycles_after=144, check_every=48)
    assert_flat([weight.memory for weight in day.weights])


def live(
    database: Database,
    tmp_path: Path,
    *,
    events: int,
    cycles_before_midnight: int,
    cycles_after: int,
    check_every: int,
) -> DayOfCycles:
    """Yesterday's one cycle, then the day; retention soon after midnight, the rebuild in the middle of what is left."""
    start = MIDNIGHT - cycles_before_midnight * PERIOD
    retained_at = cycles_before_midnight + cycles_after // 4
    rebuilt_at = cycles_before_midnight + cycles_after // 2
    cycles = cycles_before_midnight + cycles_after
    with DayOfCycles(database, tmp_path, start=start - A_DAY, events=events, seed=SEED) as day:
        day.cycle(faults=False)
        day.advance(A_DAY // PERIOD - 1)
        for number in range(cycles):
            with told(SEED, number, f"a cycle at {day.clock.now()}"):
                day.cycle()
                if number == retained_at:
                    retired = day.retain().retired
                    assert [each.day for each in retired] == [(MIDNIGHT - 2 * A_DAY).date()]
                if number == rebuilt_at:
                    rebuilt = day.rebuild((MIDNIGHT - A_DAY).date(), MIDNIGHT.date())
                    assert [(each.added, each.removed, each.replaced) for each in rebuilt] == [(0, 0, 0)] * 2
                if number % check_every == check_every - 1 or number == cycles - 1:
                    day.assert_invariants_hold()
                    day.remember()
        assert_nothing_leaked(day.weights)
        assert_faults_and_kickoffs_came(day)
        print(f"seed {SEED}: {dict(day.counted)}, {dict(day.statuses)}; {day.weights[len(day.weights) // 4]} at the")
        print(f"end of the first quarter, {day.weights[-1]} at the end")
    return day


def assert_nothing_leaked(weights: Sequence[Weight]) -> None:
    """The last cycles hold no more files, threads and connections than early ones.

    Middle ones of each: the sessions of a process that has just ended may still be there.
    """
    quarter = len(weights) // 4
    early, late = weights[quarter : 2 * quarter], weights[-quarter:]
    for name in ("files", "threads", "connections"):
        before, after = (median(getattr(each, name) for each in part) for part in (early, late))
        assert after <= before, f"{name}: {before} early, {after} late"


def assert_flat(memory: Sequence[int]) -> None:
    """After the first quarter of the day memory grows by less than a twentieth, whatever line is laid through it."""
    settled = memory[len(memory) // 4 :]
    third = len(settled) // 3
    early, late = median(settled[:third]), median(settled[-third:])
    assert late < 1.05 * early, f"{early / 1e6:.0f} MB early, {late / 1e6:.0f} MB late"


def assert_faults_and_kickoffs_came(day: DayOfCycles) -> None:
    assert day.counted["events failed"] > 0
    assert day.counted["retries"] > 0
    ((kicked_off,),) = query(
        day.database,
        "SELECT count(*) FROM events WHERE kickoff BETWEEN %s AND %s",
        [MIDNIGHT - A_DAY, day.clock.now()],
    )
    assert kicked_off > 0, "no match began in the day"
