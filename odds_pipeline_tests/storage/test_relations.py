"""Which tables a profile tells of and how large it says they are, also while others hold, make and drop them."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from psycopg import sql

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import DatabaseProfile
from odds_pipeline.storage.profile import profile_database
from odds_pipeline.storage.ranking import advices
from odds_pipeline.storage.relations import catalogued_relations
from odds_pipeline.storage.session import measuring
from odds_pipeline.storage.sizes import with_sizes
from odds_pipeline.storage.tables import tables_of
from odds_pipeline_tests.storage.profiling import NOW, execute, profiled


def test_sizes_are_those_of_postgres_and_parents_have_the_sums_of_their_partitions(database: Database) -> None:
    profile = profiled(database)
    with database.connect() as connection:
        sizes = dict(
            connection.execute(
                """
                SELECT relname, pg_total_relation_size(oid) FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                """
            ).fetchall()
        )
    found = {table.name: table for table in profile.tables}
    assert sizes.keys() == {name for name, table in found.items() if table.kind != "partitioned"}
    assert sizes == {name: found[name].total_bytes for name in sizes}
    parents = [table for table in profile.tables if table.kind == "partitioned"]
    assert {parent.name for parent in parents} == {"odds_history", "odds_snapshots"}
    for parent in parents:
        assert parent.total_bytes == sum(part.total_bytes for part in profile.partitions_of(parent))


def test_heap_toast_and_indexes_are_told_apart(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE answers (id int PRIMARY KEY, body text STORAGE EXTERNAL)",
        "INSERT INTO answers SELECT n, repeat('x', 10_000) FROM generate_series(1, 200) AS n",
        "CREATE INDEX by_half ON answers ((id / 2), id) WHERE id > 3",
    )
    (table,) = profiled(empty).tables
    with empty.connect() as connection:
        row = connection.execute(
            """
            SELECT pg_table_size(oid) - pg_total_relation_size(reltoastrelid), pg_total_relation_size(reltoastrelid),
                   pg_indexes_size(oid) FROM pg_class WHERE relname = 'answers'
            """
        ).fetchone()
    assert (table.heap_bytes, table.toast_bytes, table.index_bytes) == row
    assert table.toast_bytes > 200 * 10_000
    assert {(index.name, index.columns, index.is_unique, index.is_constraint) for index in table.indexes} == {
        ("answers_pkey", ("id",), True, True),
        ("by_half", ("(expr)", "id"), False, False),
    }
    assert sum(index.bytes for index in table.indexes) == table.index_bytes
    assert all(index.definition.startswith("CREATE") for index in table.indexes)


def test_a_tree_of_two_levels_is_summed_at_each(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE seen (day date NOT NULL, kind int NOT NULL, note text, PRIMARY KEY (day, kind))"
        " PARTITION BY RANGE (day)",
        "CREATE TABLE seen_1 PARTITION OF seen FOR VALUES FROM ('2026-11-01') TO ('2026-11-02')"
        " PARTITION BY LIST (kind)",
        "CREATE TABLE seen_1_a PARTITION OF seen_1 FOR VALUES IN (1)",
        "CREATE TABLE seen_1_b PARTITION OF seen_1 FOR VALUES IN (2, 3)",
        "CREATE TABLE seen_2 PARTITION OF seen DEFAULT",
        "INSERT INTO seen VALUES ('2026-11-01', 1, 'one'), ('2026-11-01', 2, 'two'), ('2026-11-20', 1, 'three')",
    )
    profile = profiled(empty)
    names = [table.name for table in profile.tables]
    assert names == ["seen", "seen_1", "seen_1_a", "seen_1_b", "seen_2"]
    tables = dict(zip(names, profile.tables, strict=True))
    assert [table.kind for table in profile.tables] == ["partitioned", *["partition"] * 4]
    assert [table.parent for table in profile.tables] == [None, "seen", "seen_1", "seen_1", "seen"]
    assert [table.rows for table in profile.tables] == [3, 2, 1, 1, 1]
    assert tables["seen_2"].partition_bound == "DEFAULT"
    assert tables["seen_1_b"].partition_bound == "FOR VALUES IN (2, 3)"
    assert profile.whole_tables == (tables["seen"],)
    assert tables["seen_1"].total_bytes == tables["seen_1_a"].total_bytes + tables["seen_1_b"].total_bytes
    assert tables["seen"].total_bytes == tables["seen_1"].total_bytes + tables["seen_2"].total_bytes
    (index,) = tables["seen"].indexes
    assert index.bytes == tables["seen"].index_bytes
    note = tables["seen"].column("note")
    assert note is not None
    assert note.bytes == len("onetwothree") + 3
    ages = tables["seen"].ages
    assert ages is not None
    assert (ages.said_by, ages.rows_within) == ("day", {7: 1, 14: 1, 30: 3})


@pytest.mark.parametrize("name", ['say "hi"', "Mixed Case", "semi;colon--", "naïve ☃", "percent %s {0}", "a.b", "'"])
def test_a_hostile_name_is_only_a_name(empty: Database, name: str) -> None:
    make = sql.SQL("CREATE TABLE {0}.{0} ({0} int PRIMARY KEY, at timestamptz, {1} json)").format(
        sql.Identifier(name), sql.Identifier(name + " json")
    )
    fill = sql.SQL("INSERT INTO {0}.{0} SELECT n, now(), '[1, 2]' FROM generate_series(1, 10) AS n")
    schema = sql.SQL("CREATE SCHEMA {}")
    execute(empty, schema.format(sql.Identifier(name)), make, fill.format(sql.Identifier(name)))
    for profile in (profiled(empty), profiled(empty, schema=name)):
        (table,) = profile.tables
        assert (table.schema, table.name, table.rows, table.skipped) == (name, name, 10, None)
        assert [column.name for column in table.columns] == [name + " json", "at", name]
        assert table.columns[0].average_elements == 2
        assert table.indexes[0].columns == (name,)
    assert profiled(empty, schema="public").tables == ()


def test_views_foreign_tables_and_temporary_ones_are_no_tables(empty: Database) -> None:
    with empty.connect(autocommit=True) as connection:
        for command in (
            b"CREATE TABLE here (id int)",
            b"CREATE VIEW shown AS SELECT * FROM here",
            b"CREATE FOREIGN DATA WRAPPER elsewhere",
            b"CREATE SERVER far FOREIGN DATA WRAPPER elsewhere",
            b"CREATE FOREIGN TABLE away (id int) SERVER far",
            b"CREATE TEMPORARY TABLE mine (id int)",
        ):
            connection.execute(command)
        assert [table.name for table in profiled(empty).tables] == ["here"]


def test_a_table_that_somebody_holds_is_skipped_and_the_others_are_told(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE held (id int PRIMARY KEY)",
        "INSERT INTO held SELECT generate_series(1, 5000)",
        "CREATE TABLE free (id int PRIMARY KEY)",
        "INSERT INTO free SELECT generate_series(1, 5000)",
        "VACUUM ANALYZE",
    )
    before = {table.name: table for table in profiled(empty).tables}
    with empty.connect() as holder:
        holder.execute("LOCK TABLE held")
        started = time.monotonic()
        after = {table.name: table for table in profiled(empty).tables}
        assert time.monotonic() - started < 3
    assert before["held"].skipped is None
    assert after["held"].skipped is not None
    assert "exclusively" in after["held"].skipped
    assert after["free"] == before["free"]
    assert (after["held"].rows, after["held"].rows_from) == (5000, "statistics")
    # The maps of free space and visibility are not counted by VACUUM.
    assert before["held"].total_bytes * 0.5 < after["held"].total_bytes <= before["held"].total_bytes
    assert after["held"].columns == ()


def test_a_table_that_is_dropped_meanwhile_is_left_out(empty: Database) -> None:
    execute(empty, *(f"CREATE TABLE part_{n} (id int, at timestamptz)" for n in range(3)))
    execute(empty, "INSERT INTO part_1 SELECT 1, now()")
    with measuring(empty) as connection:
        relations = with_sizes(connection, catalogued_relations(connection, None))
        execute(empty, "DROP TABLE part_1")
        tables = tables_of(connection, relations, now=NOW, is_replica=False)
        assert [table.name for table in tables] == ["part_0", "part_2"]
        assert [relation.name for relation in with_sizes(connection, relations)] == ["part_0", "part_2"]


def test_tables_may_come_and_go_while_a_profile_is_taken(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE stays (id int PRIMARY KEY)",
        "INSERT INTO stays SELECT generate_series(1, 1000)",
        "CREATE TABLE history (at timestamptz, id int, note text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at)",
    )
    is_over = threading.Event()
    rounds = 0

    def come_and_go() -> None:
        nonlocal rounds
        with empty.connect(autocommit=True) as connection:
            while not is_over.is_set():
                for day in range(1, 9):
                    connection.execute(
                        f"CREATE TABLE history_{day} PARTITION OF history "
                        f"FOR VALUES FROM ('2026-11-{day:02}') TO ('2026-11-{day + 1:02}')".encode()
                    )
                    connection.execute(f"INSERT INTO history_{day} SELECT '2026-11-{day:02}', 1, 'x'".encode())
                for day in range(1, 9):
                    connection.execute(f"DROP TABLE history_{day}".encode())
                rounds += 1

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        profiles = list[DatabaseProfile]()
        while rounds < 10 or len(profiles) < 10:
            assert thread.is_alive()
            profiles.append(profiled(empty))
    finally:
        is_over.set()
        thread.join()
    for profile in profiles:
        stays = profile.table("stays")
        history = profile.table("history")
        assert stays is not None
        assert history is not None
        assert stays.rows == 1000
        assert history.total_bytes == sum(part.total_bytes for part in profile.partitions_of(history))


def test_a_role_without_rights_is_told_sizes_and_why_no_more(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE secret (id int, note text)",
        "INSERT INTO secret SELECT n, repeat('x', 500) FROM generate_series(1, 1000) AS n",
        "CREATE TABLE some_rows (id int)",
        "INSERT INTO some_rows VALUES (1), (2)",
        "ALTER TABLE some_rows ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE open (id int)",
        "INSERT INTO open VALUES (1)",
        "ANALYZE",
        "DROP ROLE IF EXISTS stranger",
        "CREATE ROLE stranger",
        "GRANT SELECT ON open, some_rows TO stranger",
    )
    as_stranger = Database(empty.url.update_query_dict({"options": "-c role=stranger"}))
    known = {table.name: table for table in profiled(empty).tables}
    told = {table.name: table for table in profiled(as_stranger).tables}
    execute(empty, "DROP OWNED BY stranger", "DROP ROLE stranger")
    assert told.keys() == known.keys()
    assert {name: table.total_bytes for name, table in told.items()} == {
        name: table.total_bytes for name, table in known.items()
    }
    assert told["open"] == known["open"]
    assert told["secret"].skipped == "this account may not read it"
    assert (told["secret"].rows, told["secret"].rows_from) == (1000, "statistics")
    assert told["some_rows"].skipped is not None
    assert "row-level security" in told["some_rows"].skipped


def test_nothing_can_be_written_in_a_session_that_measures(empty: Database) -> None:
    with measuring(empty) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TEMPORARY TABLE note (id int)")


def test_names_of_indexes_that_reach_no_column_begin_with_a_bracket(empty: Database) -> None:
    # The index on an expression bears the name of a column of the table, and must not be taken for one on it.
    execute(empty, "CREATE TABLE spoken (lower int, word text)", "CREATE INDEX ON spoken (lower(word))")
    (index,) = profiled(empty).tables[0].indexes
    assert index.columns == ("(lower)",)


def test_the_time_that_is_told_is_the_profiles_own(empty: Database) -> None:
    started = time.monotonic()
    profile = profile_database(empty, name="x", now=NOW)
    assert 0 < profile.seconds <= time.monotonic() - started


def test_a_database_without_an_encoding_is_profiled(postgres_server: EmbeddedServer) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE plain_bytes ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
        )
    with Database(postgres_server.url("plain_bytes")) as database:
        execute(database, "CREATE TABLE seen (name text)", "INSERT INTO seen VALUES ('x')")
        table = profiled(database).table("seen")
    assert table is not None
    assert [each.name for each in table.columns] == ["name"]


def test_a_materialized_view_is_told_by_a_kind_of_its_own_and_nothing_is_advised_of_it(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE answers (id int, captured_at timestamptz, event_id int, raw_response text)",
        "CREATE MATERIALIZED VIEW latest AS SELECT n AS id, now() - n * interval '1 day' AS captured_at, 1 AS event_id,"
        " repeat(md5(n::text), 40) AS raw_response FROM generate_series(1, 2000) AS n",
        "CREATE INDEX ON latest (id)",
    )
    profile = profiled(empty)
    found = profile.table("latest")
    assert found is not None
    assert (found.kind, found.rows, found.ages, found.skipped) == ("materialized view", 2000, None, None)
    assert found.total_bytes > 2_000_000
    assert found.index_bytes > 0
    assert advices(profile, NOW) == ()


def test_a_table_of_more_columns_than_a_list_of_results_has_places_is_looked_at(empty: Database) -> None:
    columns = ", ".join(f"c{n} text" for n in range(900))
    execute(
        empty,
        f"CREATE TABLE wide (captured_at timestamptz, {columns})",
        "INSERT INTO wide (captured_at, c1) SELECT now(), md5(n::text) FROM generate_series(1, 500) AS n",
    )
    # A second is all that its pages may take, which a busy machine may need for nine hundred sums.
    looks = (profiled(empty).table("wide") for _ in range(5))
    wide = next(look for look in looks if look is not None and look.skipped is None)
    assert (wide.rows, wide.rows_from) == (500, "counted")
    column = wide.column("c1")
    assert column is not None
    assert column.bytes == 500 * 33
    assert column.raw_bytes == 500 * 33


def test_partitions_of_tables_of_one_name_are_told_apart_also_where_they_lie_in_another_schema(empty: Database) -> None:
    execute(
        empty,
        "CREATE SCHEMA old",
        "CREATE SCHEMA parts",
        *(f"CREATE TABLE {each}.history (day int) PARTITION BY RANGE (day)" for each in ("public", "old")),
        "CREATE TABLE parts.first PARTITION OF public.history FOR VALUES FROM (0) TO (1)",
        "CREATE TABLE old.second PARTITION OF old.history FOR VALUES FROM (0) TO (1)",
    )
    profile = profiled(empty)
    found = {
        each.schema: [part.name for part in profile.partitions_of(each)]
        for each in profile.tables
        if each.name == "history"
    }
    assert found == {"public": ["first"], "old": ["second"]}


def test_tables_whose_rows_go_with_anothers_are_told_at_any_remove(empty: Database) -> None:
    execute(
        empty,
        "CREATE SCHEMA other",
        "CREATE TABLE answers (id int, part int, PRIMARY KEY (id, part))",
        "CREATE TABLE notes (id int PRIMARY KEY, a int, b int,"
        " FOREIGN KEY (a, b) REFERENCES answers ON DELETE CASCADE)",
        "CREATE TABLE other.words (note int REFERENCES notes ON DELETE CASCADE)",
        "CREATE TABLE kept (note int REFERENCES notes ON DELETE SET NULL)",
    )
    tables = {each.name: each.cascades_to for each in profiled(empty).tables}
    assert tables == {"answers": ("notes", "other.words"), "notes": ("other.words",), "words": (), "kept": ()}
