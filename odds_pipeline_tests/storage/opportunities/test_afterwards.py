"""What is left after advice: never less than nothing, never more than before, and nothing is saved twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.settings import Settings
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import Ages, Column, DatabaseProfile, Repeats, StorageProfile, Table
from odds_pipeline.storage.opportunities.afterwards import (
    compact,
    with_narrower_column,
    with_share,
    with_table,
    without_column,
    without_index,
    younger,
)
from odds_pipeline_tests.storage.hand_profiles import first_generation
from odds_pipeline_tests.storage.profile_parts import NOW, index

BYTES = st.integers(0, 30_000_000_000)


@st.composite
def columns(draw: st.DrawFn, rows: int) -> tuple[Column, ...]:
    """Columns of any size, which statistics may have wrong: larger than their table, too."""
    kinds = [("raw_response", "jsonb"), ("outcomes", "json"), ("market_name", "text"), ("id", "bigint")]
    kinds += [("snapshot_id", "bigint"), ("betpawa_market_id", "text"), ("event_id", "integer")]
    kinds += [("captured_at", "timestamp with time zone")]
    return tuple(
        Column(
            name,
            type_,
            draw(BYTES),
            draw(st.floats(0, 1)),
            raw_bytes=draw(st.none() | BYTES) if type_ not in ("bigint", "integer") else None,
            distinct_share=draw(st.none() | st.floats(0, 1)),
            average_elements=draw(st.none() | st.floats(0, 40)) if type_ == "json" else None,
        )
        for name, type_ in draw(st.lists(st.sampled_from(kinds), unique=True))
    )


@st.composite
def tables(draw: st.DrawFn, name: str) -> Table:
    """A table that nothing but its own size is consistent with."""
    rows = draw(st.integers(0, 100_000_000))
    within = sorted(draw(st.lists(st.integers(0, rows), min_size=3, max_size=3)))
    aged = Ages(
        draw(st.sampled_from(["captured_at", "odds_snapshots.captured_at", "created_at"])),
        "sampled",
        NOW - timedelta(days=60),
        NOW,
        dict(zip((7, 14, 30), within, strict=True)),
        {},
    )
    indexes = tuple(index(name, column, size=draw(BYTES), scans=draw(st.sampled_from([None, 0, 9]))) for column in "ab")
    return Table(
        schema="public",
        name=name,
        kind="table",
        rows=rows,
        rows_from="statistics",
        heap_bytes=draw(BYTES),
        toast_bytes=draw(BYTES),
        index_bytes=sum(each.bytes for each in indexes),
        bloat_bytes=draw(st.none() | BYTES),
        columns=draw(columns(rows)),
        indexes=indexes,
        ages=draw(st.none() | st.just(aged)),
    )


@st.composite
def profiles(draw: st.DrawFn) -> StorageProfile:
    """One database with tables of the names that advice looks for."""
    found = tuple(draw(tables(name)) for name in ("odds_snapshots", "market_odds", "bets"))
    equal, pairs = draw(st.integers(0, 100)), draw(st.integers(100, 200))
    database = DatabaseProfile(
        "odds",
        "18.4",
        False,
        8_000_000 + sum(each.total_bytes for each in found),
        found,
        repeats=(Repeats("market_odds", pairs, equal, 0, 0, draw(st.integers(0, 50))),),
    )
    return StorageProfile(NOW, (database,))


@settings(max_examples=60, deadline=None)
@given(profiles(), st.sampled_from([0.001, 1, 10, 1000]))
def test_whatever_is_measured_the_plan_never_saves_more_than_there_is(profile: StorageProfile, target: float):
    judgement = judge(profile, Settings(storage_target_gb=target))
    chosen = judgement.plan
    assert 0 <= chosen.after_bytes <= chosen.before_bytes == profile.total_bytes
    assert sum(step.saving_bytes for step in chosen.steps) == chosen.before_bytes - chosen.after_bytes
    assert all(step.saving_bytes >= 0 for step in chosen.steps)
    assert all(0 <= (each.saving_bytes or 0) <= profile.total_bytes for each in judgement.opportunities)
    assert len({step.opportunity.id for step in chosen.steps}) == len(chosen.steps)
    assert len(judgement.strategies) == 5


@settings(max_examples=200, deadline=None)
@given(tables("bets"), st.floats(-1, 2), BYTES)
def test_no_part_of_a_table_grows_or_becomes_negative(before: Table, share: float, size: int):
    for after in (
        compact(before),
        without_column(before, "raw_response"),
        with_narrower_column(before, "outcomes", size),
        with_share(before, share),
        younger(before, share, 14, NOW),
        without_index(before, "ix_bets_a"),
    ):
        assert 0 <= after.heap_bytes <= before.heap_bytes
        assert 0 <= after.toast_bytes <= before.toast_bytes
        assert 0 <= after.index_bytes <= before.index_bytes
        assert 0 <= after.rows <= before.rows


def test_what_is_done_to_a_table_is_done_to_its_partitions_and_counted_once():
    database = first_generation().databases[0]
    snapshots = database.table("odds_snapshots")
    assert snapshots is not None
    left = with_table(database, snapshots, lambda table: without_column(table, "raw_response"))
    (part,) = left.partitions_of(snapshots)
    whole = left.table("odds_snapshots")
    assert whole is not None
    assert part.total_bytes == whole.total_bytes < snapshots.total_bytes
    assert database.total_bytes - left.total_bytes == snapshots.total_bytes - whole.total_bytes


def test_a_table_of_that_name_in_another_schema_is_left_alone():
    database = first_generation().databases[0]
    market_odds = database.table("market_odds")
    assert market_odds is not None
    other = replace(market_odds, schema="archive")
    both = replace(database, tables=(*database.tables, other))
    assert with_table(both, market_odds, lambda table: with_share(table, 0.5)).tables[-1] == other
