"""A running simulator for the tests of its protocols."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odds_pipeline.clock import ManualClock
from odds_pipeline.simulator import Simulator
from odds_pipeline_tests.simulator.asking import MOMENT, Asker


@pytest.fixture(scope="package")
def running() -> Iterator[Simulator]:
    """One simulator for all tests that only ask it, or that clean up after themselves."""
    with Simulator(events=120, seed=7, clock=ManualClock(MOMENT)) as simulator:
        yield simulator


@pytest.fixture
def ask(running: Simulator) -> Iterator[Asker]:
    """A client of ``running``; faults are cleared afterwards."""
    with Asker(running) as client:
        yield client
    running.clear_faults()
