"""Which files of the archive count: the table ``archive_files``.

A file is written first and named here by the transaction that depends on it; what no row names is an orphan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import psycopg
from psycopg.rows import class_row

from odds_pipeline.archive.store import Archive, ArchivedFile

Kind = Literal["observations", "coverage", "state", "history"]


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A row of ``archive_files``. ``first_day`` to ``last_day``: the UTC days that the file's rows belong to."""

    id: int
    kind: Kind
    path: str
    first_day: date
    last_day: date
    run_id: int | None
    rows: int
    bytes: int
    sha256: str
    stale_from: date | None

    @property
    def written(self) -> ArchivedFile:
        """What the archive knows it by."""
        return ArchivedFile(self.path, self.rows, self.bytes, self.sha256)


def claim_archive(connection: psycopg.Connection, archive: Archive) -> None:
    """Make sure that the archive is this database's own. Raises ``ArchiveOfAnother``, ``ArchiveUnusable``."""
    row = connection.execute(
        "SELECT archive_owner, EXISTS (SELECT FROM archive_files) FROM pipeline_settings"
    ).fetchone()
    assert row is not None
    owner, is_in_use = row
    archive.claim(str(owner), is_in_use=is_in_use)


def name_file(
    connection: psycopg.Connection,
    kind: Kind,
    file: ArchivedFile,
    first_day: date,
    last_day: date,
    *,
    run_id: int | None = None,
) -> None:
    """Let a file count from this transaction's commit on; one of the same path takes the place of the older one."""
    connection.execute(
        """
        INSERT INTO archive_files (kind, path, first_day, last_day, run_id, rows, bytes, sha256)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (path) DO UPDATE
        SET kind = excluded.kind, first_day = excluded.first_day, last_day = excluded.last_day,
            run_id = excluded.run_id, rows = excluded.rows, bytes = excluded.bytes, sha256 = excluded.sha256,
            stale_from = NULL, created_at = excluded.created_at
        """,
        [kind, file.path, first_day, last_day, run_id, file.rows, file.bytes, file.sha256],
    )


def named_files(
    connection: psycopg.Connection, kind: Kind, first_day: date = date.min, last_day: date = date.max
) -> list[NamedFile]:
    """Files with rows of at least one of the days, both included; in the order of their first day and their naming."""
    return ask_files(connection, kind, first_day, last_day)()


def ask_files(
    connection: psycopg.Connection, kind: Kind, first_day: date = date.min, last_day: date = date.max
) -> Callable[[], list[NamedFile]]:
    """As ``named_files``, for who asks for more in the same pipeline before looking at the answer."""
    cursor = connection.cursor(row_factory=class_row(NamedFile))
    cursor.execute(
        """
        SELECT id, kind, path, first_day, last_day, run_id, rows, bytes, sha256, stale_from FROM archive_files
        WHERE kind = %s AND last_day >= %s AND first_day <= %s ORDER BY first_day, id
        """,
        [kind, first_day, last_day],
    )
    return cursor.fetchall


def ask_newest_state(connection: psycopg.Connection, last_day: date) -> Callable[[], NamedFile | None]:
    """Ask for the newest archived state of the beginnings of days up to ``last_day`` that knows every row before it."""
    cursor = connection.cursor(row_factory=class_row(NamedFile))
    cursor.execute(
        """
        SELECT id, kind, path, first_day, last_day, run_id, rows, bytes, sha256, stale_from FROM archive_files
        WHERE kind = 'state' AND stale_from IS NULL AND first_day <= %s ORDER BY first_day DESC, id DESC LIMIT 1
        """,
        [last_day],
    )
    return cursor.fetchone


def forget_files(connection: psycopg.Connection, ids: Sequence[int]) -> None:
    """Let files no longer count; the sweep removes them."""
    connection.execute("DELETE FROM archive_files WHERE id = ANY(%s)", [list(ids)])


def stale_states(connection: psycopg.Connection, days: Iterable[date]) -> None:
    """Remember that history of these days got other rows: archived states of later days are made anew from there."""
    first = min(days, default=None)
    if first is not None:
        connection.execute(
            """
            UPDATE archive_files SET stale_from = least(stale_from, %(day)s)
            WHERE kind = 'state' AND first_day > %(day)s AND (stale_from IS NULL OR stale_from > %(day)s)
            """,
            {"day": first},
        )
