"""The role that may only read: made by whoever may, reads everything, and writes nothing whatever it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from odds_pipeline.database.engine import Database, DatabaseUnusable
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.database.reader_role import READER, NoReaderRole, as_reader, ensure_reader_role, own_account
from odds_pipeline.settings import Settings

TIMEOUT = timedelta(seconds=10)
DAY = date(2026, 3, 1)


@pytest.fixture
def reader(database: Database) -> Iterator[Database]:
    ensure_reader_role(database)
    reader = as_reader(database, statement_timeout=TIMEOUT)
    yield reader
    reader.dispose()


def relations(database: Database, *kinds: str) -> list[str]:
    with database.connect() as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind::text = ANY (%s)",
            [list(kinds)],
        ).fetchall()
    return [name for (name,) in found]


@contextmanager
def account(database: Database, rights: str = "") -> Iterator[Database]:
    """Somebody who may log in and connect, with ``rights`` (SQL with ``{}`` for the account)."""
    name = f"account_{uuid4().hex[:8]}"
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        if rights:
            connection.execute(sql.SQL(rights).format(sql.Identifier(name)))  # type: ignore[arg-type]
    other = Database(database.url.set(username=name))
    try:
        yield other
    finally:
        other.dispose()
        with database.connect() as connection:
            for owner in (name, READER):
                if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner]).fetchone():
                    connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(owner)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_the_reader_reads_every_table_and_view(reader: Database, database: Database):
    names = relations(database, "r", "p", "v")
    assert {"events", "odds_history", "market_odds_current", "alembic_version"} <= set(names)
    with reader.connect() as connection:
        assert connection.execute("SELECT current_user").fetchone() == (READER,)
        for name in names:
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
    assert reader.read_frame("SELECT current_user::text AS who")["who"].to_list() == [READER]
    with reader.borrow() as connection:
        assert connection.execute("SELECT current_user").fetchone() == (READER,)


def test_postgresql_refuses_the_reader_every_write(reader: Database, database: Database):
    """Both ways: the session is for reading only, and where that is lifted, the role has no right."""
    with reader.connect() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM events")
    with reader.connect(autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for name in relations(database, "r", "p"):
            table = sql.Identifier(name)
            for command in ("DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES", "DROP TABLE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.SQL(command).format(table))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")


def test_partitions_that_are_made_later_are_readable(reader: Database, database: Database):
    with database.connect() as connection:
        (name,) = ensure_partitions(connection, DAY, DAY)
        connection.execute("CREATE TABLE later (id int)")
        connection.execute("CREATE VIEW later_view AS SELECT id FROM later")
    with reader.connect() as connection:
        for table in (name, "later", "later_view"):
            assert connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall() == []


def test_a_question_that_takes_too_long_is_given_up(database: Database):
    ensure_reader_role(database)
    reader = as_reader(database, statement_timeout=timedelta(milliseconds=50))
    with reader.connect() as connection, pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(5)")


def test_other_settings_of_the_session_stay(database: Database):
    url = database.url.set(query={**database.url.query, "options": "-c work_mem=7MB"})
    ensure_reader_role(database)
    with as_reader(Database(url), statement_timeout=TIMEOUT).connect() as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
        assert connection.execute("SHOW TimeZone").fetchone() == ("UTC",)


def test_tables_that_came_without_the_right_get_it_the_next_time(reader: Database, database: Database):
    with database.connect() as connection:
        connection.execute(f"REVOKE SELECT ON events FROM {READER}")
    with reader.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM events")
    ensure_reader_role(database)
    with reader.connect() as connection:
        connection.execute("SELECT * FROM events")


def test_other_schemas_are_opened_when_they_are_there(database: Database):
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA earlier; CREATE TABLE earlier.odds (id int)")
    ensure_reader_role(database, ["earlier", "nowhere"])
    with as_reader(database, statement_timeout=TIMEOUT).connect() as connection:
        assert connection.execute("SELECT * FROM earlier.odds").fetchall() == []


def test_an_account_that_may_not_make_the_role_is_told_what_to_run(database: Database):
    owns = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"
    with account(database, owns) as other:
        with pytest.raises(NoReaderRole) as refused:
            ensure_reader_role(other)
        told = str(refused.value)
        assert "\n" not in told
        assert "ODDS_READER_DATABASE_URL" in told
        commands = told.partition("must run, in the database ")[2].partition(": ")[2].partition(" Or name")[0]
        with database.connect() as connection:
            connection.execute(commands)  # type: ignore[arg-type]
        ensure_reader_role(other)
        with as_reader(other, statement_timeout=TIMEOUT).connect() as connection:
            connection.execute("SELECT * FROM events")
            assert connection.execute("SELECT current_user").fetchone() == (READER,)


def test_an_account_of_ones_own_reads_and_is_held_to_reading(database: Database):
    settings = Settings(api_statement_timeout=timedelta(milliseconds=50))
    assert own_account(settings) is None
    url = SecretStr(database.url.render_as_string(hide_password=False))
    mine = own_account(settings.model_copy(update={"reader_database_url": url}))
    assert mine is not None
    with mine.connect() as connection:
        connection.execute("SELECT * FROM events")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("INSERT INTO sports (slug, name) VALUES ('x', %s)", [datetime.now(UTC).isoformat()])
        connection.rollback()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(5)")
    mine.dispose()
    with pytest.raises(DatabaseUnusable, match="ODDS_READER_DATABASE_URL is not a URL"):
        own_account(settings.model_copy(update={"reader_database_url": SecretStr("nonsense")}))
