"""What goes wrong while writing: rows the database refuses, a server that goes away, runs that die; who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import polars as pl
import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.listings import UnknownBookmaker
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.database.record import RunGivenUp, WriteRecord
from odds_pipeline.database.runs import beat, fail_run, give_up_dead_runs, open_run, recurring_failures
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import prepare
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, commit, coverage, observations, prepared, running
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import current, errors, history_count, last_run, query

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
RESULT: MarketKey = ("3743", None)
UNLUCKY: MarketKey = ("5000", Decimal(13))
HOME = {"1": "2.5", "X": "3.2", "2": "2.9"}
OTHER = {"1": "2.4", "X": "3.3", "2": "3"}


def moment(number: int) -> datetime:
    return T0 + number * FIVE_MINUTES


def write(database: Database, cycle: Cycle, run_id: int) -> WriteRecord:
    return write_cycle(
        database, archive_of(database), prepared(cycle, run_id), run_id=run_id, settings=SETTINGS, now=cycle.as_of
    )


def execute(database: Database, statement: str) -> None:
    with database.connect() as connection:
        connection.execute(statement.encode())


def test_an_answer_that_the_database_refuses_is_set_aside_and_the_rest_commits(database: Database) -> None:
    """B-43 (R11): nothing of the answer counts, nor do its unchanged markets; it is recorded, and stored as soon as
    the database takes it.
    """
    commit(database, Cycle(moment(0), {}, [answer("betpawa", event, moment(0), {RESULT: HOME}) for event in "ef"]))
    execute(database, "ALTER TABLE markets ADD CONSTRAINT no_bad_luck CHECK (line IS DISTINCT FROM 13)")
    cycle = Cycle(
        moment(1),
        {},
        [
            answer("betpawa", "e", moment(1), {RESULT: HOME, UNLUCKY: OTHER}),
            answer("betpawa", "f", moment(1), {RESULT: OTHER}),
            answer("bet9ja", "g", moment(1), {RESULT: HOME}),
            answer("bet9ja", "h", moment(1), {RESULT: HOME, UNLUCKY: HOME}),
        ],
    )
    record = commit(database, cycle)
    assert (record.set_aside, record.new, record.changed, record.confirmed) == (2, 1, 1, 0)
    assert record.inserted_history == 2
    run_id, status, *_ = last_run(database)
    assert status == "partial"
    assert sorted(errors(database, run_id)) == [
        ("bet9ja", "h", "integrity_error", 1),
        ("betpawa", "e", "integrity_error", 1),
    ]
    ((message,), *_) = query(database, "SELECT message FROM scrape_errors WHERE scrape_run_id = %s", [run_id])
    assert "no_bad_luck" in message
    rows = current(database)
    assert rows.keys() == {("betpawa", "e", *RESULT), ("betpawa", "f", *RESULT), ("bet9ja", "g", *RESULT)}
    assert {row.last_confirmed_at for (_, event, *_), row in rows.items() if event == "e"} == {moment(0)}

    execute(database, "ALTER TABLE markets DROP CONSTRAINT no_bad_luck")
    later = [answer(said.bookmaker, said.event, moment(2)) for said in cycle.answers]
    for said, again in zip(cycle.answers, later, strict=True):
        again.markets = said.markets
    record = commit(database, Cycle(moment(2), {}, later))
    assert (record.new, record.set_aside) == (3, 0)
    assert rebuild_current(database).repaired == 0


def test_characters_that_no_text_in_the_database_can_hold_cost_their_own_answer(database: Database) -> None:
    """B-43 (R11): NUL in a market's identity, or in what a failure says; the answer proves nothing absent."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME, UNLUCKY: HOME})]))
    said = [
        answer("betpawa", "e", moment(1), {RESULT: OTHER, ("37\x0043", None): HOME}),
        answer("betpawa", "f", moment(1), status="failed"),
    ]
    cycle = Cycle(moment(1), {}, said)
    run_id = running(database, moment(1))
    told = coverage(cycle, run_id).with_columns(message=pl.lit("it said \x00"))
    record = write_cycle(
        database,
        archive_of(database),
        prepare(observations(cycle).lazy(), told, cycle_at=cycle.at),
        run_id=run_id,
        settings=SETTINGS,
        now=cycle.at,
    )
    assert (record.changed, record.unavailable, record.refused) == (1, 0, 1)
    assert {error[:3] for error in errors(database, run_id)} == {
        ("betpawa", "e", "forbidden_character"),
        ("betpawa", "e", "unidentified_market"),
        ("betpawa", "f", "timeout"),
    }


@contextmanager
def killed_while_waiting(database: Database, application: str, times: int) -> Iterator[list[int]]:
    """Ends the backends of ``application`` as they wait for the test's lock on history; then lets go of it."""
    ended: list[int] = []
    with database.connect() as blocker:
        blocker.execute("LOCK TABLE odds_history IN SHARE MODE")

        def kill() -> None:
            with database.connect(autocommit=True) as connection:
                while len(ended) < times:
                    for (pid,) in connection.execute(
                        """
                        SELECT pid FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'
                        """,
                        [application],
                    ).fetchall():
                        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
                        ended.append(pid)
                    connection.execute("SELECT pg_sleep(0.01)")
            blocker.rollback()

        killer = Thread(target=kill)
        killer.start()
        yield ended
        killer.join()


def test_a_writer_whose_connection_is_cut_in_its_transaction_tries_again(database: Database) -> None:
    """B-40, B-48 (R11): the transaction rolled back, so the second try starts from the state before."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME})]))
    writer = Database(database.url, application_name="cut_off")
    cycle = Cycle(moment(1), {}, [answer("betpawa", "e", moment(1), {RESULT: OTHER})])
    run_id = running(writer, moment(1))
    with killed_while_waiting(database, "cut_off", times=2) as ended:
        record = write(writer, cycle, run_id)
    writer.dispose()
    assert len(set(ended)) == 2
    assert (record.changed, record.inserted_history) == (1, 1)
    assert history_count(database) == 2
    assert last_run(database)[1] == "completed"


def test_a_writer_that_is_always_cut_off_gives_up_and_leaves_everything_as_it_was(database: Database) -> None:
    """B-48 (R11, I4): the run stays open until it is given up; another run does its work."""
    cycle = Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME})])
    writer = Database(database.url, application_name="always_cut_off")
    run_id = running(writer, moment(0))
    with killed_while_waiting(database, "always_cut_off", times=3), pytest.raises(psycopg.OperationalError):
        write(writer, cycle, run_id)
    writer.dispose()
    assert (history_count(database), current(database)) == (0, {})
    assert last_run(database)[:2] == (run_id, "running")
    assert commit(database, cycle).new == 1


def test_a_line_beyond_all_that_are_stored_costs_its_market_and_not_the_cycle(database: Database) -> None:
    """R11: whether it was refused after parsing or by the parser itself; its thousandths fit no integer."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME})]))
    beyond: set[MarketKey] = {("5000", Decimal(2_999_999)), ("5000", Decimal(-9_999_999))}
    offered = {RESULT: OTHER, ("5000", Decimal(3_000_000)): {"1": "2"}}
    record = commit(database, Cycle(moment(1), {}, [answer("betpawa", "e", moment(1), offered, refused=beyond)]))
    assert (record.changed, record.new, record.refused, record.set_aside) == (1, 0, 3, 0)


def test_answers_of_a_bookmaker_that_is_not_registered_are_refused_as_a_whole(database: Database) -> None:
    """B-33: a missing reference row is a loud failure, never a silent nothing."""
    said = [answer(slug, "e", T0, {RESULT: HOME}) for slug in ("betpawa", "nobet")]
    with pytest.raises(UnknownBookmaker, match="nobet"):
        commit(database, Cycle(T0, {}, said))
    assert history_count(database) == 0


@pytest.mark.parametrize(
    ("answers", "discoveries", "status"),
    [
        ({"e": "complete", "f": "complete"}, {"betpawa": True}, "completed"),
        ({"e": "complete", "f": "started"}, {"betpawa": True}, "completed"),
        ({"e": "complete", "f": "failed"}, {"betpawa": True}, "partial"),
        ({"e": "complete", "f": "not_asked"}, {"betpawa": True}, "partial"),
        ({"e": "complete"}, {"betpawa": True, "bet9ja": False}, "partial"),
        ({"e": "failed", "f": "failed"}, {"betpawa": True}, "failed"),
        ({}, {"betpawa": False}, "failed"),
    ],
)
def test_a_run_says_how_much_of_it_succeeded(
    database: Database, answers: dict[str, str], discoveries: dict[str, bool], status: str
) -> None:
    """B-39 (R8): and every failure is a typed row, per event or for the whole offer."""
    said = [
        answer("betpawa", event, T0, {RESULT: HOME} if kind == "complete" else {}, status=kind)
        for event, kind in answers.items()
    ]
    commit(database, Cycle(T0, {slug: (T0, succeeded) for slug, succeeded in discoveries.items()}, said))
    run_id, stored_status, *_ = last_run(database)
    assert stored_status == status
    failed: list[tuple[Any, ...]] = [
        ("betpawa", event, "timeout", 1) for event, kind in answers.items() if kind == "failed"
    ]
    failed += [(slug, None, "timeout", 1) for slug, succeeded in discoveries.items() if not succeeded]
    assert sorted(errors(database, run_id), key=str) == sorted(failed, key=str)


def test_the_watchdog_gives_up_runs_without_a_sign_of_life_and_only_those(database: Database) -> None:
    """B-36, B-45: pending or running, by heartbeat, start or creation; with times in UTC; once."""
    settings = Settings(dead_run_after=timedelta(minutes=30))
    now = datetime.now(UTC)
    long_ago, recently = now - timedelta(minutes=31), now - timedelta(minutes=29)
    pending = open_run(database, trigger="manual", now=long_ago)
    silent = running(database, long_ago)
    beating = running(database, long_ago)
    beat(database, beating, now=recently)
    fresh = running(database, recently)
    closed = running(database, long_ago)
    fail_run(database, closed, error_type="timeout", message="closed before", now=long_ago)

    assert give_up_dead_runs(database, settings=settings, now=now) == [pending, silent]
    statuses = dict(query(database, "SELECT id, status FROM scrape_runs"))
    assert statuses == {
        pending: "failed",
        silent: "failed",
        beating: "running",
        fresh: "running",
        closed: "failed",
    }
    assert errors(database, silent) == [(None, None, "dead_run", 1)]
    ((completed_at, error),) = query(database, "SELECT completed_at, error FROM scrape_runs WHERE id = %s", [silent])
    assert completed_at == now
    assert "30 minutes" in error
    assert give_up_dead_runs(database, settings=settings, now=now) == []


def test_a_run_given_up_for_dead_cannot_write_any_more(database: Database) -> None:
    """B-45 (I5): nor one that does not exist."""
    cycle = Cycle(T0, {}, [answer("betpawa", "e", T0, {RESULT: HOME})])
    run_id = running(database, T0)
    give_up_dead_runs(database, settings=SETTINGS, now=T0 + timedelta(days=1))
    for dead in (run_id, run_id + 1):
        with pytest.raises(RunGivenUp, match=str(dead)):
            write(database, cycle, dead)
    assert history_count(database) == 0


def test_failures_that_come_back_in_cycle_after_cycle_are_reported_with_their_streak(database: Database) -> None:
    """B-39 (R12): same bookmaker, type and event; since when, until when, how often; a good cycle ends the streak."""

    def cycle(number: int, failing: set[str]) -> None:
        said = [
            answer("betpawa", event, moment(number), status="failed" if event in failing else "complete")
            for event in ("always", "lately", "before")
        ]
        for one in said:
            one.markets = {} if one.status == "failed" else answer("", "", T0, {RESULT: HOME}).markets
        commit(database, Cycle(moment(number), {"bet9ja": (moment(number), number < 3)}, said))

    for number, failing in enumerate([{"always", "before"}, {"always", "before"}, {"always", "before"}, {"always"}]):
        cycle(number, failing)
    for number in (4, 5):
        cycle(number, {"always", "lately"})

    def streaks(cycles: int) -> dict[tuple[Any, ...], int]:
        frame = recurring_failures(database, cycles=cycles)
        names = dict(query(database, "SELECT event_id, external_event_id FROM event_bookmakers"))
        return {
            (row["bookmaker"], row["error_type"], names.get(row["event_id"])): row["cycles"]
            for row in frame.iter_rows(named=True)
        }

    assert streaks(3) == {("betpawa", "timeout", "always"): 6, ("bet9ja", "timeout", None): 3}
    assert streaks(2) == streaks(3) | {("betpawa", "timeout", "lately"): 2}
    (longest,) = recurring_failures(database, cycles=6).to_dicts()
    assert (longest["first_at"], longest["last_at"], longest["occurrences"]) == (moment(0), moment(5), 6)
    cycle(6, set())
    assert streaks(2) == {("bet9ja", "timeout", None): 4}


@pytest.mark.parametrize(
    ("market_id", "is_identified"), [("x" * 20_000, False), ("", False), ("own", True)], ids=["long", "empty", "named"]
)
def test_a_text_too_long_for_an_index_costs_its_own_market_never_the_cycle(
    database: Database, market_id: str, is_identified: bool
) -> None:
    """I7: and without a usable identity its answer proves nothing absent."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME, UNLUCKY: HOME})]))
    cycle = Cycle(
        moment(1),
        {},
        [answer("betpawa", "e", moment(1), {RESULT: OTHER}), answer("betpawa", "f", moment(1), {RESULT: HOME})],
    )
    rows = observations(cycle)
    long = rows.filter(pl.col("external_event_id") == "e").with_columns(
        betpawa_market_id=pl.lit(market_id), source_specifier=pl.lit("y" * 20_000)
    )
    run_id = running(database, moment(1))
    said = prepare(pl.concat([rows, long]).lazy(), coverage(cycle, run_id), cycle_at=moment(1))
    record = write_cycle(database, archive_of(database), said, run_id=run_id, settings=SETTINGS, now=moment(1))
    assert (record.new, record.changed, record.refused) == (1, 1, 1)
    assert record.unavailable == (1 if is_identified else 0)
    reasons = {error_type for _, event, error_type, _ in errors(database, run_id) if event == "e"}
    assert reasons == {"text_too_long"} if is_identified else "unidentified_market" in reasons
