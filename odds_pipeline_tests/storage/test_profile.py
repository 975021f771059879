"""A profile of a whole database: empty, ours, Dagster's, a replica; and of all that belongs to the pipeline."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.profile import foreign_profile, storage_profile
from odds_pipeline.storage.relations import NoSuchSchema
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.servers import TEST_SETTINGS
from odds_pipeline_tests.storage.profiling import NOW, execute, profiled


def test_of_a_database_without_tables_every_number_is_there(empty_database: str) -> None:
    with Database(empty_database) as database:
        profile = foreign_profile(database, schema=None, now=NOW)
    (found,) = profile.databases
    assert found.tables == ()
    assert found.total_bytes > 1_000_000
    assert profile.total_bytes == found.total_bytes
    assert profile.growth is None
    assert int(found.server_version.partition(".")[0]) >= 15
    assert not found.is_replica
    assert found.extensions is not None
    assert found.extensions["plpgsql"] is True
    assert found.wal is not None
    assert found.wal.bytes > 0


def test_of_our_own_empty_databases_every_number_is_there(database: Database, dagster_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with Database(dagster_url) as dagster:
        profile = storage_profile(database, dagster=dagster, archive=archive_of(database), settings=settings, now=NOW)
    assert [each.name for each in profile.databases] == ["odds", "dagster"]
    for each in profile.databases:
        assert each.total_bytes >= sum(table.total_bytes for table in each.whole_tables)
        for table in each.tables:
            assert table.skipped is None
            assert table.rows_from == "counted"
            assert (table.bytes_per_row is None) == (table.rows == 0)
            assert table.bloat_bytes is not None
            assert len(table.columns) > 0
    assert (profile.archives, profile.unmeasured) == ((), ())


def test_archives_are_told_by_kind(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            """
            INSERT INTO archive_files (kind, path, first_day, last_day, rows, bytes, sha256)
            VALUES ('history', 'a', '2026-11-01', '2026-11-01', 10, 1000, 'x'),
                   ('history', 'b', '2026-11-03', '2026-11-04', 30, 500, 'x'),
                   ('state', 'c', '2026-11-02', '2026-11-02', 0, 70, 'x')
            """
        )
    settings = Settings()
    profile = storage_profile(database, dagster=None, archive=archive_of(database), settings=settings, now=NOW)
    archives = profile.archives
    assert profile.unmeasured == ("dagster",)
    assert [(each.kind, each.files, each.bytes, each.rows) for each in archives] == [
        ("history", 2, 1500, 40),
        ("state", 1, 70, 0),
    ]
    assert archives[0].bytes_per_row == 37.5
    assert archives[1].bytes_per_row is None
    assert (archives[0].first_day, archives[0].last_day) == (datetime(2026, 11, 1).date(), datetime(2026, 11, 4).date())  # noqa: DTZ001


def test_growth_is_rows_of_the_last_days_by_what_a_row_takes(empty_database: str) -> None:
    with Database(empty_database) as database:
        with database.connect() as connection:
            connection.execute("CREATE TABLE seen (id int, captured_at timestamptz, note text)")
            connection.execute("CREATE TABLE state (id int, updated_at timestamptz, note text)")
            connection.execute(
                """
                INSERT INTO seen SELECT n, %s - n * interval '1 hour', repeat('x', 500)
                FROM generate_series(0, 24 * 20 - 1) AS n
                """,
                [NOW - timedelta(minutes=1)],
            )
            connection.execute("INSERT INTO state SELECT * FROM seen")
        profile = foreign_profile(database, schema="public", now=NOW)
    growth = profile.growth
    assert growth is not None
    seen = profile.databases[0].table("seen")
    assert seen is not None
    assert seen.bytes_per_row is not None
    # Rows of a table that are told by their last change are no growth.
    assert growth.by_table.keys() == {f"{profile.databases[0].name}.seen"}
    assert growth.bytes_a_day == pytest.approx(24 * seen.bytes_per_row)
    assert (growth.said_by, growth.until - growth.since) == ("ages", timedelta(days=7))


def test_growth_of_a_database_that_is_younger_than_a_week_is_that_of_its_life(empty_database: str) -> None:
    with Database(empty_database) as database:
        with database.connect() as connection:
            connection.execute("CREATE TABLE seen (captured_at timestamptz)")
            connection.execute(
                "INSERT INTO seen SELECT %s - n * interval '6 hours' FROM generate_series(0, 8) AS n", [NOW]
            )
        growth = foreign_profile(database, schema="public", now=NOW).growth
    assert growth is not None
    assert growth.since == NOW - timedelta(days=2)
    assert growth.bytes_a_day == pytest.approx(8192 * 8 / 9 / 2, rel=0.01)


def test_a_hot_standby_can_be_profiled(server_directory: Path) -> None:
    with EmbeddedServer.ensure(server_directory, overrides=TEST_SETTINGS) as server, Database(server.url()) as database:
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE answers (id int PRIMARY KEY, captured_at timestamptz, body jsonb)")
            connection.execute("CREATE UNLOGGED TABLE lost (id int)")
            connection.execute("INSERT INTO lost SELECT generate_series(1, 100)")
            connection.execute(
                """
                INSERT INTO answers SELECT n, now(), jsonb_build_object('a', repeat(n::text, 5000))
                FROM generate_series(1, 500) AS n
                """
            )
            connection.execute("VACUUM ANALYZE")
        primary = profiled(database)
    cluster = server_directory / "postgres" / "cluster"
    signal = cluster / "standby.signal"
    signal.touch()
    with EmbeddedServer.ensure(server_directory, overrides=TEST_SETTINGS) as server, Database(server.url()) as database:
        standby = profiled(database)
    assert (primary.is_replica, standby.is_replica) == (False, True)
    before, after = primary.table("answers"), standby.table("answers")
    assert before is not None
    assert after is not None
    assert (after.rows, after.columns, after.total_bytes) == (before.rows, before.columns, before.total_bytes)
    assert after.skipped is None
    # Nothing counts them there, nor does it write a log of its own.
    assert after.dead_rows is None
    assert standby.wal is None
    lost = standby.table("lost")
    assert lost is not None
    assert lost.total_bytes == 0


def test_of_one_schema_its_tables_alone_are_told_and_counted(empty: Database) -> None:
    execute(
        empty,
        "CREATE SCHEMA other",
        "CREATE TABLE other.kept AS SELECT n FROM generate_series(1, 1000) AS n",
        "CREATE TABLE bets AS SELECT n FROM generate_series(1, 9000) AS n",
    )
    profile = profiled(empty, schema="other")
    assert [table.name for table in profile.tables] == ["kept"]
    assert profile.total_bytes == profile.tables[0].total_bytes


def test_a_schema_that_is_not_there_is_refused_with_those_that_are(empty: Database) -> None:
    execute(empty, "CREATE SCHEMA other")
    with pytest.raises(NoSuchSchema, match="no schema nosuch in this database; there are other, public"):
        profiled(empty, schema="nosuch")
