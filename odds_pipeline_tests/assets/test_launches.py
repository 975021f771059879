"""What a launch of the odds assets means, row by row of the table of launches."""

from datetime import UTC, datetime, timedelta

import pytest

from odds_pipeline.assets.launches import Launch, LaunchRefused, meaning, require_today
from odds_pipeline.metadata import CHANGES, CURRENT, HISTORY, UNMAPPED, observations_key

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
GRACE = timedelta(minutes=15)
SCRAPES = {observations_key(slug) for slug in ("betpawa", "sportybet", "bet9ja")}
CYCLE = SCRAPES | {CHANGES, CURRENT, HISTORY}
TODAY = ("2026-03-14", "2026-03-14")


def decide(selected, partitions=None, now=NOON):
    launch = meaning(frozenset(selected), partitions, now=now)
    if launch is Launch.CYCLE:
        require_today(partitions, now=now, grace=GRACE)
    return launch


def test_the_cycle_runs_for_today():
    assert decide(CYCLE, TODAY) is Launch.CYCLE


def test_a_report_launched_with_the_cycle_does_not_matter():
    assert decide(CYCLE | {UNMAPPED}, TODAY) is Launch.CYCLE


def test_a_cycle_may_scrape_some_bookmakers_only():
    assert decide({observations_key("betpawa"), CHANGES, CURRENT, HISTORY}, TODAY) is Launch.CYCLE


def test_a_cycle_of_yesterday_may_begin_shortly_after_midnight():
    just_after = datetime(2026, 3, 15, 0, 14, tzinfo=UTC)
    assert decide(CYCLE, TODAY, now=just_after) is Launch.CYCLE
    assert decide(CYCLE, ("2026-03-15", "2026-03-15"), now=just_after) is Launch.CYCLE


@pytest.mark.parametrize(
    ("partitions", "now"),
    [
        (TODAY, datetime(2026, 3, 15, 0, 16, tzinfo=UTC)),
        (("2026-03-01", "2026-03-01"), NOON),
        (("2026-03-15", "2026-03-15"), NOON),
        (("2026-03-13", "2026-03-14"), NOON),
        (None, NOON),
    ],
    ids=["yesterday after the grace", "a past day", "tomorrow", "a range that ends today", "no day"],
)
def test_a_cycle_for_any_other_day_or_none_says_what_to_launch_instead(partitions, now):
    with pytest.raises(LaunchRefused) as refusal:
        decide(CYCLE, partitions, now=now)
    assert f"Launch odds_cycle for {now.date()}" in (refusal.value.description or "")


@pytest.mark.parametrize("partitions", [TODAY, ("2026-03-01", "2026-03-10"), ("2026-03-10", "2026-03-14")])
def test_history_alone_is_a_rebuild_of_its_days(partitions):
    assert decide({HISTORY}, partitions) is Launch.REBUILD_DAYS


def test_history_alone_without_a_day_is_refused():
    with pytest.raises(LaunchRefused, match=r"names none.*a day or a range of days.*odds_cycle for 2026-03-14"):
        decide({HISTORY})


@pytest.mark.parametrize("partitions", [None, TODAY])
def test_current_alone_is_a_rebuild(partitions):
    assert decide({CURRENT}, partitions) is Launch.REBUILD_CURRENT


def test_current_and_history_without_changes_of_the_same_run_are_refused():
    with pytest.raises(LaunchRefused, match=r"without odds/changes of the same run.*odds_cycle for 2026-03-14"):
        decide({CURRENT, HISTORY}, TODAY)


@pytest.mark.parametrize(
    "selected",
    [SCRAPES, {CHANGES}, {CHANGES, CURRENT, HISTORY}, SCRAPES | {CURRENT}, SCRAPES | {HISTORY}, SCRAPES | {CHANGES}],
    ids=["scrapes", "changes", "nothing scraped", "no changes", "history of scrapes", "changes unwritten"],
)
def test_half_a_cycle_is_refused(selected):
    with pytest.raises(LaunchRefused, match=r"in one run.*odds_cycle for 2026-03-14"):
        decide(selected, TODAY)
