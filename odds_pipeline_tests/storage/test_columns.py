"""The bytes of columns, by a look at few rows, against the sums over all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage import sampling
from odds_pipeline.storage.measured import Column, Table
from odds_pipeline_tests.storage.profiling import execute, profiled


def table_of(database: Database, name: str) -> Table:
    table = profiled(database).table(name)
    assert table is not None
    assert table.skipped is None
    return table


def column_of(table: Table, name: str) -> Column:
    column = table.column(name)
    assert column is not None
    return column


def exact_bytes(database: Database, table: Table) -> dict[str, int]:
    sums = ", ".join(f"coalesce(sum(pg_column_size({column.name})), 0)::bigint" for column in table.columns)
    with database.connect() as connection:
        row = connection.execute(f"SELECT {sums} FROM {table.name}".encode()).fetchone()
    assert row is not None
    return dict(zip((column.name for column in table.columns), row, strict=True))


# Written over time: answers become five times as large from the first to the last, a few are huge, some are missing;
# what is small stays in the row, the rest goes out of line, compressed as far as it can be.
_SKEWED = (
    "SELECT setseed(0.5)",
    """
    CREATE TABLE snapshots (
        id int PRIMARY KEY, captured_at timestamptz NOT NULL, raw jsonb, note text, markets json, line float
    )
    """,
    """
    INSERT INTO snapshots
    SELECT n, '2026-11-01Z'::timestamptz + n * interval '1 minute',
           CASE WHEN random() < 0.95 THEN jsonb_build_object(
               'same', repeat('{"name": "Over", "odds": 1.85}', 40),
               'own', left(noise.text, (exp(random_normal(0, 1.1)) * 700 * (1 + 4.0 * n / 12000))::int),
               'seldom', CASE WHEN n % 101 = 0 THEN (SELECT string_agg(md5(random()::text || n || i), '')
                                                     FROM generate_series(1, 2000) AS i) END
           ) END,
           CASE WHEN random() < 0.5 THEN left(noise.text, 300) END,
           (SELECT json_agg(i) FROM generate_series(1, 1 + n % 9) AS i),
           CASE WHEN n % 3 = 0 THEN n / 4.0 END
    FROM generate_series(1, 12000) AS n
    CROSS JOIN LATERAL (
        SELECT string_agg(md5(random()::text || n || i), '') AS text FROM generate_series(1, 400) AS i
    ) AS noise
    """,
)


@pytest.fixture(scope="module")
def skewed(shared_migrated_database: str) -> Iterator[Database]:
    """Connections to a database with a table whose rows differ much, in size and over time."""
    with Database(shared_migrated_database) as database:
        execute(database, *_SKEWED)
        yield database


@pytest.mark.parametrize("pages", [64, 200, 400])
@pytest.mark.parametrize("analysed", [False, True])
def test_columns_of_a_table_agree_with_the_exact_sums_within_a_twentieth(
    skewed: Database, monkeypatch: pytest.MonkeyPatch, pages: int, analysed: bool
) -> None:
    if analysed:
        execute(skewed, "ANALYZE snapshots")
    monkeypatch.setattr(sampling, "PAGES", pages)
    table = table_of(skewed, "snapshots")
    assert 0 < table.sampled_rows < 12000
    assert table.rows == pytest.approx(12000, rel=0.05)
    assert {column.name: column.bytes for column in table.columns} == pytest.approx(
        exact_bytes(skewed, table), rel=0.05
    )


def test_a_table_all_of_whose_pages_may_be_looked_at_is_counted(
    skewed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "PAGES", 4096)
    table = table_of(skewed, "snapshots")
    assert (table.rows, table.rows_from, table.sampled_rows) == (12000, "counted", 12000)
    assert {column.name: column.bytes for column in table.columns} == exact_bytes(skewed, table)
    assert [column.name for column in table.columns[:2]] == ["raw", "markets"]
    assert column_of(table, "line").null_share == pytest.approx(2 / 3)
    assert column_of(table, "markets").average_elements == pytest.approx(5, rel=0.1)


def test_partitions_share_what_is_looked_at_of_one_table(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "PAGES", 150)
    execute(
        empty,
        "CREATE TABLE history (day int, body jsonb, note text) PARTITION BY RANGE (day)",
        *(f"CREATE TABLE history_{n} PARTITION OF history FOR VALUES FROM ({n}) TO ({n + 1})" for n in range(20)),
        """
        INSERT INTO history SELECT day, jsonb_build_array(day, n, repeat('x', n % (20 + day * 10))), md5(n::text)
        FROM generate_series(0, 19) AS day, generate_series(1, 2000) AS n
        """,
    )
    profile = profiled(empty)
    parent = profile.table("history")
    assert parent is not None
    parts = profile.partitions_of(parent)
    assert parent.sampled_rows < 150 * 136 * 1.2
    assert all(part.sampled_rows > 0 for part in parts)
    assert parent.rows == sum(part.rows for part in parts) == pytest.approx(40_000, rel=0.05)
    for column in parent.columns:
        assert column.bytes == sum(column_of(part, column.name).bytes for part in parts)
    assert {column.name: column.bytes for column in parent.columns} == pytest.approx(
        exact_bytes(empty, parent), rel=0.05
    )


def test_statistics_from_before_most_rows_went_are_not_believed(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "PAGES", 50)
    execute(
        empty,
        "CREATE TABLE shrunk (id int, note text) WITH (autovacuum_enabled = off)",
        "INSERT INTO shrunk SELECT n, repeat('x', 100) FROM generate_series(1, 20_000) AS n",
        "ANALYZE shrunk",
        "DELETE FROM shrunk WHERE id % 4 <> 0",
    )
    table = table_of(empty, "shrunk")
    assert table.rows_from == "sampled"
    assert table.rows == pytest.approx(5000, rel=0.05)
    assert table.dead_rows == 15_000
    assert table.bloat_bytes == pytest.approx(table.heap_bytes * 0.75, rel=0.1)
    assert column_of(table, "note").bytes == pytest.approx(5000 * 101, rel=0.05)


def test_what_compression_saves_is_told_by_reading_some_values(empty: Database) -> None:
    execute(
        empty,
        "CREATE DOMAIN doc AS jsonb CHECK (value IS NOT NULL)",
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        """
        CREATE TABLE many (
            id int, packed jsonb, plain json, words text, raw bytea, list text[], numbers int[], mood mood, own doc,
            price numeric, doubled int GENERATED ALWAYS AS (id * 2) STORED, outside text STORAGE EXTERNAL
        )
        """,
        """
        INSERT INTO many (id, packed, plain, words, raw, list, numbers, mood, own, price, outside)
        SELECT n, jsonb_build_array(n, repeat('ab', 3000)), json_build_array(n, repeat('ab', 3000)), repeat('cd', 3000),
               convert_to(repeat('ef', 3000), 'utf8'), array_fill('gh'::text, ARRAY[800]),
               CASE WHEN n % 2 = 0 THEN array_fill(7, ARRAY[30, 30]) END, 'bad', '[1]', n / 100.0, repeat('ij', 3000)
        FROM generate_series(1, 300) AS n
        """,
    )
    table = table_of(empty, "many")
    with empty.connect() as connection:
        row = connection.execute(
            """
            SELECT sum(octet_length(plain::text)), sum(pg_column_size(packed #> '{}')), sum(pg_column_size(list[:])),
                   sum(pg_column_size(numbers[:]))
            FROM many
            """
        ).fetchone()
    assert row is not None
    plain, packed, lists, numbers = row
    raw = {column.name: column.raw_bytes for column in table.columns}
    assert {name: size for name, size in raw.items() if size is None} == dict.fromkeys(
        ("id", "mood", "price", "doubled", "outside")
    )
    expected = {"plain": plain + 4 * 300, "packed": packed, "list": lists, "numbers": numbers}
    expected |= {"words": 6004 * 300, "raw": 6004 * 300}
    assert {name: raw[name] for name in expected} == pytest.approx(expected, rel=0.02)
    for name in expected:
        column = column_of(table, name)
        assert column.raw_bytes is not None
        assert column.bytes < column.raw_bytes / 5
    assert column_of(table, "own").type == "jsonb"
    assert column_of(table, "own").average_elements == 1
    assert column_of(table, "packed").average_elements == 2
    assert column_of(table, "words").average_elements is None
    assert column_of(table, "doubled").bytes == 4 * 300
    assert column_of(table, "outside").bytes == 6000 * 300


def test_values_that_are_never_stored_take_nothing(empty: Database) -> None:
    with empty.connect() as connection:
        if connection.info.server_version < 180000:
            pytest.skip("PostgreSQL 18 brought virtual columns")
    execute(
        empty,
        "CREATE TABLE shown (id int, twice text GENERATED ALWAYS AS (repeat('x', id)) VIRTUAL)",
        "INSERT INTO shown SELECT generate_series(1, 100)",
    )
    column = column_of(table_of(empty, "shown"), "twice")
    assert (column.bytes, column.raw_bytes, column.null_share) == (0, None, 0.0)


def test_different_values_are_told_by_statistics_alone(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE words (id int, word text, doc json)",
        """INSERT INTO words SELECT n, 'word ' || n % 10, '[]' FROM generate_series(1, 1000) AS n""",
    )
    assert column_of(table_of(empty, "words"), "word").distinct_share is None
    execute(empty, "ANALYZE words")
    table = table_of(empty, "words")
    assert column_of(table, "id").distinct_share == 1.0
    assert column_of(table, "word").distinct_share == pytest.approx(0.01)
    assert column_of(table, "doc").distinct_share is None
