"""Charts of storage: sizes of tables, and growth."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from odds_pipeline.charts.rendering import png
from odds_pipeline.charts.storage import growth_chart, sizes_chart
from odds_pipeline.storage.measured import DatabaseProfile, StorageProfile
from odds_pipeline.storage.samples import SAMPLES
from odds_pipeline_tests.charts.drawing import START, drawn, texts
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import table

GB = 10**9
MB = 10**6
LARGEST_PICTURE = 60_000


def samples(*, count: int, start: int, gained: int, untold: int = 0) -> pl.DataFrame:
    """Hourly samples; the first ``untold`` do not tell databases and archive apart."""
    rows = []
    for place in range(count):
        total = start + place * gained
        parts = (None, None, None) if place < untold else (total // 2, total // 4, total // 4)
        rows.append((START + timedelta(hours=place), total, *parts))
    return pl.DataFrame(
        rows, schema={name: kind for name, kind in SAMPLES.items() if not name.startswith("wal")}, orient="row"
    )


def test_bars_tell_the_size_of_each_table_and_of_what_it_is():
    words = texts(drawn(sizes_chart(first_generation())))
    assert {"odds_snapshots", "24.0 GB", "market_odds", "22.0 GB", "heap", "TOAST", "indexes", "GB"} <= set(words)
    assert words.count("odds_snapshots_default") == 0, "a partition would count twice"
    assert "63.0 GB in all" in words
    assert "archive" not in words


def test_tables_of_several_databases_and_kinds_of_files_are_told_apart():
    words = set(texts(drawn(sizes_chart(ours()))))
    assert {"odds: odds_history", "dagster: event_logs", "archive: observations", "archive"} <= words


def test_tables_that_are_not_drawn_are_counted():
    tables = tuple(table(f"table_{number:02}", 1, number * MB) for number in range(1, 26))
    found = DatabaseProfile("many", "18.4", False, 325 * MB, tables)
    words = texts(drawn(sizes_chart(StorageProfile(START, (found,)))))
    assert "7 smaller ones are not drawn: 28.0 MB" in words
    assert "table_08" in words
    assert "table_07" not in words


def test_what_is_beside_tables_is_a_bar_so_that_bars_add_up_to_everything():
    found = DatabaseProfile("fresh", "18.4", False, 10 * MB, (table("few", 10, 2 * MB),))
    words = texts(drawn(sizes_chart(StorageProfile(START, (found,)))))
    assert {"10.0 MB in all", "few", "2.00 MB", "PostgreSQL's catalogue, the rest", "8.00 MB", "catalogue"} <= set(
        words
    )


def test_a_database_without_tables_has_a_picture_too():
    assert "No table takes any room." in texts(drawn(sizes_chart(StorageProfile(START, ()))))


def test_a_name_that_looks_like_a_path_or_markup_is_only_a_name():
    names = ("a.b[0]", "<b>x</b>", 'quo"te', "ein Tisch")
    found = DatabaseProfile("x", "18.4", False, 40 * MB, tuple(table(name, 1, 10 * MB) for name in names))
    assert set(names) <= set(texts(drawn(sizes_chart(StorageProfile(START, (found,))))))


@pytest.mark.parametrize("count", [0, 1])
def test_growth_takes_two_samples(count: int):
    words = texts(drawn(growth_chart(samples(count=count, start=GB, gained=0), target=10 * GB, disk=75 * GB)))
    assert any("each storage profile takes one." in line for line in words)


def test_growth_is_drawn_by_database_and_archive():
    words = texts(drawn(growth_chart(samples(count=48, start=GB, gained=MB), target=10 * GB, disk=75 * GB)))
    assert {"odds", "dagster", "archives", "GB"} <= set(words)
    assert not {"not told apart", "target 10.0 GB", "disk 75.0 GB"} & set(words)
    assert any("from 1.00 GB to 1.05 GB" in line for line in words)


def test_limits_are_drawn_once_they_are_near():
    words = texts(drawn(growth_chart(samples(count=48, start=4 * GB, gained=MB), target=10 * GB, disk=75 * GB)))
    assert "target 10.0 GB" in words
    assert "disk 75.0 GB" not in words


def test_samples_of_an_earlier_system_are_drawn_undivided():
    words = texts(drawn(growth_chart(samples(count=9, start=GB, gained=MB, untold=4), target=10 * GB, disk=75 * GB)))
    assert "not told apart" in words


def test_the_first_and_last_of_very_many_samples_stay():
    many = samples(count=2_200, start=GB, gained=MB)
    picture = growth_chart(many, target=10 * GB, disk=75 * GB)
    last: datetime = many["sampled_at"][-1]
    assert any(f"to {last:%d %b %Y %H:%M} UTC: from" in line for line in texts(drawn(picture)))
    assert len(png(picture)) < LARGEST_PICTURE


@pytest.mark.parametrize("profile", [first_generation(), ours(), empty()], ids=["first", "ours", "empty"])
def test_pictures_are_small(profile: StorageProfile):
    assert len(png(sizes_chart(profile))) < LARGEST_PICTURE
