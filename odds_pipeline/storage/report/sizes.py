"""The report's sections on what is there: tables, columns, archives, dead rows and bloat, retention's promises."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from odds_pipeline.storage.drivers import BESIDE_TABLES, beside_tables
from odds_pipeline.storage.measured import Column, DatabaseProfile, Kept, RowsFrom, StorageProfile, Table
from odds_pipeline.storage.opportunities.afterwards import bytes_of_column
from odds_pipeline.storage.report.parts import Part, Points, Section, Sentences, grid
from odds_pipeline.storage.words import NOT_KNOWN, in_bytes, in_count, in_days, in_percent, in_rows, rows_from

_TABLES_SHOWN = 15
_LEAST_TABLE = 0.005
"""Of its database; smaller tables are told together however few there are."""
_COLUMNS_SHOWN = 12
_BLOATED_SHOWN = 10
_PARTITIONS_SHOWN = 3
_LEAST_BLOAT = 1_000_000
_MOST_DEAD = 10_000
"""Dead rows from which on a table is named though its bloat is not: VACUUM comes by itself for less."""
_FEW_ROWS, _FEW_BYTES = 1_000, 1_000_000
"""A table or index takes a page at least: bytes a row of so little would tell of empty pages."""

_SIZE_TITLES = (
    *("table", "rows are", "size", "of the database", "rows", "bytes/row"),
    *("heap", "TOAST", "indexes", "indexes of size"),
)


def table_sections(profile: StorageProfile) -> Iterator[Section]:
    """A section for each database: every table with its size, the smallest of many together."""
    for database in profile.databases:
        yield Section(f"Tables of {database.name}", tuple(_tables(database)))


def column_section(profile: StorageProfile) -> Section:
    """The largest columns of all databases as samples have them, those of JSON first: they are what can be much."""
    found = [
        (table_name(profile, database, table), table, column)
        for database in profile.databases
        for table in database.whole_tables
        for column in table.columns
        if column.bytes
    ]
    found.sort(key=lambda each: (not each[2].is_json, -each[2].bytes))
    if not found:
        return Section("Columns", (Sentences("No rows were sampled: there are none, or none could be read."),))
    rows = [_column_row(*each) for each in found[:_COLUMNS_SHOWN]]
    titles = (
        *("column", "type", "size", "on disk", "of the table", "per row", "null"),
        *("uncompressed", "stored of it", "different values", "items"),
    )
    order = "Those of JSON come first, each kind by its size." if found[0][2].is_json else "The largest come first."
    parts: list[Part] = [Sentences(order), grid(titles, rows, numbers=range(2, len(titles)))]
    if len(found) > _COLUMNS_SHOWN:
        parts.append(Sentences(f"{len(found) - _COLUMNS_SHOWN:,} further columns are smaller; JSON has them all."))
    return Section("Columns", tuple(parts))


def archive_section(profile: StorageProfile) -> Section:
    """The files of the archive, by kind."""
    if not profile.archives:
        return Section("Archives", (Sentences("No archived files are known here."),))
    rows = [
        (
            each.kind,
            f"{each.first_day or ''}",
            f"{each.last_day or ''}",
            in_count(each.files),
            in_bytes(each.bytes),
            in_count(each.rows),
            _per_row(each.bytes_per_row),
        )
        for each in profile.archives
    ]
    titles = ("kind", "first day", "last day", "files", "size", "rows", "bytes/row")
    return Section("Archives", (grid(titles, rows, numbers=range(3, len(titles))),))


def health_section(profile: StorageProfile) -> Section:
    """Dead rows and bloat of the tables that have much of it, and the write-ahead log of each server."""
    parts: list[Part] = []
    bloated = [
        (database, table)
        for database in profile.databases
        for table in database.whole_tables
        if (table.bloat_bytes or 0) >= _LEAST_BLOAT or (table.dead_rows or 0) >= _MOST_DEAD
    ]
    bloated.sort(key=lambda each: (-(each[1].bloat_bytes or 0), -(each[1].dead_rows or 0)))
    if bloated:
        rows = [
            (
                table_name(profile, database, table),
                in_count(table.dead_rows),
                in_bytes(table.bloat_bytes),
                in_percent((table.bloat_bytes or 0) / table.total_bytes) if table.total_bytes else "",
            )
            for database, table in bloated[:_BLOATED_SHOWN]
        ]
        parts.append(grid(("table", "dead rows", "bloat", "of the table"), rows, numbers=(1, 2, 3)))
    else:
        parts.append(
            Sentences(f"No table has a bloat of {in_bytes(_LEAST_BLOAT)} or {in_count(_MOST_DEAD)} dead rows.")
        )
    parts += [Sentences(sentence) for sentence in _log_written(profile)]
    return Section("Dead rows, bloat, write-ahead log", tuple(parts))


def retention_section(profile: StorageProfile) -> Section:
    """What the settings promise of each table, against what is there (R22)."""
    title = "Retention against its policy"
    if not profile.policies:
        return Section(title, (Sentences("No policy of retention is known for these tables."),))
    bounded = [kept for kept in profile.policies if kept.days is not None]
    needed = [kept.table for kept in profile.policies if kept.days is None]
    parts: list[Part] = []
    if bounded:
        titles = ("table", "kept for", "setting", "oldest (UTC)", "beyond the policy")
        rows = [_kept_row(kept, is_empty=kept.table in _empty_tables(profile)) for kept in bounded]
        parts.append(grid(titles, rows, numbers=(4,)))
        parts.append(
            Sentences(
                "Oldest is the time from which the days of the table's oldest row count: of history when it was "
                "captured, of events and all that hangs on them the earliest kick-off."
            )
        )
    if needed:
        parts.append(Sentences(f"Kept for as long as they are needed: {', '.join(needed)}."))
    return Section(title, tuple(parts))


def label(table: Table) -> str:
    """How a table is called in the report: with its schema, where that is not the usual one."""
    return table.name if table.schema == "public" else f"{table.schema}.{table.name}"


def table_name(profile: StorageProfile, database: DatabaseProfile, table: Table) -> str:
    """The same, with its database where there are several."""
    return label(table) if len(profile.databases) == 1 else f"{database.name}: {label(table)}"


def _tables(database: DatabaseProfile) -> Iterator[Part]:
    tables = sorted(database.whole_tables, key=lambda table: (-table.total_bytes, table.schema, table.name))
    where = f"PostgreSQL {database.server_version}{', a read replica' if database.is_replica else ''}"
    data = sum(table.heap_bytes + table.toast_bytes for table in tables)
    indexes = sum(table.index_bytes for table in tables)
    if not tables:
        yield Sentences(f"{in_bytes(database.total_bytes)}; {where}. There is no table.")
        return
    yield Sentences(
        f"{in_bytes(database.total_bytes)} in {len(tables):,} tables; {where}. Data {in_bytes(data)}, indexes "
        f"{in_bytes(indexes)}: {in_percent(indexes / (data + indexes) if data + indexes else 0)} are indexes."
    )
    large = sum(table.total_bytes >= _LEAST_TABLE * database.total_bytes for table in tables)
    shown, others = tables[: min(large, _TABLES_SHOWN)], tables[min(large, _TABLES_SHOWN) :]
    rows = [row for table in shown for row in _with_partitions(database, table)]
    if others:
        name = f"{len(others):,} smaller table{'' if len(others) == 1 else 's'}"
        rows.append(_sum_row(name, others, database.total_bytes))
    if beside := beside_tables(database):
        share = in_percent(beside / database.total_bytes)
        rows.append((BESIDE_TABLES, "", in_bytes(beside), share, "", "", "", "", "", ""))
    yield grid(_SIZE_TITLES, rows, numbers=range(2, len(_SIZE_TITLES)))
    if skipped := [f"{label(table)}: {table.skipped}" for table in database.tables if table.skipped]:
        yield Sentences("Rows that were not looked at:")
        yield Points(tuple(skipped))


def _with_partitions(database: DatabaseProfile, table: Table) -> Iterator[tuple[str, ...]]:
    yield _size_row(label(table), table, database.total_bytes)
    partitions = sorted(
        database.partitions_of(table) if table.kind == "partitioned" else (),
        key=lambda each: (each.partition_bound or "", each.name),
    )
    if len(partitions) > _PARTITIONS_SHOWN:
        between = partitions[1:-1]
        yield _size_row(f"- {label(partitions[0])}", partitions[0], database.total_bytes)
        yield _sum_row(f"- {len(between):,} partitions between", between, database.total_bytes)
        partitions = partitions[-1:]
    for partition in partitions:
        yield _size_row(f"- {label(partition)}", partition, database.total_bytes)


def _size_row(name: str, table: Table, whole: int) -> tuple[str, ...]:
    return _row(
        name,
        (table.rows_from,),
        (table.heap_bytes, table.toast_bytes, table.index_bytes),
        rows=table.rows,
        whole=whole,
    )


def _sum_row(name: str, tables: Sequence[Table], whole: int) -> tuple[str, ...]:
    sizes = [sum(sizes) for sizes in zip(*((t.heap_bytes, t.toast_bytes, t.index_bytes) for t in tables), strict=True)]
    who: set[RowsFrom] = {table.rows_from for table in tables}
    return _row(name, who, sizes, rows=sum(table.rows for table in tables), whole=whole)


def _row(name: str, who: Collection[RowsFrom], sizes: Sequence[int], *, rows: int, whole: int) -> tuple[str, ...]:
    size = sum(sizes)
    return (
        name,
        " and ".join(sorted(map(rows_from, who))),
        in_bytes(size),
        in_percent(size / whole if whole else 0),
        in_rows(rows, "sampled" if "sampled" in who else "counted"),
        _per_row(size / rows if rows >= _FEW_ROWS or (rows and size >= _FEW_BYTES) else None),
        *(in_bytes(each) if each else "" for each in sizes),
        in_percent(sizes[-1] / size) if size else "",
    )


def _column_row(name: str, table: Table, column: Column) -> tuple[str, ...]:
    on_disk = bytes_of_column(table, column.name)
    return (
        f"{name}.{column.name}",
        column.type,
        in_bytes(column.bytes),
        in_bytes(on_disk),
        in_percent(on_disk / table.total_bytes) if table.total_bytes else "",
        _per_row(column.bytes / table.rows if table.rows else None),
        in_percent(column.null_share),
        "" if column.raw_bytes is None else in_bytes(column.raw_bytes),
        in_percent(column.bytes / column.raw_bytes) if column.raw_bytes else "",
        "" if column.distinct_share is None else in_percent(column.distinct_share),
        "" if column.average_elements is None else f"{column.average_elements:,.1f}",
    )


def _empty_tables(profile: StorageProfile) -> frozenset[str]:
    odds = profile.database("odds")
    return (
        frozenset(table.name for table in odds.whole_tables if not table.rows and not table.skipped)
        if odds
        else frozenset()
    )


def _kept_row(kept: Kept, *, is_empty: bool) -> tuple[str, ...]:
    without = "no row" if is_empty else NOT_KNOWN
    beyond = in_bytes(kept.bytes_beyond) if kept.bytes_beyond else "nothing"
    return (
        kept.table,
        in_days(kept.days),
        kept.setting or "",
        without if kept.oldest is None else f"{kept.oldest:%Y-%m-%d %H:%M}",
        f"{NOT_KNOWN}: {kept.not_known}" if kept.not_known else beyond,
    )


def _log_written(profile: StorageProfile) -> Iterator[str]:
    """A sentence for each server: it counts for all its databases together, since the same moment."""
    servers: dict[datetime | None, list[DatabaseProfile]] = {}
    for database in profile.databases:
        servers.setdefault(database.wal.since if database.wal else None, []).append(database)
    for since, databases in servers.items():
        names = " and ".join(database.name for database in databases)
        if since is None:
            yield f"The server of {names} does not tell how much write-ahead log it wrote."
            continue
        written = max(database.wal.bytes for database in databases if database.wal)
        days = (profile.measured_at - since) / timedelta(days=1)
        rate = f", {in_bytes(written / days)} a day" if days > 1 / 24 else ""
        yield f"The server of {names} wrote {in_bytes(written)} of log since {since:%Y-%m-%d %H:%M} UTC{rate}."


def _per_row(number: float | None) -> str:
    return "" if number is None else f"{number:,.1f}" if number < 99.95 else f"{number:,.0f}"
