"""The index of a day that is over is packed once, while readers and writers go on."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import psycopg
import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.days import compact
from odds_pipeline.days.compact import compact_days
from odds_pipeline_tests.database.reading import query

DAY = date(2026, 11, 1)
TOMORROW = DAY + timedelta(days=1)
BYTES_A_ROW = "SELECT pg_indexes_size('odds_history_20261101') / count(*) FROM odds_history_20261101"


@pytest.fixture(autouse=True)
def two_days(database: Database) -> None:
    """Two days of rows that arrived by time, each market again and again: their indexes end loosely filled."""
    with database.connect() as connection:
        ensure_partitions(connection, DAY, TOMORROW)
        for cycle in range(24):
            connection.execute(
                "INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes) "
                "SELECT %s + (%s + day * 24) * interval '1 hour', listing, 1, '\\x0001000000010003000064' "
                "FROM generate_series(1, 3000) AS listing, generate_series(0, 1) AS day",
                [DAY, cycle],
            )


def test_days_that_are_over_are_packed_once_and_today_is_left_alone(database: Database) -> None:
    rows = query(database, "SELECT * FROM odds_history ORDER BY event_bookmaker_id, captured_at")
    (packed,) = compact_days(database, before=TOMORROW)
    assert packed.day == DAY
    assert packed.after < 0.8 * packed.before
    assert packed.after / 72_000 < 30, "bytes of the key per row"
    assert query(database, "SELECT * FROM odds_history ORDER BY event_bookmaker_id, captured_at") == rows
    assert compact_days(database, before=TOMORROW) == []
    attached = "SELECT count(*) FROM pg_index WHERE indrelid = 'odds_history_20261101'::regclass AND indisvalid"
    assert query(database, attached) == [(2,)]
    with database.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO odds_history SELECT * FROM odds_history LIMIT 1")


def test_a_small_index_is_not_worth_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "_LEAST_BYTES", 1 << 30)
    assert compact_days(database, before=TOMORROW) == []


def test_what_a_killed_rebuild_left_is_cleared_up_and_done_again(database: Database) -> None:
    """A rebuild waits for a reader; its server process ends meanwhile."""
    ended: list[psycopg.Error] = []

    def rebuild() -> None:
        try:
            compact_days(database, before=TOMORROW)
        except psycopg.Error as error:
            ended.append(error)

    with database.connect() as reader, database.connect(autocommit=True) as watch:
        reader.execute("SELECT count(*) FROM odds_history")
        thread = threading.Thread(target=rebuild)
        thread.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'REINDEX%%' AND wait_event_type = 'Lock'"
        while (found := watch.execute(waiting).fetchone()) is None:
            assert thread.is_alive()
        watch.execute("SELECT pg_terminate_backend(%s)", [found[0]])
        thread.join()
    assert ended
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert query(database, invalid) == [(1,)], "the new index, or the old one if the new one is in its place"
    compact_days(database, before=TOMORROW)
    assert query(database, invalid) == [(0,)]
    assert query(database, BYTES_A_ROW)[0][0] < 30


def test_a_day_that_is_read_without_a_pause_is_left_for_the_next_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "_WAIT", timedelta(milliseconds=200))
    with database.connect() as reader:
        reader.execute("SELECT count(*) FROM odds_history")
        assert compact_days(database, before=TOMORROW) == []
        with database.connect() as writer:
            writer.execute("INSERT INTO odds_history VALUES (%s, 9999, 1, '\\x0000')", [DAY])
    compact_days(database, before=TOMORROW)
    assert query(database, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    assert query(database, BYTES_A_ROW)[0][0] < 30
