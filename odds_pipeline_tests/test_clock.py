"""Times: aware, in UTC, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from odds_pipeline.clock import require_utc


def test_an_aware_time_is_given_in_utc() -> None:
    """B-36."""
    lagos = timezone(timedelta(hours=1))
    assert require_utc(datetime(2026, 3, 1, 13, tzinfo=lagos)) == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [datetime(2026, 3, 1, 12), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))],  # noqa: DTZ001
)
def test_a_naive_time_and_one_beyond_any_date_are_refused(moment: datetime) -> None:
    """B-36: as the one kind of error that parsers expect of an odd time."""
    with pytest.raises(ValueError, match="time"):
        require_utc(moment)
