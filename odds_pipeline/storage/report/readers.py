"""The report's section on who reads the columns that might be done without, or that this cannot be known (R22)."""

from __future__ import annotations

from odds_pipeline.storage.measured import ColumnReaders, StorageProfile
from odds_pipeline.storage.report.parts import Section, Sentences, grid
from odds_pipeline.storage.report.sizes import table_name

_NAMED = 5


def reader_section(profile: StorageProfile) -> Section:
    """A row for each column whose readers were looked for."""
    rows = [
        (f"{table_name(profile, database, table)}.{column.name}", *_row(column.readers))
        for database in profile.databases
        for table in database.whole_tables
        for column in table.columns
        if column.readers is not None
    ]
    title = "Who reads the columns that might go"
    if not rows:
        return Section(
            title, (Sentences("No readers were looked for: no column was found that might be done without."),)
        )
    titles = ("column", "views", "functions", "indexes and constraints", "statements seen", "source")
    return Section(title, (grid(titles, rows),))


def _row(readers: ColumnReaders) -> tuple[str, ...]:
    return (
        _named(readers.views),
        _named(readers.functions),
        _named(readers.parts),
        "cannot be known: no pg_stat_statements" if readers.statements is None else _named(readers.statements),
        "not searched: give --source" if readers.source is None else _named(readers.source),
    )


def _named(found: tuple[str, ...]) -> str:
    if not found:
        return "none"
    return ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else "")
