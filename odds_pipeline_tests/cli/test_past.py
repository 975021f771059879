"""What ``run --start`` may be asked for; a run in the past itself is in test_up.py."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from odds_pipeline.cli.past import NotInThePast, Past, interval_of, past_of, require_no_later_cycle
from odds_pipeline.database.engine import Database
from odds_pipeline.database.runs import open_run, start_run
from odds_pipeline.settings import Settings

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)


def past(start: str, cycles: int | None = None, *, interval: timedelta = SIX_HOURS, **settings) -> Past:
    return past_of(start, interval, cycles, settings=Settings(**settings), now=NOW)


def test_cycles_from_a_moment_go_on_until_now():
    assert past("2026-11-20T10:30Z") == Past(NOW - timedelta(days=1), SIX_HOURS, 5)
    assert past("2026-11-20T10:31Z").cycles == 4
    assert past("2026-11-20T10:30Z", 2).cycles == 2


def test_a_moment_may_be_given_in_any_time_zone():
    lagos = timezone(timedelta(hours=1))
    assert past("2026-11-20T00:30+01:00").start == datetime(2026, 11, 20, 0, 30, tzinfo=lagos)
    assert past("2026-11-20T00:30+01:00").start.date() == date(2026, 11, 19), "days are those of UTC"


def test_the_clock_shows_the_start_and_never_the_future():
    begun = past("2026-11-20T10:30Z")
    clock = begun.clock(datetime.now(UTC))
    assert abs(clock.now() - begun.start) < timedelta(seconds=5)
    for _ in range(begun.cycles - 1):
        clock.advance(SIX_HOURS)
    assert abs(clock.now() - NOW) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("2026-11-20T10:30", "has no time zone"),
        ("yesterday", "such as 2026-11-15T06:00Z"),
        ("0001-01-01T00:00+14:00", "beyond any date"),
        ("2026-11-21T10:31Z", "lies in the future; it is 2026-11-21 10:30 UTC now"),
        ("2026-11-06T23:59Z", "before 2026-11-07, the first day .* set ODDS_HISTORY_START=2026-11-06"),
    ],
)
def test_a_moment_that_cannot_be_begun_at_is_refused(start: str, said: str):
    with pytest.raises(NotInThePast, match=said):
        past(start)


def test_days_before_those_kept_may_be_asked_for_by_a_setting():
    assert past("2026-01-01T00:00Z", 1, history_start=date(2026, 1, 1)).start.month == 1


def test_more_cycles_than_there_is_time_for_are_refused():
    with pytest.raises(NotInThePast, match="room for 5 until now"):
        past("2026-11-20T10:30Z", 6)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("6h", timedelta(hours=6)),
        ("1d", timedelta(days=1)),
    ],
)
def test_an_interval_is_a_number_and_a_unit(text: str, length: timedelta):
    assert interval_of(text) == length


@pytest.mark.parametrize("text", ["0h", "6", "h", "-1h", "6 h", "1.5h", "6w", "", "9999999d"])
def test_anything_else_is_no_interval(text: str):
    with pytest.raises(NotInThePast, match="90s, 5m, 6h, 1d"):
        interval_of(text)


def test_cycles_before_one_that_is_stored_are_refused(database: Database):
    require_no_later_cycle(database, NOW)
    run_id = open_run(database, trigger="scheduled", now=NOW)
    start_run(database, run_id, now=NOW, settings=Settings())
    require_no_later_cycle(database, NOW + timedelta(seconds=1))
    with pytest.raises(NotInThePast, match="has a cycle of 2026-11-21 10:30 UTC, later than 2026-11-21 10:00 UTC"):
        require_no_later_cycle(database, NOW - timedelta(minutes=30))
