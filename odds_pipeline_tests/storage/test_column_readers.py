"""Who reads a column: what PostgreSQL knows, what its texts mention, and what a folder of source mentions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from odds_pipeline.storage.column_readers import Connection, column_readers, with_readers
from odds_pipeline.storage.measured import Column, DatabaseProfile
from odds_pipeline.storage.source_search import mentions_in, with_source
from odds_pipeline_tests.storage.hand_profiles import first_generation
from odds_pipeline_tests.storage.profile_parts import table

SNAPSHOTS = replace(
    table("odds_snapshots", 10, 1_000_000),
    kind="partitioned",
    columns=(Column("raw_response", "jsonb", 900_000, 0.0, raw_bytes=2_000_000),),
)
TABLES = """
    CREATE TABLE odds_snapshots (id int, captured_at timestamptz, raw_response jsonb) PARTITION BY RANGE (captured_at);
    CREATE TABLE odds_snapshots_default PARTITION OF odds_snapshots DEFAULT;
"""


@pytest.fixture
def connection(empty_database: str) -> Iterator[Connection]:
    """A database with a table that keeps raw answers."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


def test_nobody_reads_a_column_that_nothing_mentions(connection: Connection):
    connection.execute("CREATE VIEW times AS SELECT id, captured_at FROM odds_snapshots")
    found = column_readers(connection, SNAPSHOTS, "raw_response")
    assert (found.views, found.functions, found.parts, found.source) == ((), (), (), None)


def test_views_are_found_by_what_they_depend_on_also_those_of_a_partition(connection: Connection):
    connection.execute("CREATE VIEW answers AS SELECT id, raw_response -> 'data' AS data FROM odds_snapshots")
    connection.execute('CREATE MATERIALIZED VIEW "Everything" AS SELECT * FROM odds_snapshots_default')
    found = column_readers(connection, SNAPSHOTS, "raw_response")
    assert found.views == ('"Everything"', "answers")


def test_functions_are_found_by_their_text_and_by_what_their_parsed_body_depends_on(connection: Connection):
    connection.execute("""
        CREATE FUNCTION by_text() RETURNS jsonb LANGUAGE plpgsql AS
            $$ BEGIN RETURN (SELECT RAW_RESPONSE FROM odds_snapshots LIMIT 1); END $$;
        CREATE FUNCTION parsed() RETURNS jsonb LANGUAGE sql BEGIN ATOMIC SELECT raw_response FROM odds_snapshots; END;
        CREATE FUNCTION of_another_table() RETURNS jsonb LANGUAGE plpgsql AS
            $$ BEGIN RETURN (SELECT raw_response FROM something_else LIMIT 1); END $$;
        CREATE FUNCTION of_a_trigger() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.raw_response := NULL; RETURN NEW; END $$;
        CREATE TRIGGER cut BEFORE INSERT ON odds_snapshots_default FOR EACH ROW EXECUTE FUNCTION of_a_trigger();
    """)
    found = column_readers(connection, SNAPSHOTS, "raw_response")
    assert found.functions == ("by_text()", "function parsed()", "of_a_trigger()")


def test_indexes_constraints_and_generated_columns_are_parts_and_the_columns_own_default_is_none(
    connection: Connection,
):
    connection.execute("""
        ALTER TABLE odds_snapshots ALTER COLUMN raw_response SET DEFAULT '{}';
        ALTER TABLE odds_snapshots ADD CONSTRAINT an_object CHECK (jsonb_typeof(raw_response) = 'object');
        ALTER TABLE odds_snapshots ADD COLUMN kind text GENERATED ALWAYS AS (raw_response ->> 'kind') STORED;
        CREATE INDEX answered ON odds_snapshots_default USING gin (raw_response);
    """)
    found = " ".join(column_readers(connection, SNAPSHOTS, "raw_response").parts)
    assert all(part in found for part in ("an_object", "index answered", "column kind"))
    assert "default value for column raw_response" not in found


def test_statements_cannot_be_known_without_the_extension(connection: Connection):
    assert column_readers(connection, SNAPSHOTS, "raw_response").statements is None


def test_statements_that_mention_column_and_table_are_told_but_not_those_that_measure(connection: Connection):
    _pretend_that_statements_are_counted(
        connection,
        "INSERT INTO odds_snapshots (raw_response)\n VALUES ($1)",
        "SELECT sum(pg_column_size(raw_response)) FROM odds_snapshots",
        "SELECT raw_response FROM other",
        "SELECT id FROM odds_snapshots",
    )
    found = column_readers(connection, SNAPSHOTS, "raw_response")
    assert found.statements == ("INSERT INTO odds_snapshots (raw_response) VALUES ($1)",)


def test_statements_that_are_hidden_from_a_role_cannot_be_known(connection: Connection):
    _pretend_that_statements_are_counted(connection, "SELECT 1", "<insufficient privilege>")
    assert column_readers(connection, SNAPSHOTS, "raw_response").statements is None


def test_names_with_quotes_spaces_and_upper_case_are_found(connection: Connection):
    connection.execute("""
        CREATE SCHEMA "Od""d s";
        CREATE TABLE "Od""d s"."a;\nb" ("raw ""answer"" x" jsonb);
        CREATE VIEW seen AS SELECT "raw ""answer"" x" FROM "Od""d s"."a;\nb";
    """)
    hostile = replace(table("a;\nb", 1, 1), schema='Od"d s')
    assert column_readers(connection, hostile, 'raw "answer" x').views == ("seen",)


def test_a_profile_is_told_of_the_readers_of_columns_that_keep_raw_answers_alone(connection: Connection):
    connection.execute("CREATE VIEW answers AS SELECT raw_response FROM odds_snapshots")
    small = replace(SNAPSHOTS, columns=(*SNAPSHOTS.columns, Column("id", "integer", 40, 0.0)))
    profile = replace(first_generation().databases[0], tables=(small,))
    raw, identity = with_readers(connection, profile).tables[0].columns
    assert raw.readers is not None
    assert raw.readers.views == ("answers",)
    assert identity.readers is None


def test_readers_stay_unknown_where_they_cannot_be_asked_for(connection: Connection):
    profile = DatabaseProfile("odds", "18", False, 0, (SNAPSHOTS,))
    connection.execute("BEGIN")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    assert with_readers(connection, profile) == profile
    connection.execute("ROLLBACK")


def test_a_folder_is_searched_for_the_word_by_itself(tmp_path: Path):
    _write(tmp_path / "models.py", "import x\nraw_response = Column(JSONB)\nno_raw_response_here = 1\n")
    _write(tmp_path / "b" / "read.sql", "SELECT RAW_RESPONSE\n")
    _write(tmp_path / ".git" / "packed", "raw_response\n")
    _write(tmp_path / "node_modules" / "x.js", "raw_response\n")
    (tmp_path / "picture.png").write_bytes(b"raw_response\0raw_response\n")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "b")
    assert mentions_in(tmp_path, "raw_response") == ("models.py:2", "b/read.sql:1")


def test_a_search_ends_after_fifty_hits(tmp_path: Path):
    _write(tmp_path / "many.txt", "raw_response\n" * 400)
    assert len(mentions_in(tmp_path, "raw_response")) == 50


def test_source_is_searched_for_columns_whose_readers_were_looked_for(connection: Connection, tmp_path: Path):
    _write(tmp_path / "store.py", "raw_response\n")
    profile = replace(first_generation(), databases=(DatabaseProfile("odds", "18", False, 0, (SNAPSHOTS,)),))
    asked = replace(profile, databases=(with_readers(connection, profile.databases[0]),))
    readers = with_source(asked, tmp_path).databases[0].tables[0].columns[0].readers
    assert readers is not None
    assert readers.source == ("store.py:1",)
    assert with_source(profile, tmp_path) == profile


def test_a_folder_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(NotADirectoryError, match="no folder"):
        with_source(first_generation(), tmp_path / "nowhere")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _pretend_that_statements_are_counted(connection: Connection, *statements: str) -> None:
    """As if the extension were there: it comes with no server that the tests may start."""
    connection.execute("SET allow_system_table_mods = on")
    connection.execute("""
        CREATE SCHEMA counted;
        INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        SELECT 99999, 'pg_stat_statements', 10, oid, true, '1.11' FROM pg_namespace WHERE nspname = 'counted';
        CREATE TABLE counted.pg_stat_statements AS
        SELECT oid AS dbid, ''::text AS query FROM pg_database WHERE false;
    """)
    connection.cursor().executemany(
        "INSERT INTO counted.pg_stat_statements SELECT oid, %s FROM pg_database WHERE datname = current_database()",
        [(each,) for each in statements],
    )


def test_that_a_column_must_be_filled_is_no_reader_but_a_generated_column_is(connection: Connection):
    connection.execute("ALTER TABLE odds_snapshots ALTER COLUMN raw_response SET NOT NULL")
    assert column_readers(connection, SNAPSHOTS, "raw_response").parts == ()
    connection.execute("ALTER TABLE odds_snapshots ADD kind text GENERATED ALWAYS AS (raw_response ->> 'kind') STORED")
    found = column_readers(connection, SNAPSHOTS, "raw_response")
    assert "default value for column kind of table odds_snapshots" in found.parts


def test_of_a_table_without_rows_nobody_is_looked_for(connection: Connection):
    profile = DatabaseProfile("odds", "18.4", is_replica=False, total_bytes=0, tables=(replace(SNAPSHOTS, rows=0),))
    assert with_readers(connection, profile) == profile


def test_lines_are_those_that_an_editor_counts(tmp_path: Path):
    _write(tmp_path / "a.py", "first\x0c\u2028\x85\r\nraw_response\n")
    assert mentions_in(tmp_path, "raw_response") == ("a.py:2",)
