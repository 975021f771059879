"""Staging files: written batch by batch, whole or not there, swept when no run needs them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from odds_pipeline.odds.frames import coverage_frame, discovery_row, observations_frame
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA, AnswerStatus
from odds_pipeline.scrape.staging import Staging, sweep

NOON = datetime(2030, 3, 2, 12, 0, tzinfo=UTC)


def coverage() -> pl.DataFrame:
    row = discovery_row("betpawa", cycle_at=NOON, captured_at=NOON, run_id=1, status=AnswerStatus.COMPLETE)
    return coverage_frame([row])


def observation() -> pl.DataFrame:
    empty = observations_frame([], cycle_at=NOON)
    outcome = {"key": "3744", "name": "1", "odds": Decimal("2.350"), "is_active": True}
    values = dict.fromkeys(OBSERVATION_SCHEMA) | {
        "cycle_at": NOON,
        "captured_at": NOON,
        "bookmaker": "betpawa",
        "betpawa_market_id": "3743",
        "line": Decimal("-0.250"),
        "outcomes": [outcome],
        "market_groups": ["popular"],
    }
    return pl.DataFrame([values], schema=empty.schema)


def stage(staging: Staging, *frames: pl.DataFrame) -> None:
    with staging.write("betpawa") as staged:
        for frame in frames:
            staged.add_observations(frame)
        staged.add_coverage(coverage())


def test_what_is_written_in_batches_is_read_back_as_one_frame_of_the_contract(tmp_path: Path) -> None:
    staging = Staging(tmp_path, 1)
    stage(staging, observation(), observation())
    read = staging.scan_observations("betpawa").collect()
    assert read.equals(pl.concat([observation(), observation()]))
    assert dict(read.schema) == dict(OBSERVATION_SCHEMA)
    assert dict(staging.read_coverage("betpawa").schema) == dict(COVERAGE_SCHEMA)
    assert staging.bookmakers() == ["betpawa"]


def test_a_bookmaker_without_observations_has_an_empty_file_of_the_contract(tmp_path: Path) -> None:
    staging = Staging(tmp_path, 1)
    stage(staging, observations_frame([], cycle_at=NOON))
    assert dict(staging.scan_observations("betpawa").collect().schema) == dict(OBSERVATION_SCHEMA)


def test_files_have_their_names_only_when_they_are_whole(tmp_path: Path) -> None:
    staging = Staging(tmp_path, 1)
    with staging.write("betpawa") as staged:
        staged.add_observations(observation())
        staged.add_coverage(coverage())
        assert staging.bookmakers() == []
        with pytest.raises(FileNotFoundError):
            staging.scan_observations("betpawa")
    assert staging.bookmakers() == ["betpawa"]


def test_a_write_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    staging = Staging(tmp_path, 1)
    stage(staging, observation())

    def break_off() -> None:
        with staging.write("betpawa") as staged:
            staged.add_observations(observation())
            raise RuntimeError("broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        break_off()
    assert list(staging.folder.iterdir()) == []


def test_what_was_not_staged_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run 1 staged nothing of bet9ja"):
        Staging(tmp_path, 1).read_coverage("bet9ja")
    assert Staging(tmp_path, 1).bookmakers() == []


@pytest.mark.parametrize("slug", ["../betpawa", "", "a/b", "A"])
def test_a_slug_cannot_leave_the_folder(tmp_path: Path, slug: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        Staging(tmp_path, 1).write(slug)


def test_remove_deletes_one_run_and_sweep_all_but_those_kept(tmp_path: Path) -> None:
    for run_id in (1, 2, 3, 4):
        stage(Staging(tmp_path, run_id), observation())
    (tmp_path / "not a run").mkdir()
    Staging(tmp_path, 4).remove()
    Staging(tmp_path, 4).remove()
    assert sweep(tmp_path, keep={2}) == [1, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "not a run"]


def test_sweeping_a_place_that_does_not_exist_finds_nothing(tmp_path: Path) -> None:
    assert sweep(tmp_path / "nowhere") == []
