"""The family compress: what PostgreSQL compresses already, what it could compress otherwise, and what it never does.

PostgreSQL tries to compress a row's values only when the row is longer than about 2 kB; smaller rows are stored as they
are, whatever ``toast_tuple_target`` says. What another method would save cannot be known without writing the values
once more, so no saving is given here.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from odds_pipeline.storage.measured import Column, DatabaseProfile, Table
from odds_pipeline.storage.opportunities.advice import Advice, advise, called
from odds_pipeline.storage.opportunities.shapes import is_dagsters, raw_column
from odds_pipeline.storage.opportunities.statements import name, relation, text
from odds_pipeline.storage.words import in_bytes, in_percent

LONG_ROW = 2_000
"""Bytes of a row from which on PostgreSQL compresses."""
LEAST_SHARE = 0.1
"""Of the database; a column below is not looked at."""
COMPRESSED = 1.3
"""Times that a column is larger uncompressed, at least, to be called compressed."""


def other_compression(profile: DatabaseProfile) -> Iterator[Advice]:
    """Large columns that are read and compressed by pglz where lz4 could be had, or long and not compressed at all."""
    if is_dagsters(profile):
        return
    for table in profile.own_tables:
        for column in table.columns:
            if raw_column(table, column) or not _is_long(table, column) or not column.raw_bytes:
                continue
            if column.bytes < LEAST_SHARE * profile.total_bytes:
                continue
            ratio = column.raw_bytes / column.bytes
            if ratio < COMPRESSED:
                yield _compressed_at_all(profile, table, column)
            elif profile.can_lz4:
                yield _by_lz4(profile, table, column, ratio)


def _is_long(table: Table, column: Column) -> bool:
    values = table.rows * (1 - column.null_share)
    return values > 0 and (column.raw_bytes or 0) / values > LONG_ROW


def _compressed_at_all(profile: DatabaseProfile, table: Table, column: Column) -> Advice:
    return advise(
        profile,
        None,
        kind="compression",
        family="compress",
        subject=f"{called(profile, table)}.{column.name}",
        title=f"Let {table.name}.{column.name} be compressed",
        tables=(table,),
        evidence=f"{in_bytes(column.bytes)} are stored of {in_bytes(column.raw_bytes)}, although the values are long "
        "enough to be compressed: the column's storage forbids it, or they do not compress.",
        effort="low",
        risk="low",
        risk_reason="values are read more slowly by what it takes to decompress them; those that are there stay as "
        "they are until they are written again",
        statement=text(
            "ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTENDED;",
            table=relation(table),
            column=name(column.name),
        ),
    )


def _by_lz4(profile: DatabaseProfile, table: Table, column: Column, ratio: float) -> Advice:
    return advise(
        profile,
        None,
        kind="compression",
        family="compress",
        subject=f"{called(profile, table)}.{column.name}",
        title=f"Compress {table.name}.{column.name} by lz4",
        tables=(table,),
        evidence=f"{in_bytes(column.bytes)} ({in_percent(column.bytes / profile.total_bytes)} of the database) are "
        f"{in_bytes(column.raw_bytes)} uncompressed: pglz makes them {ratio:.1f} times smaller. lz4 is mostly faster "
        "and not always smaller.",
        effort="low",
        risk="low",
        risk_reason="only new values are compressed so; a server without lz4 cannot read a physical copy of them",
        statement=text(
            "ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION {method};",
            table=relation(table),
            column=name(column.name),
            method=sql.SQL("lz4"),
        ),
    )
