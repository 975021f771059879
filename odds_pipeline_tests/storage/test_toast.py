"""What values out of line need, and what of their table is empty, against what rewriting it gives back."""

from __future__ import annotations

from typing import LiteralString

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile, Table
from odds_pipeline.storage.opportunities.afterwards import bytes_of_column
from odds_pipeline_tests.storage.carrying_out import TOLERANCE, saved_by
from odds_pipeline_tests.storage.profiling import NOW, execute, profiled

# Chunks of TOAST are of 2 kB: of a value of 6.2 kB three, and the fourth leaves a rest of its page that none fits in.
_SNAPSHOTS = """
    CREATE TABLE odds_snapshots (
        id int PRIMARY KEY, bookmaker_slug text NOT NULL, captured_at timestamptz NOT NULL, raw_response text
    ) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)
"""
_FILL = """
    INSERT INTO odds_snapshots
    SELECT n, 'betpawa', '2026-11-21 12:00Z'::timestamptz - (2400 - n) * interval '12 minutes',
           (SELECT left(string_agg(md5(random()::text || n || i), ''), 6200) FROM generate_series(1, 194) AS i)
    FROM generate_series(1, 2400) AS n
"""


@pytest.fixture
def snapshots(empty: Database) -> Database:
    """A database with 2,400 raw answers, each written once."""
    execute(empty, _SNAPSHOTS, _FILL, "VACUUM ANALYZE odds_snapshots")
    return empty


def table_of(database: Database) -> Table:
    table = profiled(database).table("odds_snapshots")
    assert table is not None
    return table


def judged(database: Database) -> Judgement:
    return judge(StorageProfile(NOW, (profiled(database),)), Settings())


def test_rests_of_pages_that_no_rewrite_gives_back_are_no_bloat(snapshots: Database) -> None:
    table = table_of(snapshots)
    assert table.toast_bytes > 1.25 * 2400 * 6200
    assert table.bloat_bytes is not None
    assert table.bloat_bytes < 0.01 * table.total_bytes


def test_a_column_takes_its_part_of_toast_with_all_that_is_stored_beside_its_values(snapshots: Database) -> None:
    table = table_of(snapshots)
    column = table.column("raw_response")
    assert column is not None
    assert column.bytes == pytest.approx(2400 * 6200, rel=0.01)
    assert bytes_of_column(table, "raw_response") == pytest.approx(table.toast_bytes, rel=0.01)
    assert bytes_of_column(table, "bookmaker_slug") == pytest.approx(2400 * 8, rel=0.01)


def test_advice_is_about_what_it_saves_itself(snapshots: Database) -> None:
    """The column of words has 19 kB."""
    found = {each.id: each.saving_bytes for each in judged(snapshots).opportunities}
    assert "normalize:odds_snapshots.bookmaker_slug" not in found
    assert found["retain:14 days"] == pytest.approx((20 - 14) / 20 * table_of(snapshots).total_bytes, rel=0.05)


@pytest.mark.parametrize("part", ["raw_response", "14 days"])
def test_what_advice_on_it_saves_is_what_doing_so_saves(snapshots: Database, part: str) -> None:
    advice = next(each for each in judged(snapshots).opportunities if each.id.endswith(part))
    assert advice.saving_bytes == pytest.approx(saved_by(_url(snapshots), advice), rel=TOLERANCE)


def test_empty_room_of_deleted_values_is_what_a_rewrite_gives_back_and_counts_once(snapshots: Database) -> None:
    whole = {each.id: each.saving_bytes for each in judged(snapshots).opportunities}
    execute(snapshots, "DELETE FROM odds_snapshots WHERE id % 3 <> 0", "VACUUM ANALYZE odds_snapshots")
    judgement = judged(snapshots)
    found = {each.id: each for each in judgement.opportunities}
    room = found["eliminate:odds_snapshots.bloat"]
    raw = found["eliminate:odds_snapshots.raw_response"]
    assert raw.saving_bytes == pytest.approx((whole[raw.id] or 0) / 3, rel=0.05)
    assert "of empty room as well" in raw.evidence
    assert sum(step.saving_bytes for step in judgement.plan.steps) <= table_of(snapshots).total_bytes
    assert room.saving_bytes == pytest.approx(saved_by(_url(snapshots), room), rel=0.05)


@pytest.mark.parametrize(
    "length", ["2100", "5000", "8100", "2100 + n % 1900", "2100 + n * 7919 % 28000", "46000 + n * 7919 % 9000"]
)
def test_values_of_any_length_that_were_written_once_leave_no_bloat(empty: Database, length: LiteralString) -> None:
    execute(
        empty,
        "CREATE TABLE odds_snapshots (id int, body text STORAGE EXTERNAL)",
        f"INSERT INTO odds_snapshots SELECT n, repeat('x', {length}) FROM generate_series(1, 500) AS n",
    )
    assert table_of(empty).bloat_bytes == 0


def test_several_short_values_that_are_too_long_for_a_row_together_leave_no_bloat(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE odds_snapshots (id int, one text STORAGE EXTERNAL, other text STORAGE EXTERNAL)",
        "INSERT INTO odds_snapshots SELECT n, repeat('x', 1500), repeat('y', 1200) FROM generate_series(1, 900) AS n",
    )
    table = table_of(empty)
    assert table.toast_bytes > 900 * 1500
    assert table.bloat_bytes == 0


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)
