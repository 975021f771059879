"""Connections to the embedded and to external servers, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import psycopg
import pytest
from dagster import DagsterInstance, RunsFilter, instance_for_test, job, op
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import make_url, text

from odds_pipeline.database import engine
from odds_pipeline.database.create import CannotCreateDatabase
from odds_pipeline.database.engine import Database, DatabaseUnusable, DatabaseUrls, parse_url
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.external_server import external_server

PASSWORD = "p@ss/w:rd #1+?%"


@pytest.fixture(scope="module")
def external_port() -> Iterator[int]:
    """The TCP port of a server as others run it: passwords, and the roles ``owner`` (makes databases) and ``plain``."""
    with external_server(PASSWORD) as port:
        yield port


def external(port: int, database: str, *, user: str = "owner", password: str = PASSWORD) -> SecretStr:
    url = make_url(f"postgresql://127.0.0.1:{port}/{database}").set(username=user, password=password)
    return SecretStr(url.render_as_string(hide_password=False))


def test_without_a_setting_the_embedded_server_of_the_data_directory_is_used(server_directory: Path) -> None:
    settings = Settings(database_url=None, data_dir=server_directory)
    urls = DatabaseUrls.from_settings(settings)
    try:
        assert DatabaseUrls.from_settings(settings) == urls
        assert Database(urls.odds).read_frame("SELECT current_database()::text AS name").item() == "odds"
        assert Database(urls.dagster_database).read_frame("SELECT current_database()::text AS name").item() == "dagster"
    finally:
        engine._embedded_servers.pop(server_directory).leave()


def test_an_external_server_gets_both_databases_with_any_password(external_port: int) -> None:
    settings = Settings(database_url=external(external_port, "odds"))
    for _ in range(2):  # makes them, then finds them
        urls = DatabaseUrls.from_settings(settings)
        database = Database(urls.odds)
        with database.connect() as connection, database.engine.connect() as session:
            assert connection.info.dbname == session.execute(text("SELECT current_database()")).scalar() == "odds"
        assert database.read_frame("SELECT current_user::text AS name").item() == "owner"
        with psycopg.connect(urls.libpq) as connection:
            assert connection.info.user == "owner"
        assert make_url(urls.dagster).database == "dagster"
        database.dispose()


def test_dagsters_database_may_be_named(external_port: int) -> None:
    settings = Settings(
        database_url=external(external_port, "odds"), dagster_database_url=external(external_port, "runs and events")
    )
    urls = DatabaseUrls.from_settings(settings)
    assert urls.dagster_database.database == "runs and events"
    assert Database(urls.dagster_database).read_frame("SELECT 1 AS one").item() == 1


def test_a_database_that_we_may_not_make_is_told_with_the_command_to_run(external_port: int) -> None:
    with pytest.raises(CannotCreateDatabase, match='must run: CREATE DATABASE "theirs" OWNER "plain"') as caught:
        DatabaseUrls.from_settings(Settings(database_url=external(external_port, "theirs", user="plain")))
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong-secret"}, "password authentication failed"),
        ({"port": 1}, "Connection refused"),
        ({"host": "nowhere.invalid"}, "nowhere.invalid"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_without_the_password(
    external_port: int, change: dict, said: str
) -> None:
    url = make_url(external(external_port, "odds").get_secret_value()).set(**change)
    with pytest.raises(DatabaseUnusable, match=said) as caught:
        DatabaseUrls.from_settings(Settings(database_url=SecretStr(url.render_as_string(hide_password=False))))
    for secret in (PASSWORD, "wrong-secret", "p%40ss"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:hush@host/odds", "scheme 'mysql'"),
        ("sqlite:///odds.db", "scheme 'sqlite'"),
        ("host=localhost password=hush", "is not a URL"),
        ("postgresql://user:hush@host:port/odds", "is not a URL"),
        ("postgresql://user:hush@host", "names no database"),
        ("", "is not a URL"),
        ("postgresql://user@host/odds?sslpassword=hush", "has an sslpassword in it"),
    ],
)
def test_what_is_no_postgresql_url_is_told_by_its_setting_not_by_itself(url: str, said: str) -> None:
    with pytest.raises(DatabaseUnusable, match=f"ODDS_DATABASE_URL.*{said}") as caught:
        DatabaseUrls.from_settings(Settings(database_url=SecretStr(url)))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_spelling_of_the_scheme_is_understood(empty_database: str, scheme: str) -> None:
    database = Database(empty_database.replace("postgresql", scheme, 1))
    assert database.read_frame("SELECT 1 AS one").item() == 1
    with database.engine.connect() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
    database.dispose()


def test_a_server_older_than_the_schema_needs_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OLDEST_VERSION", 99)
    with pytest.raises(DatabaseUnusable, match="is PostgreSQL 18; version 99 or newer is needed"):
        engine.make_database(make_url(empty_database))


def test_no_password_is_printed() -> None:
    url = parse_url("postgresql://user:hush@host:5432/odds", setting="x")
    urls = DatabaseUrls(url, url)
    for printed in (repr(urls), str(urls), repr(Database(url)), str(Database(url))):
        assert "hush" not in printed
        assert "user" in printed


def test_a_password_among_the_parameters_is_as_secret_as_one_before_the_host() -> None:
    url = "postgresql://user@127.0.0.1:1/odds?password=hush&sslmode=disable"
    database = Database(url)
    assert conninfo_to_dict(database.libpq)["password"] == "hush"
    with pytest.raises(DatabaseUnusable, match="Connection refused") as caught:
        DatabaseUrls.from_settings(Settings(database_url=SecretStr(url)))
    assert "hush" not in f"{database!r} {caught.value}"


def test_libpq_reads_the_url_as_sqlalchemy_means_it() -> None:
    given = make_url("postgresql://h/o").set(username="u@ s+", password=PASSWORD, database="o d/+", host="::1", port=7)
    given = given.update_query_dict({"options": "-c a=b+c  -c d=e", "sslmode": "disable"})
    assert conninfo_to_dict(engine.libpq_url(given)) == {
        "user": "u@ s+",
        "password": PASSWORD,
        "host": "::1",
        "port": "7",
        "dbname": "o d/+",
        "options": "-c a=b+c  -c d=e",
        "sslmode": "disable",
    }


def test_every_session_is_in_utc_and_named(empty_database: str) -> None:
    """B-36: times are aware and in UTC on every path, whatever the server's own zone."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        command = sql.SQL("ALTER DATABASE {} SET timezone = 'Africa/Lagos'")
        connection.execute(command.format(sql.Identifier(connection.info.dbname)))
    database = Database(empty_database, application_name="the tests")
    question = "SELECT current_setting('TimeZone') AS zone, current_setting('application_name') AS name"
    with database.connect() as connection, database.engine.connect() as session:
        assert connection.execute(question).fetchone() == ("UTC", "the tests")
        assert tuple(session.execute(text(question)).one()) == ("UTC", "the tests")
        moment = connection.execute("SELECT '2026-03-01T12:00Z'::timestamptz").fetchone()
        assert moment is not None
        assert moment[0].tzinfo is not None
    assert database.read_frame(question).row(0) == ("UTC", "the tests")
    database.dispose()


def test_a_connection_commits_at_its_end_and_rolls_back_after_an_error(empty_database: str) -> None:
    database = Database(empty_database)
    with database.connect() as connection:
        connection.execute("CREATE TABLE kept (n int)")
    with suppress(ZeroDivisionError), database.connect() as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        raise ZeroDivisionError
    assert database.read_frame("SELECT n FROM kept").height == 0


def test_a_frame_has_the_types_of_the_query(empty_database: str) -> None:
    frame = Database(empty_database).read_frame(
        """
        SELECT 1::int2 AS small, 2::int8 AS large, true AS flag, 'x'::text AS word, 1.050::numeric(12,3) AS price,
               NULL::numeric AS nothing, '[1]'::jsonb AS json, '\\x0102'::bytea AS bytes, ARRAY[1, 2]::int2[] AS list,
               '2026-03-01T13:00+01'::timestamptz AS moment
        """
    )
    assert dict(frame.schema) == {
        "small": pl.Int16,
        "large": pl.Int64,
        "flag": pl.Boolean,
        "word": pl.String,
        "price": pl.String,
        "nothing": pl.String,
        "json": pl.String,
        "bytes": pl.Binary,
        "list": pl.List(pl.Int16),
        "moment": pl.Datetime("us", "UTC"),
    }
    assert frame.select(pl.col("price").cast(pl.Decimal(12, 3))).item() == Decimal("1.050")
    assert frame["moment"].item() == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert frame["list"].item().to_list() == [1, 2]


def test_parameters_are_bound_by_their_number_and_no_rows_keep_their_columns(empty_database: str) -> None:
    database = Database(empty_database)
    query = "SELECT n, $2::text AS word FROM generate_series(1, 5) AS n WHERE n > $1"
    assert database.read_frame(query, [3, "it's"]).rows() == [(4, "it's"), (5, "it's")]
    assert dict(database.read_frame(query, [9, None]).schema) == {"n": pl.Int32, "word": pl.String}


def test_reading_raises_what_psycopg_would(empty_database: str) -> None:
    database = Database(empty_database)
    with pytest.raises(errors.UndefinedColumn, match="nothing_here"):
        database.read_frame("SELECT nothing_here")
    with pytest.raises(errors.DivisionByZero):
        database.read_frame("SELECT 1 / (n - 200000) FROM generate_series(1, 300000) AS n")
    with pytest.raises(errors.AdminShutdown):
        database.read_frame("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(psycopg.OperationalError, match="Connection refused"):
        Database("postgresql://user:hush@127.0.0.1:1/odds").read_frame("SELECT 1")


def test_the_pool_replaces_connections_that_the_server_dropped(empty_database: str) -> None:
    database = Database(empty_database)
    with database.engine.connect() as session:
        pid = session.execute(text("SELECT pg_backend_pid()")).scalar()
    with database.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with database.engine.connect() as session:
        assert session.execute(text("SELECT pg_backend_pid()")).scalar() != pid
    database.dispose()


@op
def _nothing() -> None: ...


@job
def _does_nothing() -> None:
    _nothing()


def test_dagster_stores_a_run_through_its_url(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_TEST_URL", DatabaseUrls(make_url(empty_database), make_url(empty_database)).dagster)
    (tmp_path / "dagster.yaml").write_text("storage: {postgres: {postgres_url: {env: DAGSTER_TEST_URL}}}\n")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert _does_nothing.execute_in_process(instance=instance).success
    assert Database(empty_database).read_frame("SELECT status::text FROM runs")["status"].to_list() == ["SUCCESS"]


def test_runs_are_created_when_they_were_on_a_server_of_another_time_zone(empty_database: str) -> None:
    """Sensors launch by the time of the newest run, and the watchdog gives up runs that are too old."""
    url = make_url(empty_database).update_query_dict({"options": "-c statement_timeout=50000"})
    with psycopg.connect(empty_database, autocommit=True) as connection:
        command = sql.SQL("ALTER DATABASE {} SET timezone = 'America/Los_Angeles'")
        connection.execute(command.format(sql.Identifier(connection.info.dbname)))
    storage = {"postgres": {"postgres_url": DatabaseUrls(url, url).dagster}}
    with instance_for_test(overrides={"storage": storage}) as instance:
        before = datetime.now(UTC)
        run = instance.create_run_for_job(_does_nothing)
        [record] = instance.get_run_records(RunsFilter(run_ids=[run.run_id]))
        assert before <= record.create_timestamp <= datetime.now(UTC)


def test_reading_goes_on_after_the_server_has_ended_the_kept_connection(database: Database) -> None:
    reader = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    assert database.read_frame("SELECT 1 AS one")["one"].to_list() == [1]
    with database.connect() as connection:
        (ended,) = connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({reader}) AS other").fetchall()
    assert ended == (True,)
    assert database.read_frame("SELECT 2 AS two")["two"].to_list() == [2]


def test_a_failed_query_leaves_the_next_one_alone(database: Database) -> None:
    with pytest.raises(errors.UndefinedTable):
        database.read_frame("SELECT * FROM nowhere")
    assert database.read_frame("SELECT 1 AS one")["one"].to_list() == [1]


def test_threads_may_read_at_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        frames = threads.map(lambda n: database.read_frame("SELECT $1::int AS n", [n]), range(40))
        assert [frame["n"].item() for frame in frames] == list(range(40))


def test_a_borrowed_connection_commits_at_its_end_and_rolls_back_after_an_error(database: Database) -> None:
    with database.borrow() as connection:
        first = connection.info.backend_pid
        connection.execute("CREATE TABLE kept (n int)")
    with pytest.raises(errors.DivisionByZero), database.borrow() as connection:
        connection.execute("INSERT INTO kept VALUES (1); SELECT 1 / 0")
    with database.borrow() as connection:
        assert connection.info.backend_pid == first
        assert connection.execute("SELECT * FROM kept").fetchall() == []


def test_a_borrowed_connection_that_died_is_replaced(database: Database) -> None:
    def end(pid: int) -> None:
        with database.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with database.borrow() as connection:
        pid = connection.info.backend_pid
    end(pid)
    with pytest.raises(psycopg.OperationalError), database.borrow() as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with database.borrow() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_does_not_answer_is_an_operational_error_of_psycopg() -> None:
    with pytest.raises(psycopg.OperationalError), Database("postgresql://127.0.0.1:1/odds").borrow():
        pass


def test_values_composed_into_a_query_arrive_as_they_are(database: Database) -> None:
    texts = ["it's", 'a "quote"', "back\\slash", "{a,b}", "", "NULL", "é\n\t"]
    frame = database.read_frame(sql.SQL("SELECT * FROM unnest({}::text[]) AS text").format(sql.Literal(texts)))
    assert frame["text"].to_list() == texts


def test_an_error_of_a_large_query_does_not_repeat_the_query(database: Database) -> None:
    numbers = sql.Literal(list(range(10_000)))
    with pytest.raises(errors.UndefinedTable) as raised:
        database.read_frame(sql.SQL("SELECT * FROM nowhere WHERE n = ANY ({})").format(numbers))
    assert len(str(raised.value)) < 500


def test_a_connection_interrupted_in_the_middle_of_a_query_is_not_lent_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Interruption(BaseException):
        pass

    def interrupted(connection: psycopg.Connection) -> None:
        connection.pgconn.send_query(b"SELECT pg_sleep(60)")
        raise Interruption

    with pytest.raises(Interruption), database.borrow() as connection:
        interrupted(connection)
    assert connection.closed
    with database.borrow() as fresh:
        assert fresh.execute("SELECT 1").fetchone() == (1,)
    assert not caplog.records
