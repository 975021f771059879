"""Replaying observation files: the public contract, through the same writer as a live cycle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.listings import UnknownBookmaker
from odds_pipeline.odds.frames import SchemaMismatch
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.replaying import NothingToReplay, ReplaySummary, replay
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, coverage, observations
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=2)
WINNER: MarketKey = ("3743", None)
TOTAL: MarketKey = ("5000", None)


def cycle(minutes: int, *events: tuple[str, str, dict[MarketKey, dict[str, str | None]]]) -> Cycle:
    at = NOON + timedelta(minutes=minutes)
    return Cycle(at, {}, [answer(slug, event, at, markets, kickoff=LATER) for slug, event, markets in events])


def write(path: Path, *cycles: Cycle) -> Path:
    pl.concat([observations(each) for each in cycles]).write_parquet(path)
    return path


def replayed(database: Database, path: Path, *, complete: bool = False, new_bookmakers: bool = False) -> ReplaySummary:
    return replay(
        database, archive_of(database), path, settings=Settings(), complete=complete, new_bookmakers=new_bookmakers
    )


def availability(database: Database) -> dict[tuple[str, str, str], bool]:
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT bookmaker_slug, external_event_id, betpawa_market_id, unavailable_at IS NULL FROM market_odds_current
            """
        ).fetchall()
    return {(slug, event, market): available for slug, event, market, available in rows}


def test_a_market_missing_from_an_event_is_gone_but_a_missing_event_proves_nothing(
    database: Database, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "a.parquet",
        cycle(
            0, ("betpawa", "1", {WINNER: {"1": "2.0"}, TOTAL: {"o": "1.9"}}), ("betpawa", "2", {WINNER: {"1": "3.0"}})
        ),
        cycle(5, ("betpawa", "1", {WINNER: {"1": "2.0"}})),
    )
    summary = replayed(database, file)
    assert (summary.cycles, summary.new, summary.unavailable) == (2, 3, 1)
    assert availability(database) == {
        ("betpawa", "1", "3743"): True,
        ("betpawa", "1", "5000"): False,
        ("betpawa", "2", "3743"): True,
    }


def test_complete_says_that_an_event_absent_from_a_covered_offer_is_gone(database: Database, tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.parquet",
        cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}}), ("bet9ja", "2", {WINNER: {"1": "3.0"}})),
        cycle(5, ("betpawa", "3", {WINNER: {"1": "2.0"}})),
    )
    replayed(database, file, complete=True)
    assert availability(database) == {
        ("betpawa", "1", "3743"): False,
        ("betpawa", "3", "3743"): True,
        ("bet9ja", "2", "3743"): True,
    }


def test_files_whose_cycles_overlap_are_applied_together_in_time_order(database: Database, tmp_path: Path) -> None:
    for slug in ("betpawa", "sportybet"):
        write(
            tmp_path / f"{slug}.parquet",
            cycle(0, (slug, "1", {WINNER: {"1": "2.0"}})),
            cycle(5, (slug, "1", {WINNER: {"1": "2.1"}})),
        )
    summary = replayed(database, tmp_path)
    assert (summary.cycles, summary.new, summary.changed) == (2, 2, 2)


def test_replaying_the_same_file_again_stores_nothing_twice(database: Database, tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.parquet",
        cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}})),
        cycle(5, ("betpawa", "1", {WINNER: {"1": "2.1"}})),
    )
    assert replayed(database, file).history_rows == 2
    again = replayed(database, file)
    assert (again.history_rows, again.late) == (0, 1)


def test_beside_coverage_a_file_holds_only_what_changed_and_what_it_lacks_is_not_gone(
    database: Database, tmp_path: Path
) -> None:
    first = cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}, TOTAL: {"o": "1.9"}}))
    second = cycle(5, ("betpawa", "1", {WINNER: {"1": "2.1"}}))
    third = cycle(10, ("betpawa", "1", {TOTAL: {}}))
    for number, each in enumerate((first, second, third)):
        file = write(tmp_path / f"{number}.parquet", each)
        coverage(each).write_parquet(file.with_suffix(".coverage.parquet"))
    summary = replayed(database, tmp_path)
    assert (summary.new, summary.changed, summary.unavailable, summary.refused) == (2, 1, 1, 0)
    assert availability(database) == {("betpawa", "1", "3743"): True, ("betpawa", "1", "5000"): False}


def test_an_unknown_bookmaker_is_named_unless_it_may_be_created(database: Database, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", cycle(0, ("pinnacle", "1", {WINNER: {"1": "2.0"}})))
    with pytest.raises(UnknownBookmaker, match=r"pinnacle.*--new-bookmakers"):
        replayed(database, file)
    assert replayed(database, file, new_bookmakers=True).new == 1


def test_columns_with_other_units_or_untyped_nulls_are_read(database: Database, tmp_path: Path) -> None:
    rows = observations(cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}})))
    rows.with_columns(
        captured_at=pl.lit(None), market_groups=pl.lit(None), cycle_at=pl.col("cycle_at").dt.cast_time_unit("ms")
    ).write_parquet(tmp_path / "a.parquet")
    assert replayed(database, tmp_path / "a.parquet").new == 1


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (pl.DataFrame({"cycle_at": [NOON]}), "bookmaker: expected String, got no such column"),
        (pl.DataFrame({"a": [1]}), "not an observation file"),
        (pl.DataFrame(schema=dict(OBSERVATION_SCHEMA)), "holds no rows"),
    ],
)
def test_a_file_that_breaks_the_contract_is_refused_by_name_and_stores_nothing(
    database: Database, tmp_path: Path, broken: pl.DataFrame, complaint: str
) -> None:
    broken.write_parquet(tmp_path / "broken.parquet")
    with pytest.raises((SchemaMismatch, NothingToReplay), match=rf"broken\.parquet.*{complaint}"):
        replayed(database, tmp_path / "broken.parquet")
    assert availability(database) == {}


def test_a_path_without_observation_files_is_an_error(database: Database, tmp_path: Path) -> None:
    with pytest.raises(NothingToReplay, match="holds no observation file"):
        replayed(database, tmp_path)
    with pytest.raises(NothingToReplay, match="does not exist"):
        replayed(database, tmp_path / "nowhere.parquet")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cycle_at", None),
        ("bookmaker", None),
        ("external_event_id", None),
        ("external_event_id", ""),
        ("external_event_id", "a\0b"),
        ("tournament", "x" * 2_000),
        ("captured_at", datetime(9999, 12, 31, tzinfo=UTC)),
        ("kickoff", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_values_that_belong_to_no_cycle_are_refused_by_column_before_anything_is_stored(
    database: Database, tmp_path: Path, column: str, value: object
) -> None:
    good = observations(cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}})))
    bad = good.with_columns(pl.lit(value, dtype=OBSERVATION_SCHEMA[column]).alias(column))
    pl.concat([good, bad]).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(SchemaMismatch, match=rf"a\.parquet.*{column}: 1 rows"):
        replayed(database, tmp_path / "a.parquet", new_bookmakers=True)
    assert availability(database) == {}


@pytest.mark.parametrize("status", ["done", None])
def test_a_coverage_status_that_nobody_knows_is_refused(database: Database, tmp_path: Path, status: str | None) -> None:
    one = cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}}))
    write(tmp_path / "a.parquet", one)
    coverage(one).with_columns(status=pl.lit(status, dtype=pl.String)).write_parquet(tmp_path / "a.coverage.parquet")
    with pytest.raises(SchemaMismatch, match=r"a\.coverage\.parquet.*status: 1 rows"):
        replayed(database, tmp_path / "a.parquet")


def test_coverage_that_does_not_say_when_is_of_its_cycle(database: Database, tmp_path: Path) -> None:
    one = cycle(0, ("betpawa", "1", {}))
    write(tmp_path / "a.parquet", cycle(0, ("betpawa", "2", {WINNER: {"1": "2.0"}})))
    coverage(one).with_columns(captured_at=pl.lit(None)).write_parquet(tmp_path / "a.coverage.parquet")
    replayed(database, tmp_path / "a.parquet")
    with database.connect() as connection:
        rows = connection.execute("SELECT last_answer_at FROM listing_state").fetchall()
    assert rows == [(NOON,), (NOON,)]


def test_files_that_hold_only_changes_are_not_called_complete(database: Database, tmp_path: Path) -> None:
    """B-13: an event whose markets all stayed as they were is in the coverage alone; it would seem to be gone."""
    one = cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}}))
    write(tmp_path / "a.parquet", one)
    coverage(one).write_parquet(tmp_path / "a.coverage.parquet")
    with pytest.raises(SchemaMismatch, match="--complete is for files without"):
        replayed(database, tmp_path / "a.parquet", complete=True)
    assert availability(database) == {}


def test_a_cycle_that_cannot_be_replayed_closes_its_run_as_failed(database: Database, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", cycle(0, ("nobody", "1", {WINNER: {"1": "2.0"}})))
    with pytest.raises(UnknownBookmaker):
        replayed(database, file)
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT status, error_type FROM scrape_runs LEFT JOIN scrape_errors ON scrape_run_id = scrape_runs.id"
        ).fetchall()
    assert rows == [("failed", "unknown_bookmaker")]


def test_the_run_of_an_old_cycle_that_is_being_replayed_shows_life(database: Database, tmp_path: Path) -> None:
    """B-45: the watchdog goes by real time, not by that of the files."""
    file = write(tmp_path / "a.parquet", cycle(0, ("betpawa", "1", {WINNER: {"1": "2.0"}})))
    now = NOON + timedelta(days=200)
    replay(database, archive_of(database), file, settings=Settings(), clock=ManualClock(now))
    with database.connect() as connection:
        rows = connection.execute("SELECT heartbeat_at, cycle_at FROM scrape_runs").fetchall()
    assert rows == [(now, NOON)]
