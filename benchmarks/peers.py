"""Beside what others would take: dlt's scd2 merge and a dbt snapshot, on the same frames and the same server.

All three keep the versions of the same offer, cycle by cycle, in turn. Ours is ``write_cycle`` with all that it does:
current, history, confirmation, coverage and the archive, from the files that a scrape leaves. The peers get a flat
table with the key, the fingerprint and the outcomes as text, made for them beforehand, and time themselves within
their process: dlt from Arrow tables in memory, dbt from a table that is there. Both have more working memory than ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psycopg
from psycopg.conninfo import conninfo_to_dict

from odds_pipeline.database.engine import Database
from odds_pipeline.scrape.staging import Staging

from .measure import median, say, timed
from .offers import CHANGED_SHARE, SCALES, Scale, stage
from .peers_process import install, peer
from .scratch import scratch_database, scratch_directory, server_cpu, wal_position
from .writing import archive_beside, settle, write_staged

#: What changed, as the table says it, the share of the markets, and the numbers of the cycles.
_KINDS = (
    ("all are new", CHANGED_SHARE, range(1)),
    ("5%", CHANGED_SHARE, range(1, 4)),
    ("0%", 0.0, range(4, 7)),
    ("100%", 1.0, range(7, 9)),
)
_WORK_MEMORY = {"PGOPTIONS": "-c work_mem=256MB"}
_HEADER = (
    "| markets | changed | ours | dlt | dlt / ours | dbt, loaded | dbt / ours | with its load | computing | WAL |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def run(scale_names: Sequence[str]) -> None:
    """Measure at each scale and print one table."""
    install()
    rows: list[str] = []
    for name in scale_names:
        with scratch_directory() as directory, scratch_database(directory) as database, ExitStack() as stack:
            rows += _Race(SCALES[name], directory, database, stack).run()
    say("\n".join(["", _HEADER, *rows]))


class _Taken(NamedTuple):
    """What one of them took: seconds, processor seconds of its process and the server, MB of WAL."""

    wall: float
    computing: float
    wal_mb: float


class _Lap(NamedTuple):
    """One cycle; ``load`` is what dbt is given."""

    ours: _Taken
    dlt: _Taken
    load: _Taken
    dbt: _Taken
    dbt_statements: float


class _Race:
    def __init__(self, scale: Scale, directory: Path, database: Database, stack: ExitStack) -> None:
        self._scale, self._directory, self._database = scale, directory, database
        self._changes = 0
        self._loading = stack.enter_context(adbc.connect(database.libpq))
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE SCHEMA peer_dbt")
        self._dlt = stack.enter_context(peer("peers_dlt.py", [_url(database.libpq)], directory, _WORK_MEMORY))
        self._dbt = stack.enter_context(peer("peers_dbt.py", [_parts(database.libpq)], directory, _WORK_MEMORY))

    def run(self) -> list[str]:
        say(f"beside dlt and dbt at scale {self._scale.name}: {self._scale.total:,} markets a cycle")
        rows: list[str] = []
        moved_until = 0
        for name, share, numbers in _KINDS:
            moved_until = numbers[-1] if share else moved_until
            laps = [self._lap(number, min(number, moved_until), share or CHANGED_SHARE) for number in numbers]
            rows.append(self._row(name, laps))
            if 0 in numbers:
                settle(self._database)
        self._require_same()
        return rows

    def _lap(self, number: int, moved_until: int, share: float) -> _Lap:
        root = self._directory / "staging"
        staging = stage(self._scale, root, number, moved_until=moved_until, changed_share=share)
        flat = self._directory / "offer.parquet"
        _write_flat(staging, flat)
        with self._database.connect(autocommit=True) as connection:
            watch = _Watch(connection)
            ours = write_staged(self._database, archive_beside(self._directory), staging, number)
            ours_taken = watch.taken(ours.prepare.wall + ours.write.wall, ours.prepare.cpu + ours.write.cpu)
            dlt = self._dlt.ask(str(flat))
            dlt_taken = watch.taken(dlt["whole"], dlt["computing"])
            _, load = timed(lambda: self._load(flat))
            load_taken = watch.taken(*load)
            dbt = self._dbt.ask("")
            dbt_taken = watch.taken(dbt["whole"], dbt["computing"])
        flat.unlink()
        self._changes += ours.record.inserted_history
        lap = _Lap(ours_taken, dlt_taken, load_taken, dbt_taken, dbt["statements"])
        self._say(number, lap)
        return lap

    def _load(self, flat: Path) -> None:
        """Put the cycle into the table that dbt looks at."""
        with self._loading.cursor() as cursor:
            cursor.adbc_ingest("offer", pl.read_parquet(flat).to_arrow(), mode="replace", db_schema_name="peer_dbt")
            cursor.execute("ANALYZE peer_dbt.offer")
        self._loading.commit()

    def _require_same(self) -> None:
        """Ours and both peers must hold as many versions. Raises ``SystemExit``."""
        with self._database.connect() as connection:
            held = connection.execute(
                """
                SELECT (SELECT count(*) FROM market_odds_history), (SELECT count(*) FROM peer_dlt.offer),
                       (SELECT count(*) FROM peer_dbt.versions)
                """
            ).fetchone()
        say(f"  versions held: {held}")
        if held != (self._changes,) * 3:
            raise SystemExit(f"not everybody holds the {self._changes:,} versions that there are: {held}")

    def _say(self, number: int, lap: _Lap) -> None:
        each = ", ".join(
            f"{name} {taken.wall:.3f} s ({taken.computing:.2f} computing)"
            for name, taken in (("ours", lap.ours), ("dlt", lap.dlt), ("dbt", lap.dbt), ("its load", lap.load))
        )
        say(f"    {number}: {each}, its statements {lap.dbt_statements:.3f} s")

    def _row(self, share: str, laps: Sequence[_Lap]) -> str:
        ours, dlt, load, dbt = (
            _Taken(*(median(values) for values in zip(*(getattr(lap, name) for lap in laps), strict=True)))
            for name in ("ours", "dlt", "load", "dbt")
        )
        return (
            f"| {self._scale.total:,} | {share} | {ours.wall:.3f} s "
            f"| {dlt.wall:.2f} s | **{dlt.wall / ours.wall:.2g}** "
            f"| {dbt.wall:.2f} s | **{dbt.wall / ours.wall:.2g}** | {(load.wall + dbt.wall) / ours.wall:.2g} "
            f"| {ours.computing:.2f}, {dlt.computing:.2f} and {dbt.computing:.2f} s "
            f"| {ours.wal_mb:.1f}, {dlt.wal_mb:.0f} and {load.wal_mb + dbt.wal_mb:.0f} MB |"
        )


class _Watch:
    """The server's processor seconds and WAL from one reading to the next."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._cpu, self._wal = server_cpu(connection), wal_position(connection)

    def taken(self, wall: float, cpu: float) -> _Taken:
        """What was taken since the last reading by one whose process took these seconds."""
        cpu_before, wal_before = self._cpu, self._wal
        self._cpu, self._wal = server_cpu(self._connection), wal_position(self._connection)
        return _Taken(wall, cpu + self._cpu - cpu_before, (self._wal - wal_before) / 1e6)


def _write_flat(staging: Staging, path: Path) -> None:
    """The staged offer as the peers get it: one narrow row for each market, everything worked out."""
    scans = staging.scan_observations(*staging.bookmakers())
    rows = scans.select(
        "bookmaker",
        "external_event_id",
        "betpawa_market_id",
        (pl.col("line") * 1000).cast(pl.Int64),
        "fingerprint",
        outcomes=pl.col("outcomes").list.eval(pl.element().struct.json_encode()).list.join(","),
    ).collect()
    key = pl.struct("bookmaker", "external_event_id", "betpawa_market_id", "line")
    rows = rows.with_columns(market_key=key.hash(seed=1).reinterpret(signed=True))
    version = pl.struct("market_key", "fingerprint").hash(seed=2).reinterpret(signed=True)
    rows.with_columns(row_hash=version).write_parquet(path)


def _parts(libpq: str) -> str:
    """The connection as dbt's profile takes it, as JSON."""
    said = conninfo_to_dict(libpq)
    parts = {"host": said["host"], "user": said["user"], "password": said.get("password", ""), "dbname": said["dbname"]}
    return json.dumps(parts | {"port": int(said.get("port") or 5432)})


def _url(libpq: str) -> str:
    """The connection as dlt takes it: it insists on a host and a password, and leaves the rest to libpq."""
    said = conninfo_to_dict(libpq)
    query = urlencode({name: said[name] for name in ("host", "port") if name in said})
    return f"postgresql://{said['user']}:{said.get('password', 'none')}@localhost/{said['dbname']}?{query}"
