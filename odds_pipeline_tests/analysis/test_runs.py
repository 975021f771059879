"""Runs, errors and recurring failures on the hand-made world: six cycles, Bet9ja failing in the last three."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl
import pytest

from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.analysis.runs import ERRORS, FAILURES, RUNS, errors, recurring, runs
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.database.runs import beat, fail_run
from odds_pipeline_tests.analysis.hand_made import CYCLES, HandMade, hand_made, moment
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import running


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world, for tests that only ask."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


@pytest.fixture
def source(database: Database) -> OddsSource:
    """An empty database."""
    return OddsSource(database, archive_of(database), lambda since, until: [])


def test_a_run_says_what_was_asked_and_what_was_written(world: HandMade) -> None:
    """Cycle 4: s1 changes its 1X2, p1's "No" is suspended; n1 fails, home is still there."""
    found = runs(world.source)
    assert found.rows.schema == pl.Schema(dict(RUNS))
    assert found.rows["run_id"].to_list() == list(reversed(world.runs))
    assert found.next is None
    fourth = found.rows.row(2, named=True)
    assert {name: fourth[name] for name in ("run_id", "status", "trigger", "created_at", "started_at")} == {
        "run_id": world.runs[3],
        "status": "partial",
        "trigger": "manual",
        "created_at": CYCLES[3],
        "started_at": CYCLES[3],
    }
    # What the writer needs comes on top of the last arrival, 14 seconds after the start.
    assert fourth["completed_at"] > moment(4, "bet9ja")
    assert fourth["seconds"] == (fourth["completed_at"] - CYCLES[3]).total_seconds()
    # Derby is read at two bookmakers, home, away and moved at theirs; derby is lost at Bet9ja.
    assert (fourth["events_scraped"], fourth["events_failed"]) == (4, 1)
    counts = ("observations", "new", "changed", "returned", "unavailable", "confirmed", "refused", "late")
    assert [fourth[name] for name in counts] == [12, 0, 2, 0, 0, 10, 0, 0]
    assert (fourth["upserted_current"], fourth["inserted_history"]) == (2, 2)
    assert {stage["stage"] for stage in fourth["stages"]} >= {"read", "diff"}
    assert (fourth["error"], fourth["dagster_run_id"]) == (None, None)
    names = ("bookmaker_slug", "discovery_status", "asked", "complete", "started", "failed", "not_asked", "seconds")
    assert [tuple(each[name] for name in names) for each in fourth["bookmakers"]] == [
        ("betpawa", "complete", 3, 3, 0, 0, 0, None),
        ("sportybet", "complete", 3, 3, 0, 0, 0, None),
        ("bet9ja", "complete", 1, 0, 0, 1, 0, None),
    ]


def test_seconds_of_a_bookmaker_are_those_of_discovery_and_answers(source: OddsSource) -> None:
    at = CYCLES[-1] + timedelta(minutes=5)
    run_id = running(source.database, at)
    beat(source.database, run_id, now=at, timings={"betpawa": {"discovery": 1.25, "answers": 2.5, "requests": 9}})
    with source.database.connect() as connection:
        connection.execute(
            "INSERT INTO scrape_coverage (run_id, bookmaker_id) SELECT %s, id FROM bookmakers WHERE slug = 'betpawa'",
            [run_id],
        )
    newest = runs(source, limit=1).rows.row(0, named=True)
    assert (newest["run_id"], newest["status"], newest["seconds"], newest["observations"]) == (
        run_id, "running", None, None,
    )  # fmt: skip
    assert [(each["bookmaker_slug"], each["seconds"]) for each in newest["bookmakers"]] == [("betpawa", 3.75)]
    assert newest["stages"] == []


def test_a_failed_run_says_why(source: OddsSource) -> None:
    at = CYCLES[-1] + timedelta(minutes=5)
    fail_run(source.database, running(source.database, at), error_type="dead_run", message="no sign of life", now=at)
    newest = runs(source, limit=1).rows.row(0, named=True)
    assert (newest["status"], newest["error"], newest["bookmakers"]) == ("failed", "no sign of life", [])


def test_runs_are_paged_without_gap_or_double(world: HandMade) -> None:
    pages = [runs(world.source, limit=4)]
    while (after := pages[-1].next) is not None:
        pages.append(runs(world.source, limit=4, after=after))
    assert [page.rows["run_id"].to_list() for page in pages] == [
        [world.runs[5], world.runs[4], world.runs[3], world.runs[2]],
        [world.runs[1], world.runs[0]],
    ]
    assert runs(world.source, limit=6).next is None, "there is no page behind the last row"


def test_runs_of_a_window_are_those_made_in_it(world: HandMade) -> None:
    found = runs(world.source, since=CYCLES[1], until=CYCLES[3])
    assert found.rows["run_id"].to_list() == [world.runs[2], world.runs[1]]


def test_errors_are_counted_by_bookmaker_and_type(world: HandMade) -> None:
    """n1 times out in cycles 4 to 6; in cycle 6 so does Bet9ja's discovery, which names no event."""
    found = errors(world.source)
    assert found.schema == pl.Schema(dict(ERRORS))
    (only,) = found.drop("message").rows()
    discovery = CYCLES[5] + timedelta(seconds=2)
    assert only == ("bet9ja", "timeout", 3, 1, 4, moment(4, "bet9ja"), moment(6, "bet9ja"))
    assert errors(world.source, since=discovery, until=discovery + timedelta(seconds=1)).drop("message").rows() == [
        ("bet9ja", "timeout", 1, 0, 1, discovery, discovery)
    ]
    assert errors(world.source, until=CYCLES[3]).is_empty()


def test_errors_of_a_run_as_a_whole_have_no_bookmaker_and_the_newest_message_counts(
    source: OddsSource,
) -> None:
    for number, message in enumerate(["first", "second"], start=1):
        at = CYCLES[-1] + timedelta(minutes=5 * number)
        fail_run(source.database, running(source.database, at), error_type="dead_run", message=message, now=at)
    found = errors(source, since=CYCLES[-1] + timedelta(minutes=1))
    first = CYCLES[-1] + timedelta(minutes=5)
    assert found.rows() == [(None, "dead_run", 2, 0, 2, first, first + timedelta(minutes=5), "second")]


def test_failures_recur_when_they_happen_cycle_after_cycle(world: HandMade) -> None:
    """R12: the answer about derby has failed three times in a row, the discovery once."""
    found = recurring(world.source, cycles=3)
    assert found.schema == pl.Schema(dict(FAILURES))
    of_derby = ("bet9ja", "timeout", world.events["derby"], 3, moment(4, "bet9ja"), moment(6, "bet9ja"), 3)
    assert found.rows() == [of_derby]
    discovery = CYCLES[5] + timedelta(seconds=2)
    assert recurring(world.source, cycles=1).rows() == [
        of_derby,
        ("bet9ja", "timeout", None, 1, discovery, discovery, 1),
    ]
    assert recurring(world.source, cycles=4).is_empty()


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_limits_beyond_the_bounds_are_refused(world: HandMade, limit: int) -> None:
    with pytest.raises(BadQuestion, match="1 to 500"):
        runs(world.source, limit=limit)


def test_windows_and_cycles_that_make_no_sense_are_refused(world: HandMade) -> None:
    with pytest.raises(BadQuestion, match="before it begins"):
        runs(world.source, since=CYCLES[1], until=CYCLES[0])
    with pytest.raises(BadQuestion, match="before it begins"):
        errors(world.source, since=CYCLES[1], until=CYCLES[0])
    with pytest.raises(BadQuestion, match="at least one"):
        recurring(world.source, cycles=0)
    with pytest.raises(ValueError, match="has no time zone"):
        runs(world.source, since=datetime(2026, 11, 20))  # noqa: DTZ001
