"""History by answer: the SQL functions, what the writer puts into a pack, and what repairs make of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odds_pipeline.database import write
from odds_pipeline.database.corrections import apply_sent, difference, rewrite_history, send
from odds_pipeline.database.engine import Database
from odds_pipeline.database.glimpses import history_rows
from odds_pipeline.database.history import append_changes, ask_last_rows, read_history
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.odds.packs import CHANGES, packs_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import errors, last_run, query

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RESULT: MarketKey = ("3743", None)
BOTH: MarketKey = ("3795", None)
GOALS: MarketKey = ("5000", None)
HOME = {"1": "2.5", "X": "3.2", "2": "2.9"}
OTHER = {"1": "2.4", "X": "3.3", "2": "3"}


def moment(number: int) -> datetime:
    return T0 + number * timedelta(minutes=5)


def packs(database: Database) -> list[tuple[datetime, int, int]]:
    """Time, number of changes and run of every pack."""
    return query(
        database, "SELECT captured_at, odds_count(changes), run_id FROM odds_history ORDER BY captured_at, run_id"
    )


@pytest.fixture(scope="module")
def connection(shared_migrated_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_migrated_database, autocommit=True) as connection:
        yield connection


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([st.just(1), st.integers(1, 3), st.integers(1, 2**31 - 1)]).flatmap(
        lambda run: st.dictionaries(
            st.integers(1, 2**31 - 1), st.tuples(st.binary(min_size=1, max_size=70), run), min_size=1, max_size=150
        )
    )
)
def test_sql_packs_and_reads_the_same_bytes(
    connection: psycopg.Connection, changed: dict[int, tuple[bytes, int]]
) -> None:
    rows = [(1, market_id, T0, run_id, state) for market_id, (state, run_id) in sorted(changed.items())]
    (pack,) = packs_of(pl.DataFrame(rows, schema=dict(CHANGES), orient="row")).to_dicts()
    states, run_ids = zip(*changed.values(), strict=True)
    packed = connection.execute(
        "SELECT odds_pack(%s::int[], %s::bytea[], %s::int[])", [list(changed), list(states), list(run_ids)]
    ).fetchone()
    assert packed == (pack["changes"],)
    found = connection.execute(
        """
        SELECT market_id, state, run_id, odds_count(%(changes)s), odds_is_mixed(%(changes)s)
        FROM odds_changes(%(changes)s, %(run_id)s)
        """,
        pack,
    ).fetchall()
    is_mixed = len(set(run_ids)) > 1
    assert found == [(market_id, state, run_id, len(rows), is_mixed) for _, market_id, _, run_id, state in rows]


def test_an_answers_new_changed_and_gone_markets_are_one_pack(database: Database) -> None:
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME, BOTH: HOME})]))
    second = {RESULT: OTHER, GOALS: HOME}
    record = commit(database, Cycle(moment(1), {}, [answer("betpawa", "e", moment(1), second)]))
    assert (record.new, record.changed, record.unavailable, record.inserted_history) == (1, 1, 1, 3)
    (first_run, second_run) = [run_id for (run_id,) in query(database, "SELECT id FROM scrape_runs ORDER BY id")]
    assert packs(database) == [(moment(0), 2, first_run), (moment(1), 3, second_run)]
    assert query(database, "SELECT count(*), count(unavailable_at) FROM market_odds_history") == [(5, 1)]


def test_an_answer_that_no_pack_can_hold_is_set_aside_whole(database: Database) -> None:
    """R11: never torn, and the rest commits."""
    too_many = {str(number): "2.5" for number in range(16_400)}
    cycle = Cycle(
        moment(0),
        {},
        [
            answer("betpawa", "e", moment(0), {RESULT: HOME, GOALS: too_many}),
            answer("betpawa", "f", moment(0), {RESULT: HOME}),
        ],
    )
    record = commit(database, cycle)
    assert (record.set_aside, record.new, record.inserted_history) == (1, 1, 1)
    assert [(slug, event) for slug, event, *_ in errors(database, last_run(database)[0])] == [("betpawa", "e")]
    assert [(at, count) for at, count, _ in packs(database)] == [(moment(0), 1)]
    assert query(database, "SELECT count(*) FROM current_odds") == [(1,)]


def test_sql_refuses_two_changes_of_a_market(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DataException, match="two changes of market 5 in one answer"):
        connection.execute(r"SELECT odds_pack('{4, 5, 6, 5}', '{a, b, c, b}', '{1, 1, 1, 1}')")


def test_an_answer_with_two_changes_of_a_market_is_set_aside_and_the_rest_commits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever went wrong before: the writer is made to find a change twice."""

    def twice(connection: psycopg.Connection, changes: pl.DataFrame) -> None:
        append_changes(connection, pl.concat([changes, changes.filter(pl.col("event_bookmaker_id") == 1).head(1)]))

    monkeypatch.setattr(write, "append_changes", twice)
    answers = [answer("betpawa", event, moment(0), {RESULT: HOME, BOTH: HOME}) for event in ("e", "f")]
    record = commit(database, Cycle(moment(0), {}, answers))
    assert (record.set_aside, record.new, record.inserted_history) == (1, 2, 2)
    assert [(slug, event) for slug, event, *_ in errors(database, last_run(database)[0])] == [("betpawa", "e")]
    ((told,),) = query(database, "SELECT message FROM scrape_errors")
    assert re.search(r"two changes of market \d+ at 2026-03-01 12:00:00\+00:00 \(bookmaker event 1\)", told)
    assert query(database, "SELECT count(*), count(DISTINCT market_id) FROM odds_history_changes") == [(2, 2)]
    assert rebuild_current(database).repaired == 0


def test_a_difference_that_says_a_market_and_moment_twice_is_refused(database: Database) -> None:
    """Whether it is sent at once or in parts."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME, BOTH: HOME})]))
    with database.connect() as connection:
        stored = read_history(connection)
    found = difference(stored, stored.with_columns(run_id=pl.lit(900, pl.Int32)))
    for before, last in ((found.clear(), pl.concat([found, found])), (found, found.head(1))):
        with database.connect() as connection:
            send(connection, before)
            with pytest.raises(psycopg.errors.DataError, match=r"one change of a market and time: .*\(1, 2026-03-01"):
                send(connection, last)
            connection.rollback()
    with database.connect() as connection:
        assert read_history(connection).equals(stored)


def test_a_market_that_damage_left_twice_in_a_pack_is_mended(database: Database) -> None:
    """By who says what it should be; who writes beside it keeps one of the two."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME, BOTH: HOME})]))
    with database.connect() as connection:
        stored = read_history(connection).sort("market_id")
    other = stored.with_columns(state=pl.Series([b"\x02", b"\x02"]))
    for damage in (other, stored):
        for wanted in (stored, stored.tail(1), pl.concat([stored.head(1), other.tail(1)])):
            with database.connect() as connection:
                double(connection, pl.concat([stored.head(1), damage.head(1), stored.tail(1)]))
                send(connection, difference(read_history(connection), wanted))
                apply_sent(connection)
                assert read_history(connection).sort("market_id").equals(wanted)
    with database.connect() as connection:
        double(connection, pl.concat([stored.head(1), other.head(1), stored.tail(1)]))
        beside = read_history(connection).filter(pl.col("market_id") == 2)
        rewrite_history(connection, difference(beside, other.tail(1)))
        assert read_history(connection).sort("market_id")["market_id"].to_list() == [1, 2]


def double(connection: psycopg.Connection, rows: pl.DataFrame) -> None:
    """Make the only pack one of these rows, as nothing of the project does."""
    states = rows["state"].to_list()
    head = [number.to_bytes(4) for number in rows["market_id"]] + [len(state).to_bytes(2) for state in states]
    pack = len(states).to_bytes(2) + b"".join(head + states)
    connection.execute("UPDATE odds_history SET changes = %s, run_id = %s", [pack, rows["run_id"][0]])


def test_an_answer_cannot_be_appended_twice(database: Database) -> None:
    rows = pl.DataFrame([(1, 5, T0, 1, b"\x00")], schema=dict(CHANGES), orient="row")
    with database.connect() as connection:
        ensure_partitions(connection, T0.date(), T0.date())
        append_changes(connection, rows)
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            append_changes(connection, rows.with_columns(market_id=pl.lit(6, pl.Int32), run_id=pl.lit(2, pl.Int32)))


def test_each_row_of_a_moment_keeps_its_own_run(database: Database) -> None:
    """Rows of imports and repairs may meet an answer's at one moment."""
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), {RESULT: HOME, BOTH: HOME, GOALS: HOME})]))
    with database.connect() as connection:
        stored = read_history(connection).sort("market_id")
    (run_id,) = last_run(database)[:1]
    later = stored.with_columns(run_id=pl.Series([run_id, 900, run_id], dtype=pl.Int32))
    for wanted, run_of_pack, done in ((later, 900, [(0, 0, 1)]), (later, 900, []), (stored, run_id, [(0, 0, 1)])):
        with database.connect() as connection, connection.transaction():
            take_writer_lock(connection)
            send(connection, difference(read_history(connection), wanted))
            assert [changed[1:] for changed in apply_sent(connection)] == done
        assert packs(database) == [(moment(0), 3, run_of_pack)]
        with database.connect() as connection:
            assert read_history(connection).sort("market_id").equals(wanted)
            for run in (run_id, 900):
                of_run = wanted.filter(pl.col("run_id") == run)
                assert read_history(connection, run_ids=[run]).sort("market_id").equals(of_run)
                counted = history_rows(database, moment(0), moment(1), run_id=run)
                assert (counted.all, counted.of_run) == (3, of_run.height)
                assert type(counted.of_run) is int
        assert query(database, "SELECT market_id, captured_at, run_id FROM market_odds_history ORDER BY 1") == (
            wanted.select("market_id", "captured_at", "run_id").rows()
        )
    assert rebuild_current(database).repaired == 0


def test_rows_are_put_into_packs_and_taken_out_of_them(database: Database) -> None:
    offers = {RESULT: HOME, BOTH: HOME, GOALS: HOME}
    commit(database, Cycle(moment(0), {}, [answer("betpawa", "e", moment(0), offers)]))
    with database.connect() as connection, connection.transaction():
        before = read_history(connection).sort("market_id")
        one, two, three = before.iter_slices(1)
        rewrite_history(connection, difference(before, pl.concat([one, three])))
        assert read_history(connection).sort("market_id").equals(pl.concat([one, three]))
        other = two.with_columns(captured_at=pl.col("captured_at").dt.offset_by("1d"))
        rewrite_history(connection, difference(read_history(connection), pl.concat([before, other])))
        assert read_history(connection).sort("captured_at", "market_id").equals(pl.concat([before, other]))
        rewrite_history(connection, difference(read_history(connection), before.clear()))
        assert connection.execute("SELECT count(*) FROM odds_history").fetchone() == (0,)


@pytest.mark.parametrize("in_server", [False, True])
def test_the_last_rows_are_found_wherever_they_lie(database: Database, in_server: bool) -> None:
    prices = [{RESULT: HOME, BOTH: HOME}, {RESULT: OTHER, BOTH: HOME}, {RESULT: OTHER, BOTH: OTHER}]
    for day, offer in enumerate(prices):
        at = T0 + timedelta(days=day)
        commit(database, Cycle(at, {}, [answer(slug, "e", at, offer) for slug in ("betpawa", "bet9ja")]))
    with database.connect() as connection:
        rows = read_history(connection).sort("market_id", "captured_at")
        market_ids = rows["market_id"].unique().sort().to_list()
        for days in range(4):
            until = T0 + timedelta(days=days, seconds=-1)
            found = ask_last_rows(connection, market_ids[1:], until, T0, in_server=in_server)()
            known = rows.filter(pl.col("captured_at") <= until, pl.col("market_id").is_in(market_ids[1:]))
            assert found.sort("market_id").equals(known.unique("market_id", keep="last", maintain_order=True))
