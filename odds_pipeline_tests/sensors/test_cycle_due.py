"""When a cycle is due: the decision itself. The sensor on a real instance is in test_sensors.py."""

from datetime import UTC, datetime, timedelta

from odds_pipeline.database.health import LastCycle
from odds_pipeline.sensors.cycle_due import due
from odds_pipeline.settings import Settings

START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SETTINGS = Settings(
    cycle_interval=timedelta(minutes=5),
    near_kickoff_interval=timedelta(minutes=2),
    near_kickoff_window=timedelta(minutes=30),
    cycle_margin=timedelta(seconds=30),
)


def cycle(length: timedelta) -> LastCycle:
    return LastCycle(run_id=1, started_at=START, length=length, is_open=False)


def after(last: LastCycle | None, *, now: datetime = START + timedelta(minutes=1), **given) -> tuple[datetime, str]:
    found = due(last, now=now, kickoff=given.pop("kickoff", None), settings=SETTINGS, **given)
    return found.at, found.reason


def test_the_first_cycle_is_due_at_once():
    assert after(None) == (START + timedelta(minutes=1), "no cycle has run yet")


def test_the_interval_counts_from_start_to_start():
    at, reason = after(cycle(timedelta(seconds=40)))
    assert at == START + timedelta(minutes=5)
    assert reason == "300 s after the last start, as no kick-off is near"


def test_the_interval_is_tighter_while_a_kickoff_is_near():
    now = START + timedelta(minutes=1)
    at, reason = after(cycle(timedelta(seconds=40)), now=now, kickoff=now + timedelta(minutes=30))
    assert at == START + timedelta(minutes=2)
    assert "a kick-off is near (12:31 UTC)" in reason
    at, _ = after(cycle(timedelta(seconds=40)), now=now, kickoff=now + timedelta(minutes=31))
    assert at == START + timedelta(minutes=5)


def test_a_cycle_longer_than_the_interval_puts_the_next_one_off():
    """B-46: the cycle's own length is compared with the interval."""
    at, reason = after(cycle(timedelta(minutes=7)))
    assert at == START + timedelta(minutes=7, seconds=30)
    assert "the last cycle took 420 s" in reason


def test_a_launch_that_failed_before_it_opened_a_run_counts_as_a_start():
    at, _ = after(None, attempted_at=START)
    assert at == START + timedelta(minutes=5)
    at, _ = after(cycle(timedelta(seconds=40)), attempted_at=START + timedelta(minutes=4))
    assert at == START + timedelta(minutes=9)
