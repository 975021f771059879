"""Turnover: what cycles say of themselves, against a plain count of what they were given and what they stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.turnover import turnover
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.rows import insert

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
PERIOD = timedelta(minutes=5)
BOOKMAKERS = ("betpawa", "sportybet")


def cycles(count: int, *, start: datetime = START, seed: int = 1) -> list[Cycle]:
    """Three events at two bookmakers, of which one at times fails or has begun, with prices that seldom move."""
    draw = Random(seed)
    prices = {(slug, event): 2.0 for slug in BOOKMAKERS for event in "abc"}
    made: list[Cycle] = []
    for number in range(count):
        at = start + number * PERIOD
        answers: list[Answer] = []
        for (slug, event), price in prices.items():
            if draw.random() < 0.2:
                prices[slug, event] = price + 0.01
            status = draw.choices(["complete", "failed"], [9, 1])[0]
            offered: dict[MarketKey, dict[str, str | None]] = {
                ("1x2", None): {"1": f"{prices[slug, event]:.2f}"},
                ("ou", None): {"over": "1.9", "under": "1.8"},
            }
            answers.append(answer(slug, event, at, offered if status == "complete" else {}, status=status))
        made.append(Cycle(at, {}, answers))
    return made


def test_the_numbers_are_those_of_a_plain_count(database: Database) -> None:
    """What whole snapshots would have stored is what the answers held; what was stored is what history has."""
    given = cycles(20)
    for each in given:
        commit(database, each)
    now = START + timedelta(hours=2)
    found = turnover(database, now=now)
    assert found is not None
    answers = [each for cycle in given for each in cycle.answers if each.status == "complete"]
    assert len(answers) < 20 * 6, "some failed"
    assert (found.since, found.until, found.cycles) == (START, now, 20)
    assert found.answers == len(answers)
    assert found.observations == sum(len(each.markets) for each in answers)
    [(rows, firsts, changed)] = query(
        database,
        """
        SELECT count(*), count(DISTINCT market_id), count(DISTINCT (event_bookmaker_id, captured_at))
        FROM odds_history_changes
        """,
    )
    assert (found.history_rows, found.first_sightings, found.changed_answers) == (rows, firsts, changed)
    assert found.events == round(sum(len(read(cycle)) for cycle in given) / 20)
    assert found.days == 2 / 24


def read(cycle: Cycle) -> set[tuple[str, str]]:
    """Different events of which an answer was read; without a SportRadar id each listing is an event of its own."""
    return {(each.bookmaker, each.event) for each in cycle.answers if each.status == "complete"}


def test_what_began_before_the_days_asked_for_is_not_counted_and_the_stretch_is_whole(database: Database) -> None:
    now = START + timedelta(days=7, minutes=12)
    for each in cycles(4):
        commit(database, each)
    found = turnover(database, now=now)
    assert found is not None
    assert (found.cycles, found.since, found.days) == (1, now - timedelta(days=7), 7.0)
    assert turnover(database, now=now + timedelta(days=1)) is None, "no cycle in seven days"


def test_refreshes_replays_and_runs_that_died_are_no_cycles(database: Database) -> None:
    for each in cycles(2):
        commit(database, each)
    before = turnover(database, now=START + timedelta(hours=1))
    with database.connect() as connection:
        for trigger in ("webhook", "backfill"):
            connection.execute(
                "INSERT INTO scrape_runs (status, trigger, started_at, counts) "
                "SELECT status, %s, started_at, counts FROM scrape_runs LIMIT 1",
                [trigger],
            )
        insert(connection, "scrape_runs", trigger="scheduled", status="failed", started_at=START + PERIOD)
    assert turnover(database, now=START + timedelta(hours=1)) == before


def test_changed_answers_are_not_known_while_a_cycle_did_not_count_them(database: Database) -> None:
    for each in cycles(3):
        commit(database, each)
    now = START + timedelta(hours=1)
    assert (found := turnover(database, now=now)) is not None
    assert found.changed_answers is not None
    with database.connect() as connection:
        connection.execute(
            "UPDATE scrape_runs SET counts = counts - 'changed_answers' WHERE id = (SELECT min(id) FROM scrape_runs)"
        )
    assert (without := turnover(database, now=now)) is not None
    assert (without.changed_answers, without.history_rows) == (None, found.history_rows)


def test_there_is_no_turnover_before_the_first_cycle_is_an_hour_old(database: Database) -> None:
    assert turnover(database, now=START) is None
    commit(database, cycles(1)[0])
    assert turnover(database, now=START) is None
    assert turnover(database, now=START + timedelta(minutes=59)) is None
    assert turnover(database, now=START + timedelta(hours=1)) is not None
