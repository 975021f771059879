"""Running the simulator: in a thread, in a process of its own, and by command."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from random import Random

import httpx
import psutil
import pytest

from odds_pipeline.clock import ManualClock, SystemClock
from odds_pipeline.settings import Settings
from odds_pipeline.simulator import Latency, Simulator, SimulatorFailed
from odds_pipeline.simulator.latency import REALISTIC
from odds_pipeline_tests.simulator.asking import MOMENT, Asker


def answers_of(simulator: Simulator) -> dict[str, bytes]:
    with Asker(simulator) as ask:
        return {event: ask.event(slug, event).content for slug in simulator.urls for event in ask.event_ids(slug)}


def test_three_steps_show_three_periods() -> None:
    clock = ManualClock(MOMENT)
    with Simulator(events=10, clock=clock) as simulator:
        seen = []
        for _ in range(3):
            seen.append(answers_of(simulator))
            simulator.advance()
        assert simulator.state()["now"] == (MOMENT + timedelta(minutes=15)).isoformat()
    assert seen[0] != seen[1] != seen[2]


@pytest.mark.parametrize("document", ['{"periods": -1}', '{"periods": "x"}', "[]", "{"])
def test_a_step_that_makes_no_sense_is_refused(document: str, running: Simulator) -> None:
    answer = httpx.post(f"{running.url}/control/advance", content=document, trust_env=False)
    assert answer.status_code == 400


def test_the_environment_points_the_pipeline_at_it(monkeypatch: pytest.MonkeyPatch, running: Simulator) -> None:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert {slug: settings.of(slug).url for slug in running.urls} == running.urls


def test_without_gzip_the_same_answer_comes_plain(running: Simulator) -> None:
    with Asker(running) as ask:
        event = ask.event_ids("bet9ja")[-1]
        zipped = ask.event("bet9ja", event)
        ask.client.headers["accept-encoding"] = "identity"
        plain = ask.event("bet9ja", event)
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.content == zipped.content
    assert int(zipped.headers["content-length"]) < len(plain.content) / 4


@pytest.mark.parametrize(
    ("slug", "mean", "p95"), [("betpawa", 0.380, 0.517), ("sportybet", 0.589, 0.979), ("bet9ja", 0.641, 0.841)]
)
def test_realistic_latency_has_the_mean_and_tail_that_were_measured(slug: str, mean: float, p95: float) -> None:
    random = Random(1)
    times = sorted(REALISTIC[slug].draw(random) for _ in range(20_000))
    assert sum(times) / len(times) == pytest.approx(mean, rel=0.02)
    assert times[19_000] == pytest.approx(p95, rel=0.03)


def test_an_answer_takes_the_time_of_its_bookmaker() -> None:
    slow = {"sportybet": Latency(mean=0.8, spread=0)}
    with Simulator(events=5, clock=ManualClock(MOMENT), latency=slow) as simulator, Asker(simulator) as ask:
        start = time.perf_counter()
        ask.discovery("sportybet")
        middle = time.perf_counter()
        ask.discovery("betpawa")
        assert middle - start >= 0.8
        assert time.perf_counter() - middle < 0.8


def test_requests_are_counted(running: Simulator) -> None:
    before = running.state()["requests"]["sportybet"]
    with Asker(running) as ask:
        ask.discovery("sportybet")
    assert running.state()["requests"]["sportybet"] == before + 1


def test_a_process_of_its_own_ends_with_its_owner() -> None:
    with Simulator(events=5, own_process=True) as simulator:
        assert simulator.pid is not None
        process = psutil.Process(simulator.pid)
        assert process.is_running()
    assert not psutil.pid_exists(process.pid)


def test_a_process_whose_owner_is_killed_ends_too() -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; from odds_pipeline.simulator import Simulator\n"
            "s = Simulator(events=5, own_process=True).start(); print(s.pid, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    child.wait(timeout=10)


def test_a_process_cannot_be_given_a_clock_that_is_moved_by_hand() -> None:
    with pytest.raises(ValueError, match="SystemClock"):
        Simulator(own_process=True, clock=ManualClock(MOMENT))


def test_a_process_is_given_the_offset_of_the_clock() -> None:
    ahead = SystemClock(timedelta(days=3))
    with Simulator(events=5, own_process=True, clock=ahead) as simulator, Asker(simulator) as ask:
        kickoffs = [event["startTime"] for event in ask.betpawa_page()]
    assert max(kickoffs) > (SystemClock().now() + timedelta(days=2)).isoformat()


def test_a_port_that_is_taken_is_said_in_the_error(running: Simulator) -> None:
    port = httpx.URL(running.url).port
    assert port is not None
    with pytest.raises(OSError, match="in use"):
        Simulator(port=port).start()
    with pytest.raises(SimulatorFailed, match="in use"):
        Simulator(port=port, own_process=True).start()


def test_a_simulator_that_is_not_running_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Simulator().advance()


def test_the_command_says_where_it_listens_and_stops_on_interrupt() -> None:
    code = "import typer; from odds_pipeline.cli.simulate import simulate; typer.run(simulate)"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, "--events", "5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    url = re.search(r"export ODDS_SPORTYBET__URL=(\S+)", said)
    assert url is not None
    answer = httpx.get(f"{url[1]}/api/ng/factsCenter/popularAndSportList", trust_env=False)
    assert json.loads(answer.content)["bizCode"] == 10000
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) in (0, 130)
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()
