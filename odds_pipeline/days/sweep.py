"""Files that leave the archive: those that no longer count, and orphans, which never did.

Whoever writes a file gives it its name before a transaction makes it count; one that died between leaves an orphan.
A database that was restored from an older dump does not name what it wrote since: that is no orphan, it may be the only
copy. Only files that bear our names are ever touched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg

from odds_pipeline.archive import history, observations, states
from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import Kind, NamedFile, forget_files, named_files
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.days.bounds import Bounds, as_held
from odds_pipeline.days.opening import days_held

ORPHAN_AGE = timedelta(hours=1)
"""How long a file may wait for the transaction that makes it count."""

_FOLDERS = (observations.FOLDER, states.FOLDER, history.FOLDER)

# Of a file that was being written to a folder when its writer was killed, the partial one is left.
_OURS = re.compile(rf"({'|'.join(_FOLDERS)})/day=\d{{4}}-\d{{2}}-\d{{2}}/[^/]+\.parquet(\.\d+\.partial)?")

_OF_CYCLE = re.compile(r"/(?P<cycle_at>\d{8}T\d{6}\.\d{6}Z)-(?P<run_id>\d{1,9})(\.coverage)?\.parquet$")
_OF_DAY = re.compile(rf"^{history.FOLDER}/day=(?P<day>\d{{4}}-\d{{2}}-\d{{2}})/[^/]+\.parquet$")


@dataclass(frozen=True, slots=True)
class OutlivedFiles:
    """Files whose days are all over, by kind."""

    files: tuple[NamedFile, ...]

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(file.bytes for file in self.files)

    def count(self, kind: Kind) -> int:
        """How many of a kind."""
        return sum(file.kind == kind for file in self.files)


def outlived(connection: psycopg.Connection, bounds: Bounds) -> OutlivedFiles:
    """Observations, coverage and states of days that are no longer kept: nothing can be rebuilt from them any more.

    The state of the first day kept stays, being what its day begins with (I8); while it is not archived as it is now,
    all older ones stay.
    """
    found: list[NamedFile] = []
    for kind in ("observations", "coverage"):
        found += [file for file in named_files(connection, kind) if file.last_day < bounds.first_kept]
    states = named_files(connection, "state")
    if any(file.first_day == bounds.first_kept and file.stale_from is None for file in states):
        found += [file for file in states if file.first_day < bounds.first_kept]
    return OutlivedFiles(tuple(found))


def forget_outlived(connection: psycopg.Connection, archive: Archive, bounds: Bounds) -> OutlivedFiles:
    """Let files whose days are over no longer count, then delete them; return them. Raises ``ArchiveUnusable``."""
    with connection.transaction():
        take_writer_lock(connection)
        over = outlived(connection, as_held(connection, bounds))
        forget_files(connection, [file.id for file in over.files])
    archive.delete(file.path for file in over.files)
    return over


def orphans(
    connection: psycopg.Connection, archive: Archive, bounds: Bounds, *, age: timedelta = ORPHAN_AGE
) -> Sequence[str]:
    """Files of ours that no row names, that are older than ``age`` and whose writer this database knows to have failed.

    Raises ``ArchiveUnusable``.
    """
    # The store's clock is real time, whatever the pipeline's says.
    before = datetime.now(UTC) - age
    old = [path for folder in _FOLDERS for path in archive.list(folder, written_before=before) if _OURS.fullmatch(path)]
    rows = connection.execute("SELECT path FROM archive_files WHERE path = ANY (%s)", [old])
    named = {path for (path,) in rows}
    unnamed = [path for path in old if path not in named]
    kept = _unknown_cycles(connection, unnamed, bounds.first_kept) | _unknown_days(connection, unnamed)
    return [path for path in unnamed if path not in kept]


def sweep(
    connection: psycopg.Connection, archive: Archive, bounds: Bounds, *, age: timedelta = ORPHAN_AGE
) -> Sequence[str]:
    """Delete orphans; return their paths. For who holds the archive's lock. Raises ``ArchiveUnusable``."""
    with connection.transaction():
        found = orphans(connection, archive, bounds, age=age)
    archive.delete(found)
    return found


def _unknown_cycles(connection: psycopg.Connection, paths: Sequence[str], first_kept: date) -> set[str]:
    """Files of cycles of kept days that no run of this database was: they can be replayed."""
    cycles = {path: (int(match["run_id"]), match["cycle_at"]) for path in paths if (match := _OF_CYCLE.search(path))}
    rows = connection.execute(
        """
        SELECT id, to_char(cycle_at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.US"Z"') FROM scrape_runs
        WHERE id = ANY (%s)
        """,
        [[run_id for run_id, _ in cycles.values()]],
    )
    known = set(rows)
    return {path for path, cycle in cycles.items() if cycle not in known and cycle[1] >= f"{first_kept:%Y%m%d}"}


def _unknown_days(connection: psycopg.Connection, paths: Sequence[str]) -> set[str]:
    """Parts of retired days of which this database has nothing else."""
    parts = {path: date.fromisoformat(match["day"]) for path in paths if (match := _OF_DAY.search(path))}
    if not parts:
        return set()
    known = days_held(connection) | {file.first_day for file in named_files(connection, "history")}
    return {path for path, day in parts.items() if day not in known}
