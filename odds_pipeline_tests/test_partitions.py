"""Which days of history Dagster shows."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from pydantic import ValidationError

from odds_pipeline.clock import ManualClock
from odds_pipeline.definitions import build_definitions, defs
from odds_pipeline.metadata import HISTORY
from odds_pipeline.partitions import HistoryNotBegun, first_history_day, history_days, is_open
from odds_pipeline.settings import Settings

TODAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_first_day_is_the_oldest_that_is_kept():
    assert first_history_day(Settings(retention_days=14), today=TODAY) == date(2026, 2, 15)
    assert first_history_day(Settings(retention_days=1), today=TODAY) == date(2026, 2, 28)


def test_a_first_day_may_be_set():
    settings = Settings(history_start=date(2025, 12, 31), retention_days=1)
    assert first_history_day(settings, today=TODAY) == date(2025, 12, 31)


def test_a_first_day_in_the_future_is_refused():
    with pytest.raises(HistoryNotBegun, match="ODDS_HISTORY_START is 2026-03-02"):
        history_days(Settings(history_start=TODAY + timedelta(days=1)), today=TODAY)


def test_today_is_a_day_of_history_and_tomorrow_is_not():
    days = history_days(Settings(retention_days=3), today=TODAY)
    with time_machine.travel(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), tick=False):
        assert days.get_partition_keys() == ["2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"]
    with time_machine.travel(datetime(2026, 3, 2, tzinfo=UTC), tick=False):
        assert days.get_last_partition_key() == "2026-03-02"


def test_the_definitions_show_the_days_on_the_pipelines_clock():
    definitions = build_definitions(Settings(retention_days=2), ManualClock(NOON))
    days = definitions.resolve_asset_graph().get(HISTORY).partitions_def
    assert days == history_days(Settings(retention_days=2), today=TODAY)


def test_definitions_with_a_wrong_setting_say_which_and_never_what_a_secret_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ODDS_DATABASE_URL", "postgresql://me:hush@localhost/odds")
    monkeypatch.setenv("ODDS_HISTORY_STRAT", "2026-01-01")
    monkeypatch.setenv("ODDS_RETENTION_DAYS", "7")
    with pytest.raises(ValidationError, match="no such setting: ODDS_HISTORY_STRAT") as wrong:
        defs()
    assert "hush" not in str(wrong.value)


@pytest.mark.parametrize(
    ("now", "open_days"),
    [
        (datetime(2028, 2, 29, 0, 0, tzinfo=UTC), {"2028-02-28", "2028-02-29"}),
        (datetime(2028, 2, 29, 0, 15, tzinfo=UTC), {"2028-02-29"}),
        (datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC), {"2028-02-29"}),
        (datetime(2028, 3, 1, 0, 14, 59, tzinfo=UTC), {"2028-02-29", "2028-03-01"}),
    ],
)
def test_a_day_is_open_until_shortly_after_its_midnight(now: datetime, open_days: set[str]):
    days = ("2028-02-27", "2028-02-28", "2028-02-29", "2028-03-01", "2028-03-02")
    assert {day for day in days if is_open(day, now=now, grace=timedelta(minutes=15))} == open_days
