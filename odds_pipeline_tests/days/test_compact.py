"""A day that is over is written in the order of its key, once, while readers and writers go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from odds_pipeline.database import migrate
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.reader_role import as_reader, ensure_reader_role
from odds_pipeline.days import compact
from odds_pipeline.days.compact import CompactedDay, WaitingDay, compact_days
from odds_pipeline.days.contents import Stamp
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days import doomed_work
from odds_pipeline_tests.days.reading_on import reading_on
from odds_pipeline_tests.doomed import kill_at

DAY = date(2026, 11, 1)
TOMORROW = DAY + timedelta(days=1)
LISTINGS, CYCLES = 600, 24
ROWS = "SELECT * FROM odds_history ORDER BY event_bookmaker_id, captured_at"


@pytest.fixture(autouse=True)
def two_days(database: Database) -> None:
    """Two days of rows that arrived by time, each listing again and again: their indexes end loosely filled."""
    with database.connect() as connection:
        ensure_partitions(connection, DAY, TOMORROW)
        for cycle in range(CYCLES):
            write(connection, range(1, LISTINGS + 1), cycle)


def write(connection: psycopg.Connection, listings: range, hour: int) -> None:
    """Append a row of each listing to each of the two days."""
    connection.execute(
        "INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes) "
        "SELECT (%s + day)::timestamp AT TIME ZONE 'UTC' + %s * interval '1 hour', listing, 1, "
        "'\\x0001000000010003000064' FROM generate_series(%s::int, %s::int) AS listing, generate_series(0, 1) AS day",
        [DAY, hour, listings.start, listings.stop - 1],
    )


def is_in_order(database: Database, day: date = DAY) -> bool:
    """Whether rows lie on their pages in the order of the key."""
    places = query(database, f"SELECT event_bookmaker_id, captured_at FROM odds_history_{day:%Y%m%d} ORDER BY ctid")
    return places == sorted(places)


def put_in_order(database: Database, before: date = TOMORROW) -> list[CompactedDay]:
    """The days that were; there are none that were not."""
    compacted, waiting = compact_days(database, before=before)
    assert waiting == []
    return compacted


def left_waiting(database: Database, before: date = TOMORROW) -> WaitingDay:
    """The one day that was not put in order."""
    compacted, (waiting,) = compact_days(database, before=before)
    assert compacted == []
    assert waiting.day == DAY
    return waiting


def copies(database: Database) -> list[tuple[Any, ...]]:
    return query(database, "SELECT relname FROM pg_class WHERE relname ~ 'in_order'")


def test_days_that_are_over_are_put_in_order_once_and_today_is_left_alone(database: Database) -> None:
    rows = query(database, ROWS)
    (done,) = put_in_order(database)
    assert done.day == DAY
    assert done.after < 0.95 * done.before
    assert is_in_order(database)
    assert not is_in_order(database, TOMORROW)
    assert query(database, ROWS) == rows
    assert put_in_order(database) == []
    assert copies(database) == []


def test_the_new_day_is_a_partition_like_the_one_before(database: Database) -> None:
    described = """
        SELECT relname, pg_get_expr(relpartbound, oid), reloptions FROM pg_class WHERE relname ~ '^odds_history_2026'
        UNION ALL
        SELECT conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid), NULL FROM pg_constraint
        WHERE conrelid::regclass::text ~ '^odds_history_2026'
        UNION ALL SELECT inhrelid::regclass::text, inhparent::regclass::text, NULL FROM pg_inherits ORDER BY 1, 2
    """
    before = query(database, described)
    put_in_order(database)
    tight = [
        (name, what, ["fillfactor=100"]) if name == "odds_history_20261101_pkey" and options is None and what is None
        else (name, what, options)
        for name, what, options in before
    ]  # fmt: skip
    assert query(database, described) == tight
    with database.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO odds_history SELECT * FROM odds_history LIMIT 1")


def test_the_new_day_is_tight_and_known_to_the_planner(database: Database) -> None:
    put_in_order(database)
    (known,) = query(
        database,
        "SELECT reltuples, relallvisible = relpages, pg_relation_size('odds_history_20261101_pkey') / reltuples "
        "FROM pg_class WHERE relname = 'odds_history_20261101'",
    )
    assert known[:2] == (LISTINGS * CYCLES, True)
    assert known[2] < 31, "bytes of the key per row"
    statistics = "SELECT correlation FROM pg_stats WHERE tablename = 'odds_history_20261101' ORDER BY attname"
    assert (1.0,) in query(database, statistics)


def test_rights_on_the_day_survive(database: Database) -> None:
    ensure_reader_role(database)
    with database.connect() as connection:
        connection.execute("GRANT SELECT, REFERENCES ON odds_history_20261101 TO PUBLIC")
        connection.execute("GRANT INSERT ON odds_history_20261101 TO odds_reader WITH GRANT OPTION")
    rights = (
        "SELECT granted.* FROM pg_class, aclexplode(relacl) AS granted WHERE relname = 'odds_history_20261101' "
        "ORDER BY grantee, privilege_type"
    )
    before = query(database, rights)
    assert len(put_in_order(database)) == 1
    assert query(database, rights) == before
    reader = as_reader(database, statement_timeout=timedelta(seconds=10))
    assert query(reader, "SELECT count(*) FROM odds_history_changes") == [(2 * LISTINGS * CYCLES,)]
    reader.dispose()


def test_a_small_day_is_not_worth_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "_LEAST_BYTES", 1 << 30)
    assert put_in_order(database) == []


def test_late_rows_are_put_in_order_once_they_are_many(database: Database) -> None:
    put_in_order(database)
    with database.connect() as connection:
        write(connection, range(LISTINGS + 1, LISTINGS + 10), 5)
    assert put_in_order(database) == []
    with database.connect() as connection:
        for hour in range(6, 12):
            write(connection, range(-LISTINGS, 0), hour)
    assert not is_in_order(database)
    rows = query(database, ROWS)
    assert len(put_in_order(database)) == 1
    assert is_in_order(database)
    assert query(database, ROWS) == rows


def test_a_row_that_comes_while_the_copy_is_made_is_not_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = compact.stamp
    looked: list[str] = []

    def stamp_and_be_overtaken(connection: psycopg.Connection, partition: str):
        found = real(connection, partition)
        if not looked:
            with database.connect() as writer:
                write(writer, range(LISTINGS + 1, LISTINGS + 2), 3)
        looked.append(partition)
        return found

    monkeypatch.setattr(compact, "stamp", stamp_and_be_overtaken)
    assert "got other rows" in left_waiting(database).reason
    assert copies(database) == []
    rows = query(database, ROWS)
    assert len(rows) == 2 * (LISTINGS * CYCLES + 1)
    assert len(put_in_order(database)) == 1, "the next run"
    assert query(database, ROWS) == rows
    assert looked == ["odds_history_20261101_in_order", "odds_history_20261101"] * 2


def test_what_a_killed_run_left_is_cleared_up_and_done_again(database: Database) -> None:
    """The copy waits for a reader to take the day's place; nobody holds the locks of a process that is killed."""
    rows = query(database, ROWS)
    finished = "SELECT FROM pg_class WHERE relname = 'odds_history_20261101_in_order' AND reltuples > 0"
    with database.connect() as reader:
        reader.execute("SELECT FROM odds_history LIMIT 1")
        kill_at(lambda: bool(query(database, finished)), doomed_work.compact, database.url, TOMORROW)
        assert query(database, ROWS) == rows
    assert copies(database)
    migrate.verify(database.url)
    assert [done.day for done in put_in_order(database)] == [DAY]
    assert copies(database) == []
    assert is_in_order(database)
    assert query(database, ROWS) == rows


def test_a_copy_whose_day_has_gone_is_cleared_up(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE odds_history_20261001_in_order (LIKE odds_history)")
    assert put_in_order(database, DAY) == []
    assert copies(database) == []


def test_a_day_that_is_read_without_a_pause_is_left_for_the_next_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as reader, monkeypatch.context() as patience:
        patience.setattr(compact, "_WAIT", timedelta(milliseconds=300))
        reader.execute("SELECT count(*) FROM odds_history")
        assert "is being read without a pause" in left_waiting(database).reason
        assert copies(database) == []
        with database.connect() as writer:
            write(writer, range(9_999, 10_000), 1)
    assert len(put_in_order(database)) == 1
    assert query(database, "SELECT count(*) FROM odds_history WHERE event_bookmaker_id = 9999") == [(2,)]


def test_a_snapshot_of_before_keeps_the_day_and_reads_all_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To it the rows of the copy do not exist, though it has not yet looked at history and holds no lock of it."""
    with database.connect() as reader, monkeypatch.context() as patience:
        patience.setattr(compact, "_WAIT", timedelta(milliseconds=300))
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT FROM scrape_runs")
        assert f"the processes {reader.info.backend_pid} " in left_waiting(database).reason
        assert reader.execute("SELECT count(*) FROM odds_history").fetchone() == (2 * LISTINGS * CYCLES,)
    assert len(put_in_order(database)) == 1


def test_a_snapshot_of_another_account_keeps_the_day_too(
    database: Database, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts without rights on each other are not told what the other's process is."""
    monkeypatch.setattr(compact, "_WAIT", timedelta(milliseconds=300))
    with database.connect() as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT FROM scrape_runs")
        assert "look at the database as it was before" in left_waiting(owner).reason
        assert reader.execute("SELECT count(*) FROM odds_history").fetchone() == (2 * LISTINGS * CYCLES,)
    assert len(put_in_order(owner)) == 1


@pytest.fixture
def owner(database: Database) -> Iterator[Database]:
    """The database as an account sees it that owns history and is no administrator."""
    with database.connect(autocommit=True) as connection:
        connection.execute("CREATE ROLE history_owner")
        connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO history_owner")
        for table in ("odds_history", "odds_history_20261101", "odds_history_20261102"):
            connection.execute(f"ALTER TABLE {table} OWNER TO history_owner".encode())
        owner = Database(database.url.update_query_dict({"options": "-c role=history_owner"}))
        try:
            yield owner
        finally:
            owner.dispose()
            connection.execute("REASSIGN OWNED BY history_owner TO CURRENT_USER")
            connection.execute("DROP OWNED BY history_owner")
            connection.execute("DROP ROLE history_owner")


def test_a_copy_that_a_dump_reads_waits_for_the_next_run(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    real = compact.stamp
    rows = query(database, ROWS)
    with database.connect() as dump, monkeypatch.context() as patched:

        def stamp_and_be_dumped(connection: psycopg.Connection, partition: str) -> Stamp:
            dump.execute(f"LOCK TABLE odds_history, {partition} IN ACCESS SHARE MODE".encode())
            return real(connection, partition)

        patched.setattr(compact, "stamp", stamp_and_be_dumped)
        patched.setattr(compact, "_WAIT", timedelta(milliseconds=300))
        told = left_waiting(database).reason
        assert "is being read without a pause" in told
        assert "the unfinished copy odds_history_20261101_in_order cannot be dropped (canceling statement" in told
        assert left_waiting(database).reason.startswith("the unfinished copy odds_history_20261101_in_order")
    assert len(put_in_order(database)) == 1
    assert copies(database) == []
    assert query(database, ROWS) == rows


def test_a_day_that_fails_does_not_keep_the_next_from_its_order(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE VIEW odds_history_20261101_in_order AS SELECT")
    compacted, (waiting,) = compact_days(database, before=TOMORROW + timedelta(days=1))
    assert [day.day for day in compacted] == [TOMORROW]
    assert waiting == WaitingDay(
        DAY,
        "odds_history_20261101 could not be written in order: "
        'relation "odds_history_20261101_in_order" already exists; the next run tries again',
    )


OWN = {
    "ALTER TABLE {} OWNER TO pg_monitor": "the owner pg_monitor",
    "GRANT SELECT (run_id) ON {} TO pg_monitor": "rights on the column run_id",
    "CREATE INDEX by_run ON {} (run_id)": "the index by_run",
    "ALTER TABLE {} SET (autovacuum_enabled = off)": "the option autovacuum_enabled=off",
    "ALTER TABLE {} SET (toast.autovacuum_enabled = off)": "the option toast.autovacuum_enabled=off",
    "ALTER INDEX {}_pkey SET (fillfactor = 70)": "the option index.fillfactor=70",
    "ALTER TABLE {} REPLICA IDENTITY FULL": "its replica identity",
    "ALTER TABLE {} ALTER changes SET STORAGE EXTERNAL": 'the storage "e" of changes',
    "ALTER TABLE {} ALTER changes SET COMPRESSION pglz": 'the compression "p" of changes',
    "ALTER TABLE {} ALTER run_id SET STATISTICS 500": "the statistics target 500 of run_id",
    "ALTER TABLE {} ALTER run_id SET (n_distinct = 3)": "the options {n_distinct=3} of run_id",
    "ALTER TABLE {} ADD CONSTRAINT runs CHECK (run_id > 0)": "the constraint runs",
    "CREATE STATISTICS pairs ON run_id, captured_at FROM {}": "the statistics pairs",
    "CREATE PUBLICATION changes FOR TABLE {}": "the publication changes",
    "CREATE RULE nothing AS ON DELETE TO {} DO ALSO NOTIFY gone": "the rule nothing",
    "CREATE POLICY narrow ON {}": "the policy narrow",
    "CREATE TRIGGER same BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()": (
        "the trigger same"
    ),
    "COMMENT ON TABLE {} IS 'not ours'": "the comment 'not ours'",
    "COMMENT ON COLUMN {}.run_id IS 'whose'": "a comment on the column run_id",
}


def test_a_day_that_has_something_of_its_own_is_left_alone_and_that_is_told(database: Database) -> None:
    put_in_order(database)  # What was written in order before counts as little as what the table gives its partitions.
    with database.connect() as connection:
        connection.execute("COMMENT ON TABLE odds_history_20261101 IS 'In key order at 1 bytes.'")
        for command in OWN:
            connection.execute(command.format("odds_history_20261101").encode())
    told = re.fullmatch("odds_history_20261101 has of its own (.+): a copy .+", left_waiting(database).reason)
    assert told is not None
    assert sorted(told[1].split(", ")) == sorted(OWN.values())
    assert copies(database) == []


def test_readers_find_every_row_and_do_not_queue_behind_one_that_holds_on(database: Database) -> None:
    with reading_on(database, count) as reading:
        done = put_in_order(database)
    assert [day.day for day in done] == [DAY]
    assert reading.counts == {2 * LISTINGS * CYCLES}
    reading.require_no_queue()


def count(reader: psycopg.Connection) -> int:
    ((rows,),) = reader.execute("SELECT count(*) FROM odds_history")
    return rows
