"""Comparing an earlier system with ours: two that look at different moments agree, a wrong price does not."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.legacy.changes import changes_of_day
from odds_pipeline.legacy.compare import Comparison, compare, compare_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.odds.answers import prepare
from odds_pipeline.odds.frames import coverage_frame
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, running
from odds_pipeline_tests.legacy.earlier_system import make_earlier_system
from odds_pipeline_tests.legacy.hand_made import at, change, changes

TOLERANCE = timedelta(minutes=10)


def compared(earlier: list[dict[str, object]], ours: list[dict[str, object]]) -> Comparison:
    day = date(2026, 2, 3)
    mine = changes(day, *ours).observations.drop("is_trusted", "distrust")
    return compare_day(day, changes(day, *earlier).observations, mine, tolerance=TOLERANCE)


def sides(found: Comparison) -> list[tuple[str, str, str]]:
    return found.differences.select("side", "earlier", "ours").rows()


def test_the_same_odds_seen_some_minutes_apart_agree() -> None:
    found = compared(
        [change(at(3, 10, 2), {"1": "1.85"}), change(at(3, 11, 2), {"1": "1.90", "2": None}), change(at(3, 12, 2), {})],
        [
            change(at(3, 10, 0), {"1": "1.85"}),
            change(at(3, 11, 5), {"2": None, "1": "1.900"}),
            change(at(3, 12, 5), {}),
        ],
    )
    assert (found.earlier_rows, found.our_rows, found.differences.height) == (3, 3, 0)


def test_a_price_that_the_other_never_showed_is_listed_with_both_sides() -> None:
    found = compared(
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.95"})],
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.90"})],
    )
    assert sides(found) == [
        ("earlier", "1 1.950", "1 1.900"),
        ("ours", "1 1.950", "1 1.900"),
    ]


def test_a_change_that_came_too_late_is_a_difference() -> None:
    found = compared(
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.95"}), change(at(3, 13), {"1": "2.00"})],
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 11, 30), {"1": "1.95"}), change(at(3, 13), {"1": "2.00"})],
    )
    assert sides(found) == [("earlier", "1 1.950", "1 1.850")]


def test_a_state_from_before_the_day_bears_out_a_row_of_it() -> None:
    found = compared(
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.90"})],
        [change(at(1, 10), {"1": "1.85"}), change(at(3, 11), {"1": "1.90"})],
    )
    assert (found.our_rows, found.differences.height) == (1, 0)


def test_a_market_that_ours_lacks_is_a_difference_and_one_that_only_ours_stores_is_not() -> None:
    found = compared(
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 10), {"h": "2.0"}, market=("5000", None))],
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 10), {"h": "2.0"}, market=("betpawa:9", None))],
    )
    assert sides(found) == [("earlier", "h 2.000", "nothing")]
    assert found.not_compared == 1


def test_untrusted_markets_are_not_compared() -> None:
    found = compared(
        [
            change(at(3, 10), {"1": "1.85"}, distrust="wrong places"),
            change(at(3, 10), {"h": "2"}, market=("5000", None)),
        ],
        [change(at(3, 10), {"1": "3.85"}), change(at(3, 10), {"h": "2"}, market=("5000", None))],
    )
    assert (found.earlier_rows, found.our_rows, found.differences.height) == (1, 1, 0)
    assert found.not_compared == 2


def test_only_the_time_in_which_both_were_at_work_is_compared() -> None:
    found = compared(
        [change(at(3, 8), {"1": "1.50"}), change(at(3, 10), {"1": "1.85"}), change(at(3, 12), {"1": "1.90"})],
        [change(at(3, 10), {"1": "1.85"}), change(at(3, 12), {"1": "1.90"}), change(at(3, 18), {"1": "2.50"})],
    )
    assert (found.earlier_rows, found.our_rows, found.not_compared) == (2, 2, 2)
    assert found.differences.height == 0


def test_lines_are_told_apart_and_no_line_is_not_line_0() -> None:
    over = change(at(3, 10), {"over": "1.85"}, market=("5000", None))
    found = compared([over], [over | {"line": pl.Series([0]).cast(pl.Decimal(10, 3))[0]}])
    assert [side for side, *_ in sides(found)] == ["earlier"]


def test_two_systems_that_saw_the_same_agree_row_by_row(database: Database) -> None:
    """What the earlier system saw, seen by our own pipeline at the same moments."""
    with database.connect() as connection:
        make_earlier_system(connection, schema="earlier", events=1, days=1, interval=timedelta(hours=4))
    source = LegacySource(database, "earlier")
    days = source.days()
    observed = pl.concat([changes_of_day(source, day).observations for day in days]).select(*OBSERVATION_SCHEMA)
    for (moment,), rows in observed.group_by("captured_at", maintain_order=True):
        run_id = running(database, moment)
        answers = prepare(rows.lazy(), coverage_frame([]), cycle_at=moment, is_delta=True)
        write_cycle(database, archive_of(database), answers, run_id=run_id, settings=SETTINGS, now=moment)
    found = list(compare(database, archive_of(database), source, days[0], days[-1], tolerance=timedelta(0)))
    assert sum(day.earlier_rows for day in found) > 50
    assert [day.differences.rows() for day in found] == [[]] * len(days)
