"""The state archive: states of some markets are found by reading no more than the groups of rows that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow.dataset as ds
import pytest

from odds_pipeline.archive.states import read_state, write_state
from odds_pipeline.archive.store import Archive
from odds_pipeline.odds.replay import HISTORY_ROWS

DAY = date(2026, 11, 2)
MARKETS = 100_000

STATE = pl.DataFrame(
    {
        "market_id": pl.int_range(1, 2 * MARKETS, 2, eager=True),
        "captured_at": datetime(2026, 11, 1, 12, tzinfo=UTC),
        "run_id": 7,
        "state": b"\x00\x00\xfa",
    }
).select(pl.col(name).cast(kind) for name, kind in HISTORY_ROWS.items())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An archive's directory, and the file in it of a state of 100,000 markets with odd ids."""
    folder = tmp_path_factory.mktemp("archive")
    return folder, write_state(Archive(folder), DAY, STATE).path


@pytest.mark.parametrize(
    "market_ids",
    [[], [8], [7], [199_999, 1, 7, 7], [*range(5_000, 5_400)], [*range(120_000, 90, -333)], [*range(2 * MARKETS)]],
    ids=len,
)
def test_the_states_of_some_markets_are_theirs(written: tuple[Path, str], market_ids: Sequence[int]) -> None:
    folder, path = written
    expected = STATE.filter(pl.col("market_id").is_in(market_ids))
    assert read_state(Archive(folder), path, market_ids).equals(expected)


def test_the_markets_of_an_event_are_read_without_the_others(
    written: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = written
    asked = list[ds.Expression]()
    read = Archive.read

    def noted(archive: Archive, path: str, *, where: ds.Expression) -> pl.DataFrame:
        asked.append(where)
        return read(archive, path, where=where)

    monkeypatch.setattr(Archive, "read", noted)
    assert read_state(Archive(folder), path, [*range(301, 401), *range(190_001, 190_101)]).height == 100
    (fragment,) = ds.dataset(folder / path, format="parquet").get_fragments()
    assert isinstance(fragment, ds.ParquetFileFragment)
    assert [group.id for group in fragment.row_groups] == [0, 1, 2, 3]
    assert [group.id for group in fragment.subset(asked[0]).row_groups] == [0, 2]
