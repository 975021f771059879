"""What a storage profile consists of: facts as they were measured, without a judgement.

Everything is frozen and made of plain values, so that the judgements over it need no database. Bytes are bytes on the
disk unless a name says otherwise; sizes of a partitioned table are the sums over its partitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

WINDOWS = (7, 14, 30)
"""Days for which it is told how much falls within them."""

Part = Literal["dagster", "archive"]
"""What our own storage has beside the odds database."""

RowsFrom = Literal["counted", "statistics", "sampled"]
"""Who said how many rows there are: all were counted, PostgreSQL's statistics said so, a sample was extrapolated."""


@dataclass(frozen=True, slots=True)
class Index:
    """One index. ``scans``: how often it was used since the statistics began; None where nothing counts it."""

    name: str
    bytes: int
    definition: str
    columns: tuple[str, ...]
    is_unique: bool
    is_constraint: bool
    """Whether a primary key or another constraint needs it."""
    scans: int | None = None
    is_valid: bool = True
    """Not so: no question is answered by it, for making it was broken off or is not over."""
    is_being_made: bool = False


@dataclass(frozen=True, slots=True)
class ColumnReaders:
    """Who reads a column, as far as that can be known (R22). Empty: looked for and not found."""

    column: str
    views: tuple[str, ...]
    """Views and materialized views, by PostgreSQL's own record of what they depend on."""
    functions: tuple[str, ...]
    """Functions whose text mentions column and table: a search of text."""
    parts: tuple[str, ...]
    """Indexes, constraints and triggers on the column, generated columns and the like."""
    statements: tuple[str, ...] | None
    """Statements that mention both, by pg_stat_statements; None: cannot be known, it is not there or not readable."""
    source: tuple[str, ...] | None
    """``file:line`` of a word search in a folder of source; None: no folder was given."""
    blockers: tuple[str, ...] = ()
    """Of the parts, those that must be dropped before the column can be."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, as a sample of the table's rows has it."""

    name: str
    type: str
    bytes: int
    """Of all rows, as stored: compressed where PostgreSQL compresses, without the row's own header."""
    null_share: float
    raw_bytes: int | None = None
    """The same uncompressed, where values may be compressed (TOAST); None for types that never are."""
    distinct_share: float | None = None
    """Different values per row, by PostgreSQL's statistics; None when it has none."""
    average_elements: float | None = None
    """Of a JSON column that holds lists: items per value."""
    item_keys: tuple[tuple[str, ...], ...] = ()
    """Of a column of outcomes: the sets of keys that items of the lists looked at have; empty: none was looked at."""
    out_of_line_bytes: int = 0
    """Of the bytes, those that lie in TOAST, without what is stored there beside values."""
    is_generated: bool = False
    """Reckoned from other columns, so that nothing can be written to it."""
    dependents: tuple[str, ...] = ()
    """What stands in the way of another type: checks, foreign keys, generated columns, views, policies, triggers."""
    readers: ColumnReaders | None = None
    """Told of columns that might be done without; None: not asked."""

    @property
    def is_json(self) -> bool:
        """Whether the column holds JSON."""
        return self.type in ("json", "jsonb")


@dataclass(frozen=True, slots=True)
class Ages:
    """How old a table's rows are, by a time of their own or of the row that they belong to."""

    said_by: str
    """The column, e.g. ``captured_at`` or ``odds_snapshots.captured_at``."""
    rows_from: RowsFrom
    oldest: datetime
    newest: datetime
    rows_within: Mapping[int, int]
    """Rows of the last ``WINDOWS`` days before the profile's moment."""
    rows_by_day: Mapping[date, int]
    """Rows of each of the last 7 whole UTC days before the profile's, days without any included."""
    is_birth: bool = True
    """Whether rows of a day were gained in it; not so where the time is that of a row's last change."""
    rows_ahead: int = 0
    """Rows newer than that: of a copy that is looked at as of an earlier moment."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: an ordinary one, a partitioned one with the sums over its partitions, or one of these partitions.

    A materialized view is told like a table, but what it holds is made by its query: there is nothing to advise of it.
    """

    schema: str
    name: str
    kind: Literal["table", "partitioned", "partition", "materialized view"]
    rows: int
    rows_from: RowsFrom
    heap_bytes: int
    toast_bytes: int
    index_bytes: int
    parent: str | None = None
    parent_schema: str | None = None
    """None: that of the partition."""
    partition_bound: str | None = None
    """Of a partition, e.g. ``DEFAULT`` or ``FOR VALUES FROM ... TO ...``."""
    dead_rows: int | None = None
    bloat_bytes: int | None = None
    """Of heap and TOAST beyond what the rows need, reckoned from statistics; None where they do not tell."""
    sampled_rows: int = 0
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    ages: Ages | None = None
    cascades_to: tuple[str, ...] = ()
    """Tables of which rows are deleted with this one's (ON DELETE CASCADE), with their schemas unless ``public``."""
    skipped: str | None = None
    """Why rows were not looked at (a lock, a missing right); sizes are there all the same."""
    changes: int | None = None
    """Of history, whose rows are answers with all that they changed: changes of markets in all, by a sample; None: not
    known, or the rows are something else."""

    @property
    def total_bytes(self) -> int:
        """Heap, TOAST and indexes."""
        return self.heap_bytes + self.toast_bytes + self.index_bytes

    @property
    def bytes_per_row(self) -> float | None:
        """All of the table's bytes for each row; None without rows."""
        return self.total_bytes / self.rows if self.rows else None

    @property
    def bytes_per_change(self) -> float | None:
        """All of the table's bytes for each change that it holds; None where they are not known or none."""
        return self.total_bytes / self.changes if self.changes else None

    def is_part_of(self, parent: Table) -> bool:
        """Whether it is a partition of that table."""
        return self.parent == parent.name and (self.parent_schema or self.schema) == parent.schema

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Repeats:
    """How many states of a table say what the one before of the same market said already, by a sample of pairs.

    A state is a row, or one of the changes that a row holds together.
    """

    table: str
    pairs: int
    equal: int
    answers: int
    """Pairs of consecutive answers (snapshots) that were compared; 0 where rows do not belong to answers."""
    equal_answers: int
    """Of these, how many changed nothing at all."""
    firsts: int = 0
    """Rows of the same sample that have no row before them, those of an event's first answer included."""
    schema: str = "public"

    @property
    def share(self) -> float:
        """Equal pairs, 0 to 1."""
        return self.equal / self.pairs if self.pairs else 0.0

    @property
    def share_of_rows(self) -> float:
        """Rows that could go because they repeat, of all rows, 0 to 1."""
        rows = self.pairs + self.firsts
        return self.equal / rows if rows else 0.0


@dataclass(frozen=True, slots=True)
class Wal:
    """Write-ahead log written since ``since`` (when the server's statistics began)."""

    bytes: int
    since: datetime


@dataclass(frozen=True, slots=True)
class DatabaseProfile:
    """One database at one moment."""

    name: str
    """``odds``, ``dagster``, or as it was asked for."""
    server_version: str
    is_replica: bool
    total_bytes: int
    """PostgreSQL's own catalogue included; where one schema was asked for, of its tables alone."""
    tables: tuple[Table, ...]
    """Partitions stand behind their parents."""
    repeats: tuple[Repeats, ...] = ()
    wal: Wal | None = None
    scans_since: datetime | None = None
    """Since when the use of this database's indexes is counted; None where it is not known."""
    extensions: Mapping[str, bool] | None = None
    """Extensions that the server offers: name to whether this database has it."""
    can_lz4: bool = False
    events_a_day: float | None = None
    """Events on offer on a day, the mean of the last 7; None where no table tells it."""
    seconds: float = 0.0

    @property
    def whole_tables(self) -> tuple[Table, ...]:
        """Every table once: without the partitions of partitioned ones."""
        return tuple(table for table in self.tables if table.kind != "partition")

    @property
    def own_tables(self) -> tuple[Table, ...]:
        """The same without materialized views: what statements of advice may be about."""
        return tuple(table for table in self.whole_tables if table.kind != "materialized view")

    def table(self, name: str, schema: str = "public") -> Table | None:
        """The table of that name in that schema."""
        return next((table for table in self.tables if (table.schema, table.name) == (schema, name)), None)

    def path_of(self, table: Table) -> str:
        """``odds.odds_history``: database and table, and between them the schema where it is not ``public``."""
        return ".".join((self.name, *(() if table.schema == "public" else (table.schema,)), table.name))

    def partitions_of(self, parent: Table) -> tuple[Table, ...]:
        """The partitions of a partitioned table."""
        return tuple(table for table in self.tables if table.is_part_of(parent))


@dataclass(frozen=True, slots=True)
class ArchiveKind:
    """The archive's files of one kind that count. ``rows`` and days as ``archive_files`` has them."""

    kind: str
    files: int
    bytes: int
    rows: int
    first_day: date | None
    last_day: date | None

    @property
    def bytes_per_row(self) -> float | None:
        """None without rows."""
        return self.bytes / self.rows if self.rows else None


@dataclass(frozen=True, slots=True)
class Kept:
    """What retention promises for a table, against what is there (R22)."""

    table: str
    days: int | None
    """Days that rows are kept by the settings; None: for as long as they are needed."""
    setting: str | None
    """The variable that says so, e.g. ``ODDS_RETENTION_DAYS``."""
    oldest: datetime | None
    bytes_beyond: int
    """Of rows that are older than the policy."""
    not_known: str | None = None
    """Why ``bytes_beyond`` could not be told."""
    schema: str = "public"


@dataclass(frozen=True, slots=True)
class Turnover:
    """What the cycles of a stretch of time found, by their own numbers, against storing a whole snapshot in each."""

    since: datetime
    until: datetime
    cycles: int
    answers: int
    """Answers of bookmakers about one event."""
    changed_answers: int | None
    observations: int
    """Markets seen, which whole snapshots would have stored, a row each."""
    history_rows: int
    """Changes that were stored instead, each a row of ``market_odds_history``."""
    first_sightings: int
    events: int
    """Different events asked for per cycle, the mean."""

    @property
    def days(self) -> float:
        """The stretch's length."""
        return (self.until - self.since).total_seconds() / 86_400


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes gained in a day, over at most the last 7."""

    said_by: Literal["samples", "ages"]
    """Stored samples of sizes, or the ages of the rows that are there."""
    since: datetime
    until: datetime
    bytes_a_day: float
    by_table: Mapping[str, float]
    """``odds.odds_history`` and the like: database, table."""


@dataclass(frozen=True, slots=True)
class StorageProfile:
    """Everything that is known about the bytes at one moment."""

    measured_at: datetime
    databases: tuple[DatabaseProfile, ...]
    archives: tuple[ArchiveKind, ...] = ()
    policies: tuple[Kept, ...] = ()
    turnover: Turnover | None = None
    growth: Growth | None = None
    unmeasured: tuple[Part, ...] = ()
    """Parts of our own storage that could not be looked at; ``total_bytes`` is without them."""

    @property
    def total_bytes(self) -> int:
        """Databases and archives together."""
        return sum(each.total_bytes for each in self.databases) + sum(each.bytes for each in self.archives)

    def database(self, name: str) -> DatabaseProfile | None:
        """The database of that name."""
        return next((each for each in self.databases if each.name == name), None)
