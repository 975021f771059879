"""Retention killed anywhere leaves every row in exactly one place, and the next run finishes the job."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, LiteralString

from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.opening import opening_state
from odds_pipeline.days.retention import retain
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.rounds import wait_until
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, archived_rows, shown_rows
from odds_pipeline_tests.days.doomed_work import SETTINGS, retention
from odds_pipeline_tests.doomed import DOOMED, Reached, has_sessions, kill_at

_GATE = 4712

KillPoint = Callable[[Database], AbstractContextManager[Reached]]


def at_statement(timing: LiteralString) -> KillPoint:
    """A point within the database: there a trigger sleeps until the test lets it go on.

    It does not wait for a lock, because retention does not wait for locks for long.
    """

    @contextmanager
    def point(database: Database) -> Iterator[Reached]:
        is_event_trigger = timing.startswith("EVENT")
        with database.connect(autocommit=True) as connection:
            connection.execute(
                f"""
                CREATE FUNCTION sleep_at_gate() RETURNS {"event_trigger" if is_event_trigger else "trigger"}
                LANGUAGE plpgsql AS $$
                BEGIN
                    WHILE NOT pg_try_advisory_xact_lock_shared({_GATE}) LOOP PERFORM pg_sleep(0.05); END LOOP;
                    {"" if is_event_trigger else "RETURN coalesce(NEW, OLD);"}
                END $$
                """.encode()
            )
            connection.execute(f"CREATE {timing} EXECUTE FUNCTION sleep_at_gate()".encode())
            connection.execute("SELECT pg_advisory_lock(%s)", [_GATE])
            yield lambda: is_waiting(database, "PgSleep")
            connection.execute("SELECT pg_advisory_unlock(%s)", [_GATE])
            wait_until(lambda: not has_sessions(database))
            connection.execute("DROP FUNCTION sleep_at_gate CASCADE")

    return point


def while_reading(table: LiteralString) -> KillPoint:
    """A point between two queries: the next one waits for a table that the test holds."""

    @contextmanager
    def point(database: Database) -> Iterator[Reached]:
        with database.connect() as connection:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            yield lambda: is_waiting(database, "relation")

    return point


KILL_POINTS: dict[str, KillPoint] = {
    "a state written, not named": at_statement(
        "TRIGGER gate BEFORE INSERT ON archive_files FOR EACH ROW WHEN (NEW.kind = 'state')"
    ),
    "a history file half written": while_reading("untrusted_spans"),
    "a history file written, not named": at_statement(
        "TRIGGER gate BEFORE INSERT ON archive_files FOR EACH ROW WHEN (NEW.kind = 'history')"
    ),
    "dropped, not committed": at_statement("EVENT TRIGGER gate ON sql_drop WHEN TAG IN ('DROP TABLE')"),
    "committing": at_statement(
        "CONSTRAINT TRIGGER gate AFTER INSERT ON archive_files DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (NEW.kind = 'history')"
    ),
    "retired, runs not deleted": at_statement("TRIGGER gate BEFORE DELETE ON scrape_runs"),
    "files not forgotten": at_statement(
        "TRIGGER gate BEFORE DELETE ON archive_files FOR EACH ROW WHEN (OLD.kind = 'coverage')"
    ),
    "files forgotten, not deleted": at_statement(
        "CONSTRAINT TRIGGER gate AFTER DELETE ON archive_files DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (OLD.kind = 'coverage')"
    ),
    "everything done, not said": at_statement(
        "TRIGGER gate BEFORE UPDATE ON cleanup_runs FOR EACH ROW WHEN (NEW.status = 'completed')"
    ),
}
COMMITTED = list(KILL_POINTS)[4:]
"""Points at which the day has gone: the server commits without the killed client."""


def test_retention_killed_at_any_point_is_finished_by_the_next_run(database: Database) -> None:
    days = DaysOfOdds(database, events=3)
    days.write(days=len(KILL_POINTS) + 1, cycles=2)
    now = datetime.combine(FIRST_DAY, time_of_day(12), UTC)
    expected = shown_rows(database)
    for number, (name, point) in enumerate(KILL_POINTS.items()):
        day = FIRST_DAY + timedelta(days=number)
        now = datetime.combine(day + timedelta(days=2), time_of_day(12), UTC)
        with point(database) as reached:
            kill_at(reached, retention, database.url, archive_of(database).url, now)
        wait_until(lambda: not has_sessions(database))
        assert everything(database) == expected, name
        assert (day in days_held(database)) == (name not in COMMITTED), name

        done = retain(database, archive_of(database), settings=SETTINGS, now=now, trigger="scheduled")
        assert not done.kept, name
        assert [each.day for each in done.retired] == ([] if name in COMMITTED else [day]), name
        assert everything(database) == expected, name
        assert days_held(database)[0] == day + timedelta(days=1), name
        current = query(database, "SELECT market_id, captured_at, run_id, state FROM current_odds ORDER BY 1")
        tomorrow = FIRST_DAY + timedelta(days=len(KILL_POINTS) + 1)
        assert opening_state(database, archive_of(database), tomorrow).rows() == current, name

    statuses = query(database, "SELECT status, error_message IS NULL FROM cleanup_runs ORDER BY id")
    assert statuses == [("failed", False), ("completed", True)] * len(KILL_POINTS)
    assert orphans(database), "killed runs leave files that nobody names"
    make_older(database)
    retain(database, archive_of(database), settings=SETTINGS, now=now, trigger="scheduled")
    assert not orphans(database)
    assert everything(database) == expected


def is_waiting(database: Database, event: str) -> bool:
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event = %s"
    return bool(query(database, waiting, [DOOMED, event]))


def everything(database: Database) -> list[dict[str, Any]]:
    """The rows of PostgreSQL and of the files that count: each row once."""
    with database.connect() as connection:
        files = named_files(connection, "history")
    archived = [row for file in files for row in archived_rows(archive_of(database).read(file.path).to_dicts())]
    return sorted([*archived, *shown_rows(database)], key=lambda row: (row["market_id"], row["captured_at"]))


def days_held(database: Database) -> list[Any]:
    with database.connect() as connection:
        return [partition.first_day for partition in list_partitions(connection)]


def orphans(database: Database) -> set[str]:
    archive = archive_of(database)
    there = {path for folder in ("observations", "state", "history") for path in archive.list(folder)}
    return there - {path for (path,) in query(database, "SELECT path FROM archive_files")}


def make_older(database: Database) -> None:
    """Let two hours pass for the files of the archive."""
    folder = archive_of(database).folder
    assert folder is not None
    two_hours_ago = time.time() - 7200
    for file in folder.rglob("*.parquet*"):
        os.utime(file, (two_hours_ago, two_hours_ago))
