"""Storage profiles made by hand: the earlier system's at its real volumes, a healthy one of ours, an empty one.

The volumes of ``first_generation()`` are those that were noted down when the earlier system was looked at: 63 GB in
15 days, and 11.9 GB when the raw answers were dropped and 7 days were kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from odds_pipeline.storage.measured import (
    Ages,
    ArchiveKind,
    Column,
    DatabaseProfile,
    Growth,
    Index,
    Kept,
    Repeats,
    StorageProfile,
    Table,
    Turnover,
    Wal,
)
from odds_pipeline_tests.storage.profile_parts import GB, MB, NOW, ages, index, table

_MARKET_COLUMNS = {
    # Bytes a row of betPawa's; they add up to the row of 260 bytes with its header and its share of three indexes.
    "id": ("bigint", 8.0),
    "snapshot_id": ("bigint", 8.0),
    "betpawa_market_id": ("character varying(50)", 5.2),
    "betpawa_market_name": ("character varying(255)", 24.0),
    "line": ("double precision", 4.0),
    "handicap_type": ("character varying(50)", 0.4),
    "handicap_home": ("double precision", 0.4),
    "handicap_away": ("double precision", 0.4),
    "outcomes": ("json", 112.0),
    "market_groups": ("json", 13.0),
    "unavailable_at": ("timestamp with time zone", 0.0),
}


def _snapshots(
    name: str, rows: int, total: int, raw: int, columns: tuple[Column, ...], indexes: tuple[Index, ...], aged: Ages
) -> Table:
    """A table of whole answers: what was answered lies in TOAST, all but nothing else does."""
    index_bytes = sum(each.bytes for each in indexes)
    return Table(
        schema="public",
        name=name,
        kind="table",
        rows=rows,
        rows_from="statistics",
        heap_bytes=total - raw - index_bytes,
        toast_bytes=raw,
        index_bytes=index_bytes,
        dead_rows=0,
        bloat_bytes=0,
        sampled_rows=3_000,
        columns=(
            *columns,
            Column("raw_response", "jsonb", raw, null_share=0.0, raw_bytes=int(raw * 3.4), distinct_share=None),
        ),
        indexes=indexes,
        ages=aged,
    )


def _market_table(name: str, rows: int, total: int, snapshots: str, within: Mapping[int, float]) -> Table:
    indexes = tuple(
        index(name, column, size=int(rows * size), constraint=column == "id")
        for column, size in (("id", 22.5), ("snapshot_id", 10.0), ("betpawa_market_id", 8.0))
    )
    heap = total - sum(each.bytes for each in indexes)
    longer = (heap / rows - 28 - 36) / sum(
        size for column, (_, size) in _MARKET_COLUMNS.items() if column in ("outcomes", "market_groups")
    )
    columns = tuple(
        Column(
            column,
            type_,
            int(rows * size * (longer if type_ == "json" else 1)),
            null_share={"line": 0.5, "handicap_type": 0.95, "unavailable_at": 1.0}.get(column, 0.0),
            raw_bytes=int(rows * size * longer) if type_ == "json" else None,
            distinct_share=120 / rows if column.startswith("betpawa_market") else None,
            average_elements={"outcomes": 2.9, "market_groups": 1.2}.get(column),
        )
        for column, (type_, size) in _MARKET_COLUMNS.items()
    )
    return Table(
        schema="public",
        name=name,
        kind="table",
        rows=rows,
        rows_from="statistics",
        heap_bytes=heap,
        toast_bytes=0,
        index_bytes=total - heap,
        dead_rows=0,
        bloat_bytes=0,
        sampled_rows=30_000,
        columns=columns,
        indexes=indexes,
        ages=ages(f"{snapshots}.captured_at", rows, days=15, within=within),
    )


def first_generation() -> StorageProfile:
    """The earlier system at 63 GB."""
    betpawa, competitors = {7: 10 / 22, 14: 0.95}, {7: 1.5 / 5.6, 14: 0.95}
    id_type, time_type = "bigint", "timestamp with time zone"
    rows = 499_269
    default = _snapshots(
        "odds_snapshots",
        rows,
        24 * GB,
        23 * GB,
        (
            Column("id", id_type, 8 * rows, 0.0, distinct_share=1.0),
            Column("event_id", "integer", 4 * rows, 0.0, distinct_share=0.01),
            Column("bookmaker_id", "integer", 4 * rows, 0.0, distinct_share=1 / rows),
            Column("captured_at", time_type, 8 * rows, 0.0, distinct_share=0.9),
            Column("scrape_run_id", "integer", 4 * rows, 0.0, distinct_share=0.01),
            Column("last_confirmed_at", "timestamp without time zone", 8 * rows, 0.0, distinct_share=0.5),
        ),
        (index("odds_snapshots", "id", "captured_at", size=32 * MB, constraint=True),),
        ages("captured_at", rows, days=15, within=betpawa),
    )
    parent = replace(default, kind="partitioned", indexes=())
    child = replace(
        default, name="odds_snapshots_default", kind="partition", parent="odds_snapshots", partition_bound="DEFAULT"
    )
    rows = 278_129
    competitor_snapshots = _snapshots(
        "competitor_odds_snapshots",
        rows,
        11 * GB,
        10 * GB,
        (
            Column("id", "integer", 4 * rows, 0.0, distinct_share=1.0),
            Column("competitor_event_id", "integer", 4 * rows, 0.0, distinct_share=0.01),
            Column("captured_at", "timestamp without time zone", 8 * rows, 0.0, distinct_share=0.9),
            Column("scrape_run_id", "integer", 4 * rows, 0.0, distinct_share=0.01),
            Column("last_confirmed_at", "timestamp without time zone", 8 * rows, 0.0, distinct_share=0.5),
        ),
        (
            index("competitor_odds_snapshots", "id", size=12 * MB, constraint=True),
            index("competitor_odds_snapshots", "competitor_event_id", size=4 * MB),
            index("competitor_odds_snapshots", "captured_at", size=8 * MB),
        ),
        ages("captured_at", rows, days=15, within=competitors),
    )
    tables = (
        _market_table("competitor_market_odds", 19_938_384, 5_600 * MB, "competitor_odds_snapshots", competitors),
        competitor_snapshots,
        table("competitor_events", 31_000, 8 * MB, (index("competitor_events", "id", size=MB, constraint=True),)),
        table(
            "event_scrape_status",
            599_344,
            84 * MB,
            (index("event_scrape_status", "id", size=24 * MB, constraint=True),),
            aged=ages("created_at", 599_344, days=15),
        ),
        table("events", 12_000, 3 * MB, (index("events", "id", size=MB, constraint=True),)),
        _market_table("market_odds", 85_408_740, 22 * GB, "odds_snapshots", betpawa),
        parent,
        child,
        table("scrape_runs", 4_300, 4 * MB, aged=ages("started_at", 4_300, days=15)),
    )
    whole = sum(each.total_bytes for each in tables if each.kind != "partition")
    return StorageProfile(
        measured_at=NOW,
        databases=(
            DatabaseProfile(
                name="pawarisk",
                server_version="15.10",
                is_replica=False,
                total_bytes=max(63 * GB, whole),
                tables=tables,
                repeats=(
                    Repeats("market_odds", pairs=20_000, equal=19_000, answers=120, equal_answers=0, firsts=200),
                    Repeats("competitor_market_odds", 9_000, 8_550, answers=120, equal_answers=0, firsts=100),
                ),
                wal=Wal(bytes=190 * GB, since=NOW - timedelta(days=15)),
                extensions={"pg_stat_statements": True, "plpgsql": True},
                can_lz4=True,
                seconds=6.2,
            ),
        ),
        growth=Growth(
            said_by="ages",
            since=NOW - timedelta(days=7),
            until=NOW,
            bytes_a_day=3.6 * GB,
            by_table={
                "pawarisk.market_odds": 1.43 * GB,
                "pawarisk.odds_snapshots": 1.56 * GB,
                "pawarisk.competitor_market_odds": 0.2 * GB,
                "pawarisk.competitor_odds_snapshots": 0.41 * GB,
            },
        ),
    )


def ours() -> StorageProfile:
    """Ours after a fortnight at 25,000 markets a cycle: what is kept is what is meant to be.

    An answer that changed anything, which is a row of history, changed 3.6 markets.
    """
    now, days, rows_a_day = NOW, 14.5, 100_000
    today = now.date()
    rows = int(rows_a_day * days)
    partitions = (
        *(_history_day(today - timedelta(days=back), rows_a_day, now) for back in range(14, 0, -1)),
        _history_day(today, rows_a_day // 2, now),
    )
    history = Table(
        schema="public",
        name="odds_history",
        kind="partitioned",
        rows=rows,
        rows_from="statistics",
        heap_bytes=sum(each.heap_bytes for each in partitions),
        toast_bytes=0,
        index_bytes=sum(each.index_bytes for each in partitions),
        dead_rows=0,
        bloat_bytes=0,
        sampled_rows=30_000,
        columns=(
            Column("captured_at", "timestamp with time zone", 8 * rows, 0.0),
            Column("event_bookmaker_id", "integer", 4 * rows, 0.0),
            Column("run_id", "integer", 4 * rows, 0.0),
            Column("changes", "bytea", 55 * rows, 0.0, raw_bytes=55 * rows),
        ),
        ages=ages("captured_at", rows, days=days, now=now),
        changes=rows * 36 // 10,
    )
    odds = (
        table("archive_files", 1_100, MB),
        table("cleanup_runs", 15, 48_000),
        table("competitor_market_odds", 0, 0, (index("competitor_market_odds", "id", size=8192, constraint=True),)),
        table("competitor_odds_snapshots", 0, 0),
        table("current_odds", 41_000, 6 * MB, (index("current_odds", "market_id", size=MB, constraint=True),)),
        table("market_odds", 0, 0, (index("market_odds", "id", size=8192, constraint=True),)),
        table("markets", 41_000, 4 * MB, (index("markets", "id", size=MB, constraint=True),)),
        history,
        *partitions,
        table("scrape_coverage", 26_000, 5 * MB, aged=ages("captured_at", 26_000, days=days, now=now)),
        table("scrape_runs", 4_176, 2 * MB, aged=ages("started_at", 4_176, days=days, now=now)),
    )
    dagster = (
        table(
            "event_logs",
            190_000,
            120 * MB,
            (
                index("event_logs", "id", size=5 * MB, constraint=True),
                index("event_logs", "run_id", "id", size=14 * MB, scans=0),
            ),
            aged=ages("timestamp", 190_000, days=14, now=now),
        ),
        table("runs", 4_100, 9 * MB, (index("runs", "id", size=MB, constraint=True),)),
    )
    return StorageProfile(
        measured_at=now,
        databases=(_database("odds", odds, now, repeats=(Repeats("odds_history", 5_000, 0, 0, 0, firsts=900),)),
                   _database("dagster", dagster, now)),
        archives=(
            ArchiveKind("history", 3, 6 * MB, 1_080_000, today - timedelta(days=17), today - timedelta(days=15)),
            ArchiveKind("observations", 4_176, 230 * MB, rows * 36 // 10, today - timedelta(days=14), today),
            ArchiveKind("state", 15, 3 * MB, 615_000, today - timedelta(days=14), today),
        ),
        policies=(
            Kept("odds_history", 14, "ODDS_RETENTION_DAYS", now - timedelta(days=days), 0),
            Kept("scrape_runs", 30, "ODDS_RUN_RETENTION_DAYS", now - timedelta(days=days), 0),
            Kept("markets", None, None, None, 0),
        ),
        turnover=Turnover(
            since=now - timedelta(days=7),
            until=now,
            cycles=2_016,
            answers=907_200,
            changed_answers=711_000,
            observations=50_400_000,
            history_rows=2_562_000,
            first_sightings=42_000,
            events=150,
        ),
        growth=Growth(
            said_by="samples",
            since=now - timedelta(days=7),
            until=now,
            bytes_a_day=15.0 * MB,
            by_table={"odds.odds_history": 14.0 * MB, "dagster.event_logs": 0.4 * MB},
        ),
    )  # fmt: skip


def empty() -> StorageProfile:
    """Ours, migrated and never used: every table is there, none holds a row."""
    names = ("current_odds", "market_odds", "markets", "odds_history", "scrape_runs", "storage_samples")
    tables = tuple(table(name, 0, 0, (index(name, "id", size=8192, constraint=True),)) for name in names)
    return StorageProfile(measured_at=NOW, databases=(_database("odds", tables, NOW), _database("dagster", (), NOW)))


def _history_day(day: date, rows: int, now: datetime) -> Table:
    heap, indexes = 100 * rows, 40 * rows
    return Table(
        schema="public",
        name=f"odds_history_{day:%Y%m%d}",
        kind="partition",
        rows=rows,
        rows_from="statistics",
        heap_bytes=heap,
        toast_bytes=0,
        index_bytes=indexes,
        parent="odds_history",
        partition_bound=f"FOR VALUES FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')",
        dead_rows=0,
        bloat_bytes=0,
        indexes=(
            index(
                f"odds_history_{day:%Y%m%d}",
                "event_bookmaker_id",
                "captured_at",
                size=indexes - 24_576,
                constraint=True,
            ),
            index(f"odds_history_{day:%Y%m%d}", "captured_at", size=24_576, scans=0),
        ),
        ages=ages("captured_at", rows, days=max((now.date() - day).days + 1, 1), now=now),
    )


def _database(
    name: str, tables: tuple[Table, ...], now: datetime, repeats: tuple[Repeats, ...] = ()
) -> DatabaseProfile:
    return DatabaseProfile(
        name=name,
        server_version="18.4",
        is_replica=False,
        total_bytes=8 * MB + sum(each.total_bytes for each in tables if each.kind != "partition"),
        tables=tables,
        repeats=repeats,
        wal=Wal(bytes=12 * GB, since=now - timedelta(days=14)),
        extensions={"plpgsql": True},
        can_lz4=False,
        seconds=0.8,
    )
