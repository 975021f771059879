"""``odds-pipeline up`` as a user starts it, after days in the past: webserver, daemon, and launches through both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline_tests.cli.running_up import CLEAN, Up, running_up, wait_for
from odds_pipeline_tests.database.servers import directory_for_a_server

CLI = [sys.executable, "-m", "odds_pipeline.cli"]
TODAY = datetime.now(UTC).date()
PAST = [(TODAY - timedelta(days=back)).isoformat() for back in (5, 4, 3, 2, 1)]
"""The days in which cycles have run, one each, before anything was started."""
NEVER = [(TODAY - timedelta(days=back)).isoformat() for back in (9, 8)]
REBUILT = [*PAST[1:], TODAY.isoformat()]
UNSEEN = (TODAY - timedelta(days=6)).isoformat()
"""The day before the first cycle."""
HISTORY = ["odds", "history"]
MARGINS = ["reports", "margins"]
DAY = "(captured_at AT TIME ZONE 'UTC')::date::text"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    log = tmp_path_factory.mktemp("up") / "up.log"
    with directory_for_a_server() as data_dir:
        environment = CLEAN | {"ODDS_DATA_DIR": str(data_dir), "ODDS_SIMULATOR_EVENTS": "3"}
        begun = f"{PAST[0]}T23:30Z"
        lived = subprocess.run(
            [*CLI, "run", "--start", begun, "--interval", "1d", "--cycles", str(len(PAST))],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert lived.returncode == 0, lived.stderr
        assert f"Days of history: {PAST[0]} to {PAST[-1]}." in lived.stdout
        with running_up(log, environment) as up:
            yield up


def history(up: Up) -> set[tuple[Any, ...]]:
    return set(up.rows("SELECT market_id, captured_at, run_id, state FROM odds_history_changes"))


def test_cycles_of_the_past_are_runs_of_their_own_days(up: Up):
    """Their odds lie in the simulated time, and Dagster shows each day as materialized by its run."""
    runs = up.rows(
        "SELECT dagster_run_id, cycle_at FROM scrape_runs WHERE trigger = 'manual' ORDER BY cycle_at LIMIT 5"
    )
    assert [f"{cycle_at:%Y-%m-%d %H:3}" for _, cycle_at in runs] == [f"{day} 23:3" for day in PAST]
    shown = {(each["run"], each["day"]) for each in up.materializations(HISTORY, PAST)}
    assert {(run, f"{cycle_at:%Y-%m-%d}") for run, cycle_at in runs} <= shown
    ((first, last),) = up.rows(
        "SELECT min(captured_at), max(captured_at) FROM odds_history WHERE run_id IN (SELECT id FROM scrape_runs "
        "WHERE dagster_run_id = %s)",
        runs[0][0],
    )
    assert timedelta() < first - runs[0][1] <= last - runs[0][1] < timedelta(minutes=20)


def test_the_daemon_runs_cycles_by_itself(up: Up):
    """C1, C3: from workspace.yaml and dagster.yaml, without anybody launching anything; the clock is right again."""
    scheduled = "SELECT status FROM scrape_runs WHERE completed_at IS NOT NULL AND trigger = 'scheduled'"
    assert wait_for(lambda: up.rows(scheduled))[0] == ("completed",)
    assert up.rows("SELECT clock_offset FROM pipeline_settings") == [(timedelta(),)]


def test_days_are_prepared_by_the_daemon(up: Up):
    """Each day that has begun gets the state it began with, those of the past included."""
    states = "SELECT first_day::text FROM archive_files WHERE kind = 'state' AND stale_from IS NULL ORDER BY 1"
    wait_for(lambda: [day for (day,) in up.rows(states)] == REBUILT)


def test_days_are_reported_in_one_run_each_range(up: Up):
    """A day without odds fails with a sentence; the other days of its range are reported all the same."""
    reports = up.backfill_assets([MARGINS], PAST)
    without_odds = up.backfill_assets([MARGINS], [UNSEEN, PAST[0]])
    (reported,), (lacking,) = reports(1), without_odds(1)
    assert reported["status"] == "SUCCESS", up.failure(reported["runId"])
    told = [each for each in up.materializations(MARGINS, [UNSEEN, *PAST]) if each["run"] == reported["runId"]]
    assert sorted(each["day"] for each in told) == PAST
    assert all(each["dagster/partition_row_count"] > 0 for each in told)
    assert lacking["status"] == "FAILURE"
    assert f"of {UNSEEN} no odds of the headline markets are known. Reported: {PAST[0]}" in up.failure(lacking["runId"])
    told = [each for each in up.materializations(MARGINS, [UNSEEN, *PAST]) if each["run"] == lacking["runId"]]
    assert [each["day"] for each in told] == [PAST[0]]


def test_reports_are_made_by_the_daemon(up: Up):
    """C3: after a cycle, without anybody launching them."""
    wait_for(lambda: up.materializations(["reports", "coverage"], []))
    for day in (PAST[-1], TODAY.isoformat()):
        wait_for(lambda day=day: up.materializations(MARGINS, [day]))


@dataclass
class Launched:
    """Runs that were launched together, over by now, and history as it was before them."""

    before: set[tuple[Any, ...]]
    lost: int
    cycles: dict[str, dict[str, Any]]
    rebuild: dict[str, Any]
    without_source: dict[str, Any]
    current: dict[str, Any]
    both: dict[str, Any]


@pytest.fixture(scope="module")
def launched(up: Up) -> Launched:
    """Every row of the table of launches at once: a backfill goes on while a cycle does."""
    wait_for(lambda: up.rows("SELECT FROM scrape_runs WHERE completed_at IS NOT NULL AND trigger = 'scheduled'"))
    before = history(up)
    lost = up.rows(f"SELECT FROM odds_history_changes WHERE {DAY} = %s", PAST[3])
    up.rows(f"DELETE FROM odds_history WHERE {DAY} = %s RETURNING 1", PAST[3])
    rebuild = up.backfill_assets([HISTORY], REBUILT)
    cycles = up.backfill_job("odds_cycle", [NEVER[0], TODAY.isoformat()])
    without_source = up.backfill_assets([HISTORY], NEVER)
    current = up.materialize([["odds", "current"]])
    both = up.materialize([["odds", "current"], HISTORY], TODAY.isoformat())
    return Launched(before, len(lost), cycles(), rebuild(1)[0], without_source(1)[0], current(), both())


def test_a_cycle_is_launched_for_today_and_refused_for_another_day(up: Up, launched: Launched):
    """As a backfill of the job, which Dagster would run for each day and call materialized."""
    today, past = launched.cycles[TODAY.isoformat()], launched.cycles[NEVER[0]]
    assert today["status"] == "SUCCESS"
    assert past["status"] == "FAILURE"
    assert f"Launch odds_cycle for {TODAY}" in up.failure(past["runId"])
    dagster_run_ids = {run_id for (run_id,) in up.rows("SELECT dagster_run_id FROM scrape_runs")}
    assert today["runId"] in dagster_run_ids
    assert past["runId"] not in dagster_run_ids, "for a past day nobody was asked"
    assert up.materializations(HISTORY, NEVER) == []


def test_a_range_of_days_is_rebuilt_in_one_run_while_a_cycle_goes_on(up: Up, launched: Launched):
    """Today is among the days, and one of them had lost its rows."""
    rebuild = launched.rebuild
    assert rebuild["status"] == "SUCCESS", up.failure(rebuild["runId"])
    told = {each["day"]: each for each in up.materializations(HISTORY, REBUILT) if each["run"] == rebuild["runId"]}
    assert sorted(told) == REBUILT
    assert {day: (each["added"], each["removed"], each["replaced"]) for day, each in told.items()} == {
        day: (launched.lost if day == PAST[3] else 0, 0, 0) for day in REBUILT
    }
    after = history(up)
    assert launched.before <= after
    assert {captured_at.date() for _, captured_at, _, _ in after - launched.before} <= {TODAY}
    rows = dict(up.rows(f"SELECT {DAY}, count(*) FROM odds_history_changes GROUP BY 1"))
    assert {day: told[day]["dagster/partition_row_count"] for day in PAST[1:]} == {day: rows[day] for day in PAST[1:]}


def test_a_day_without_a_source_fails_with_a_sentence(up: Up, launched: Launched):
    run = launched.without_source
    assert run["status"] == "FAILURE"
    assert f"{NEVER[0]} cannot be rebuilt" in up.failure(run["runId"])
    assert PAST[0] in up.failure(run["runId"]), "it says which days can be"


def test_current_alone_is_rebuilt_and_current_with_history_is_refused(up: Up, launched: Launched):
    assert launched.current["status"] == "SUCCESS"
    assert launched.both["status"] == "FAILURE"
    assert "without odds/changes of the same run" in up.failure(launched.both["runId"])


def test_a_database_that_dies_is_started_again(up: Up):
    """By ``up``: Dagster's processes ask the database what to do."""
    server = EmbeddedServer(up.data_dir)
    died = server.health().pid
    assert died is not None
    psutil.Process(died).kill()
    wait_for(lambda: server.health().pid not in (None, died))


def test_a_child_that_dies_is_reported_and_stops_the_rest(up: Up):
    """Last of the module: it ends what the others use."""
    family = psutil.Process(up.process.pid).children(recursive=True)
    living = [child for child in family if child.status() != psutil.STATUS_ZOMBIE]
    (daemon,) = [child for child in living if "dagster._daemon" in child.cmdline()[2:3]]
    daemon.kill()
    assert up.process.wait(60) == 1
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
