"""How files are laid out: whole row groups, the order of their rows, and what other readers make of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from odds_pipeline.archive.observations import CycleFiles
from odds_pipeline.archive.pending import Layout
from odds_pipeline.archive.store import Archive
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SCHEMA = {"market_id": pl.Int32}


def numbers(*wanted: int) -> pl.DataFrame:
    return pl.DataFrame({"market_id": wanted}, schema=SCHEMA)


def row_groups(path: Path) -> list[int]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def test_rows_that_come_in_pieces_fill_row_groups(tmp_path: Path) -> None:
    with Archive(tmp_path).begin("f", "a", SCHEMA, Layout(row_group_rows=4)) as pending:
        for piece in ((1,), (2, 3), (), (4, 5, 6, 7, 8, 9), (10,)):
            pending.append(numbers(*piece))
        assert pending.finish().rows == 10
    assert row_groups(tmp_path / "f/a") == [4, 4, 2]
    assert pl.read_parquet(tmp_path / "f/a")["market_id"].to_list() == list(range(1, 11))


def test_rows_of_a_row_group_are_sorted_and_no_row_leaves_it(tmp_path: Path) -> None:
    with Archive(tmp_path).begin("f", "a", SCHEMA, Layout(row_group_rows=3, sorted_by=("market_id",))) as pending:
        pending.append(numbers(9, 1, 5))
        pending.append(numbers(4, 2))
        pending.finish()
    assert pl.read_parquet(tmp_path / "f/a")["market_id"].to_list() == [1, 5, 9, 2, 4]


def test_a_cycle_of_several_pieces_is_one_row_group(tmp_path: Path) -> None:
    with CycleFiles(Archive(tmp_path), cycle_at=MOMENT, run_id=7).observations() as pending:
        pending.append(observations())
        pending.append(observations().with_columns(outcomes=pl.lit([], dtype=OBSERVATION_SCHEMA["outcomes"])))
        path = tmp_path / pending.finish().path
    assert row_groups(path) == [4]


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
def test_other_readers_find_observations_and_coverage_as_they_were_written(tmp_path: Path, reader: str) -> None:
    files = CycleFiles(Archive(tmp_path), cycle_at=MOMENT, run_id=7)
    with files.observations() as pending:
        pending.append(observations())
        observed = tmp_path / pending.finish().path
    covered = tmp_path / files.write_coverage(coverage()).path
    for path, written in ((observed, observations()), (covered, coverage())):
        assert read(path, reader) == written.sort("external_event_id").to_dicts()


def read(path: Path, reader: str) -> list[dict[str, Any]]:
    if reader == "polars":
        return pl.read_parquet(path).sort("external_event_id").to_dicts()
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    rows = connection.sql(
        "SELECT * FROM read_parquet(?, hive_partitioning = false) ORDER BY external_event_id", params=[str(path)]
    )
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def observations() -> pl.DataFrame:
    """Two rows with all that a row may lack."""
    words = dict.fromkeys(("bookmaker", "sport", "country", "tournament", "home_team", "away_team"), "Ä")
    market = {"betpawa_market_id": "5000", "betpawa_market_name": "Total", "cycle_at": MOMENT, "captured_at": MOMENT}
    outcomes = [
        {"key": "1", "name": "Over", "odds": Decimal("1.857"), "is_active": True},
        {"key": "2", "name": "Under", "odds": None, "is_active": False},
        {"key": "3", "name": "Far", "odds": Decimal("999999.999"), "is_active": True},
    ]
    rows = [
        words | market | {"external_event_id": "8", "line": Decimal("-0.25"), "outcomes": outcomes},
        words | market | {"external_event_id": "7", "outcomes": []},
    ]
    return pl.DataFrame(
        [{name: row.get(name) for name in OBSERVATION_SCHEMA} for row in rows], schema=OBSERVATION_SCHEMA
    )


def coverage() -> pl.DataFrame:
    refused = [{"betpawa_market_id": "5000", "line": None, "reason": "bad"}]
    rows = [
        {"cycle_at": MOMENT, "run_id": 7, "bookmaker": "kickbet", "external_event_id": "7", "status": "complete"},
        {
            "cycle_at": MOMENT,
            "bookmaker": "kickbet",
            "external_event_id": "8",
            "refused": refused,
            "outcomes_stored": 3,
        },
    ]
    return frame(rows, COVERAGE_SCHEMA)


def frame(rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
