"""Attack: answers of every bookmaker spoilt in their structure and in their bytes, many in each cycle."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.fuzz_answers import SLUGS, Source, pool
from odds_pipeline_tests.attacks.fuzz_cycle import Fuzz
from odds_pipeline_tests.attacks.fuzz_offers import OfferFuzz, recorded_pages
from odds_pipeline_tests.attacks.holding import assert_invariants_hold, remember
from odds_pipeline_tests.captures import needs_captures

SEED = 20_300_302
SOAK = [pytest.mark.soak, pytest.mark.timeout(3 * 3600)]


@pytest.mark.parametrize("source", ["simulator", pytest.param("captures", marks=needs_captures)])
@pytest.mark.parametrize(
    ("cycles", "victims"),
    [pytest.param(2, 120, id="240 answers"), pytest.param(50, 500, id="25,000 answers", marks=SOAK)],
)
def test_spoilt_answers_harm_nobody_and_all_of_them_are_counted(
    database: Database, tmp_path: Path, cycles: int, victims: int, source: Source
):
    """I3, I7: no cycle fails, no row is refused by the database, and whole answers are stored beside spoilt ones."""
    fuzz = Fuzz(database, tmp_path, pool(SEED, source, 100), SEED, victims=victims, neighbours=victims // 10)
    past = []
    for number in range(cycles):
        try:
            fuzz.assert_survived(fuzz.cycle())
        except BaseException as failure:
            failure.add_note(f"cycle {number} of seed {SEED}, answers of the {source}")
            raise
        if number % 10 == 0:
            past.append(remember(database, fuzz.clock.now()))
    assert_invariants_hold(database, archive_of(database), Random(SEED), past=past)
    answers = cycles * victims * len(SLUGS)
    print(f"seed {SEED}, answers of the {source}: {dict(fuzz.outcomes)}, {answers} of them spoilt")
    assert fuzz.outcomes["complete"] > answers // 3
    assert fuzz.outcomes["failed"] > answers // 100
    assert fuzz.outcomes["unreadable"] > answers // 20


@pytest.mark.parametrize(
    ("rounds", "discoveries"), [pytest.param(1, 60, id="60"), pytest.param(40, 250, id="10,000", marks=SOAK)]
)
def test_spoilt_lists_of_events_are_typed_failures_or_listings_that_can_be_stored(
    database: Database, tmp_path: Path, rounds: int, discoveries: int
):
    fuzz = OfferFuzz(database, tmp_path, recorded_pages(events=12, seed=3), SEED)
    for number in range(rounds):
        try:
            fuzz.round(discoveries)
        except BaseException as failure:
            failure.add_note(f"round {number} of seed {SEED}")
            raise
    print(f"seed {SEED}: {fuzz.found} offers found, {fuzz.not_found} failed")
    assert fuzz.found > 0
    assert fuzz.not_found > 0
