"""The asset ``odds/retention``: what it says it did, and that a day kept against the policy fails its check."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg
import pytest

from odds_pipeline.days import compact
from odds_pipeline.days import retention as retention_module
from odds_pipeline.days.retire import DayKept
from odds_pipeline.metadata import RETENTION
from odds_pipeline_tests.dagster_fixtures import NOON, Pipeline
from odds_pipeline_tests.days.days_of_odds import DaysOfOdds

TODAY = NOON.date()


def write_days(pipeline: Pipeline, ago: int) -> None:
    """One day of odds, so many days ago, and today's."""
    days = DaysOfOdds(pipeline.database)
    days.write(TODAY - timedelta(days=ago), days=1, cycles=1)
    days.cycle(datetime.combine(TODAY, time(1), UTC))


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("odds__retention")
    return {name: value.value for name, value in event.metadata.items()}


@pytest.mark.parametrize(("ago", "retired"), [(14, 0), (15, 1)])
def test_the_days_before_the_last_fourteen_are_retired(pipeline: Pipeline, ago: int, retired: int):
    write_days(pipeline, ago)
    result = pipeline.job("retention")
    assert result.success
    said = metadata(result)
    assert (said["days_retired"], said["first_day_kept"]) == (retired, str(TODAY - timedelta(days=14)))
    assert (said["rows_retired"] > 0) == (said["bytes_archived"] > 0) == bool(retired)
    assert said["policy"]["retention_days"] == 14
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert pipeline.rows("SELECT status, trigger, history_deleted FROM cleanup_runs") == [
        ("completed", "manual", said["rows_retired"])
    ]


def test_a_day_that_is_not_put_in_order_is_told_and_fails_nothing(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
    write_days(pipeline, 1)
    monkeypatch.setattr(compact, "_LEAST_BYTES", 0)
    day = TODAY - timedelta(days=1)
    with pipeline.database.connect() as connection:
        connection.execute(f"COMMENT ON TABLE odds_history_{day:%Y%m%d} IS 'kept'".encode())
    result = pipeline.job("retention")
    assert result.success
    told = metadata(result)["days_not_in_order"]
    assert list(told) == [str(day)]
    assert told[str(day)].startswith(f"odds_history_{day:%Y%m%d} has of its own the comment 'kept'")
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert pipeline.rows("SELECT status, error_message FROM cleanup_runs") == [("completed", None)]


def test_a_day_that_is_kept_fails_the_check_and_says_why(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch):
    write_days(pipeline, 20)

    def keep(*arguments: Any, **options: Any) -> Any:
        raise DayKept("the file is not what was written")

    monkeypatch.setattr(retention_module, "retire_day", keep)
    result = pipeline.job("retention", tags={"dagster/sensor_name": "retention_due"})
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    day = str(TODAY - timedelta(days=20))
    assert (check.asset_key, check.check_name, check.passed) == (RETENTION, "days_kept", False)
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.metadata["kept"].value == {day: "the file is not what was written"}
    assert metadata(result)["days_kept_against_policy"] == {day: "the file is not what was written"}
    assert pipeline.rows("SELECT status, trigger, error_message FROM cleanup_runs") == [
        ("failed", "scheduled", f"{day}: the file is not what was written")
    ]
    assert date.fromisoformat(metadata(result)["first_day_kept"]) == TODAY - timedelta(days=20)
