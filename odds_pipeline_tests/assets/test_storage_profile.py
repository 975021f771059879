"""The asset ``storage/profile``: the report, the pictures and the numbers that it shows, its sample, its checks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from odds_pipeline.definitions import build_definitions
from odds_pipeline.metadata import STORAGE_PROFILE
from odds_pipeline_tests.dagster_fixtures import Pipeline

LARGEST_EVENT = 100_000
HOUR = timedelta(hours=1)


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """With the days of history made ahead, as the sensor ``unprepared_days`` has them made; else an alert says so."""
    assert pipeline.job("prepare_days").success
    return pipeline


def profiled(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    result = pipeline.job("storage_profile")
    assert result.success
    return result


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("storage__profile")
    return {name: value.value for name, value in event.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def said_by(check: dg.AssetCheckEvaluation, name: str) -> dict[str, str]:
    value = check.metadata[name].value
    assert isinstance(value, dict)
    return {str(key): str(each) for key, each in value.items()}


def with_settings(pipeline: Pipeline, **changed: object) -> None:
    """Go on with other settings."""
    pipeline.settings = pipeline.settings.model_copy(update=changed)
    pipeline.definitions = build_definitions(pipeline.settings, pipeline.clock)


def test_a_profile_reports_on_both_databases_and_the_archive(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance()
    pipeline.fill()
    said = metadata(profiled(pipeline))
    for words in (
        "## Tables of odds",
        "## Tables of dagster",
        "| odds_history |",
        "| event_logs |",
        "| observations |",
    ):
        assert words in said["report"]
    assert "| Changes of odds_history that say what the change before them said | 0 of" in said["report"]
    assert "Rows of markets that say" not in said["report"], "a market's description is no state of it"
    assert said["sizes"].startswith("![Sizes of tables and archives](data:image/png;base64,")
    assert said["growth"].startswith("![Sizes of databases and archives at each sample](data:image/png;base64,")


def test_numbers_are_there_to_be_plotted(prepared: Pipeline):
    prepared.fill()
    said = metadata(profiled(prepared))
    ((odds_bytes,),) = prepared.rows("SELECT pg_database_size(current_database())")
    ((changes,),) = prepared.rows("SELECT count(*) FROM odds_history_changes")
    ((archived,),) = prepared.rows("SELECT sum(bytes) FROM archive_files")
    assert said["odds_mb"] == pytest.approx(odds_bytes / 1e6, rel=0.05)
    assert said["archives_mb"] == pytest.approx(float(archived) / 1e6, abs=0.001)
    assert said["total_mb"] == pytest.approx(said["odds_mb"] + said["dagster_mb"] + said["archives_mb"], abs=0.01)
    assert said["history_changes"] == changes
    assert said["history_bytes_per_change"] > 15
    assert said["open_alerts"] == 0
    assert "growth_mb_a_day" not in said, "nothing has grown yet"


def test_a_profile_keeps_a_sample_and_its_metadata_stand_in_one_event(pipeline: Pipeline):
    pipeline.fill()
    result = profiled(pipeline)
    ((sampled_at, total),) = pipeline.rows("SELECT sampled_at, total_bytes FROM storage_samples")
    assert sampled_at == pipeline.clock.now()
    assert total == pytest.approx(metadata(result)["total_mb"] * 1e6, abs=1_000)
    with pipeline.dagster_database.connect() as connection:
        sizes = connection.execute(
            "SELECT dagster_event_type, octet_length(event) FROM event_logs WHERE run_id = %s", [result.run_id]
        ).fetchall()
    assert {kind for kind, size in sizes if size > 20_000} == {"ASSET_MATERIALIZATION"}
    assert max(size for _, size in sizes) < LARGEST_EVENT


def test_growth_is_known_once_two_samples_lie_an_hour_apart(pipeline: Pipeline):
    pipeline.fill()
    profiled(pipeline)
    pipeline.advance(HOUR)
    pipeline.fill()
    said = metadata(profiled(pipeline))
    ((seen, stored, firsts),) = pipeline.rows(
        """
        SELECT sum((counts ->> 'observations')::int), sum((counts ->> 'inserted_history')::int),
               sum((counts ->> 'new')::int)
        FROM scrape_runs
        """
    )
    # A new database is seen for the first time, which is no change.
    assert said["first_sightings_a_day"] == pytest.approx(24 * firsts, rel=0.01)
    assert said["fewer_rows_than_snapshots_percent"] == pytest.approx(100 * (1 - (stored - firsts) / seen), abs=0.001)
    ((gained,),) = pipeline.rows("SELECT max(total_bytes) - min(total_bytes) FROM storage_samples")
    assert gained > 0
    pipeline.advance(HOUR)
    said = metadata(profiled(pipeline))
    assert said["growth_mb_a_day"] > 0
    assert said["days_until_full"] > 0


def test_an_empty_pipeline_is_profiled_as_well(prepared: Pipeline):
    """R25: before the first cycle."""
    result = profiled(prepared)
    assert "Nothing" in metadata(result)["report"]
    assert all(check.passed for check in checks(result).values())


def test_checks_warn_of_size_and_disk_and_name_the_alerts(prepared: Pipeline):
    prepared.fill()
    assert {name: check.passed for name, check in checks(profiled(prepared)).items()} == {
        "alerts": True,
        "size_target": True,
        "disk_fits": True,
    }
    with_settings(prepared, storage_target_gb=0.001, alert_size_gb=0.001)
    found = checks(profiled(prepared))
    assert {name: check.passed for name, check in found.items()} == {
        "alerts": False,
        "size_target": False,
        "disk_fits": True,
    }
    assert {check.severity for check in found.values()} == {dg.AssetCheckSeverity.WARN}
    assert [name.split()[0] for name in said_by(found["alerts"], "open")] == ["size_limit"]
    assert said_by(found["size_target"], "found")["limit"] == "1.00 MB"
    ((message,),) = prepared.rows("SELECT message FROM storage_alerts WHERE resolved_at IS NULL")
    assert message in (found["alerts"].description or "")
    assert "more than the 1.00 MB of ODDS_STORAGE_TARGET_GB" in (found["size_target"].description or "")
    with_settings(prepared, storage_target_gb=10, alert_size_gb=50)
    assert all(check.passed for check in checks(profiled(prepared)).values()), "resolved by itself"
    with_settings(prepared, disk_gb=0.002)
    assert not checks(profiled(prepared))["disk_fits"].passed


def test_the_schema_of_the_sample_is_that_of_its_table(pipeline: Pipeline):
    (spec,) = [spec for spec in pipeline.definitions.resolve_all_asset_specs() if spec.key == STORAGE_PROFILE]
    stored = pipeline.rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'storage_samples'")
    assert {column.name for column in spec.metadata["dagster/column_schema"].columns} == {name for (name,) in stored}
