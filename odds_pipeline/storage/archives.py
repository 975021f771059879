"""The archive's files by kind, as ``archive_files`` names them."""

from __future__ import annotations

from psycopg import errors
from psycopg.rows import class_row

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import ArchiveKind


def archives_of(database: Database) -> tuple[ArchiveKind, ...] | None:
    """Files that count, the largest kind first; None where the table is missing or may not be read.

    One row per file is read.
    """
    with database.connect() as connection, connection.cursor(row_factory=class_row(ArchiveKind)) as cursor:
        try:
            cursor.execute(
                """
                SELECT kind, count(*) AS files, sum(bytes)::bigint AS bytes, sum(rows)::bigint AS rows,
                       min(first_day) AS first_day, max(last_day) AS last_day
                FROM archive_files GROUP BY kind ORDER BY sum(bytes) DESC, kind
                """
            )
        except (errors.UndefinedTable, errors.InsufficientPrivilege):
            return None
        return tuple(cursor.fetchall())
