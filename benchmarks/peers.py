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
from psycopg.conninfo import conninfo_to_dict

from odds_pipeline.database.engine import Database
from odds_pipeline.scrape.staging import Staging

from .measure import median, say, timed
from .offers import CHANGED_SHARE, SCALES, Scale, stage
from .peers_process import install, peer
from .scratch import scratch_database, scratch_directory, wal_position
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
    "| markets | changed | ours | dlt | dlt / ours | dbt, loaded | dbt / ours | with its load | WAL of each |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def run(scale_names: Sequence[str]) -> None:
    """Measure at each scale and print one table."""
    install()
    rows: list[str] = []
    for name in scale_names:
        with scratch_directory() as directory, scratch_database(directory) as database, ExitStack() as stack:
            rows += _Race(SCALES[name], directory, database, stack).run()
    say("\n".join(["", _HEADER, *rows]))


class _Lap(NamedTuple):
    """One cycle: seconds of each, of the load that dbt is given and of its statements alone, and MB of WAL of each."""

    ours: float
    dlt: float
    dbt: float
    dbt_load: float
    dbt_statements: float
    ours_wal: float
    dlt_wal: float
    dbt_wal: float


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
        ours = write_staged(self._database, archive_beside(self._directory), staging, number)
        self._changes += ours.record.inserted_history
        with self._database.connect(autocommit=True) as connection:
            wal = [wal_position(connection)]
            dlt = self._dlt.ask(str(flat))
            wal.append(wal_position(connection))
            _, load = timed(lambda: self._load(flat))
            dbt = self._dbt.ask("")
            wal.append(wal_position(connection))
        flat.unlink()
        lap = _Lap(
            ours=ours.prepare.wall + ours.write.wall,
            dlt=dlt["whole"],
            dbt=dbt["whole"],
            dbt_load=load.wall,
            dbt_statements=dbt["statements"],
            ours_wal=ours.wal_mb,
            dlt_wal=(wal[1] - wal[0]) / 1e6,
            dbt_wal=(wal[2] - wal[1]) / 1e6,
        )
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
        say(
            f"    {number}: ours {lap.ours:.3f} s, dlt {lap.dlt:.3f} s, dbt {lap.dbt:.3f} s (its statements "
            f"{lap.dbt_statements:.3f} s), after a load of {lap.dbt_load:.3f} s"
        )

    def _row(self, share: str, laps: Sequence[_Lap]) -> str:
        of = _Lap(*(median(values) for values in zip(*laps, strict=True)))
        return (
            f"| {self._scale.total:,} | {share} | {of.ours:.3f} s | {of.dlt:.2f} s | **{of.dlt / of.ours:.2g}** "
            f"| {of.dbt:.2f} s | **{of.dbt / of.ours:.2g}** | {(of.dbt_load + of.dbt) / of.ours:.2g} "
            f"| {of.ours_wal:.1f}, {of.dlt_wal:.0f} and {of.dbt_wal:.0f} MB |"
        )


def _write_flat(staging: Staging, path: Path) -> None:
    """The staged offer as the peers get it: one narrow row for each market, everything worked out."""
    scans = pl.concat([staging.scan_observations(slug) for slug in staging.bookmakers()])
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
