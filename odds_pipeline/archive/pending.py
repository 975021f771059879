"""A Parquet file of the archive while it is being written."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file's rows become bytes; what they say does not depend on it, and readers need not know it.

    ``level``: of zstd, but for the columns of ``levels``. ``row_group_rows``: what a reader can skip at once, and what
    is held in memory; ``sorted_by``: the order of the rows of a row group, by default as they come. ``encodings``:
    Parquet's, of the columns that are to have no dictionary; with ``has_dictionaries`` false none has one.
    ``statistics``: the columns by whose bounds readers skip row groups, None for all. Columns are named by their path
    in Parquet.
    """

    level: int = 3
    levels: Mapping[str, int] = field(default_factory=dict[str, int])
    row_group_rows: int = 128_000
    sorted_by: Sequence[str | pl.Expr] = ()
    encodings: Mapping[str, str] = field(default_factory=dict[str, str])
    has_dictionaries: bool = True
    statistics: Sequence[str] | None = None


AS_IT_COMES = Layout()


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file as it was written: rows, size in bytes, and the SHA-256 of its bytes in hexadecimal."""

    path: str
    rows: int
    bytes: int
    sha256: str


class PendingFile:
    """A Parquet file that is being written, in a local temporary file until ``finish`` gives it its place."""

    def __init__(
        self,
        put: Callable[[str, Iterator[bytes]], None],
        path: str,
        schema: Mapping[str, Any],
        layout: Layout,
    ) -> None:
        self._put, self._path, self._columns, self._layout = put, path, list(schema), layout
        self._schema = _arrow(pl.DataFrame(schema=dict(schema))).schema
        self._waiting: list[pl.DataFrame] = []
        self._whole = tempfile.TemporaryFile()  # noqa: SIM115
        paths = _column_paths(self._schema)
        has_dictionary = [path for path in paths if layout.has_dictionaries and path not in layout.encodings]
        statistics = paths if layout.statistics is None else layout.statistics
        self._writer = pq.ParquetWriter(
            self._whole,
            self._schema,
            compression="zstd",
            # pyarrow's own annotations forget the columns that its documentation names.
            compression_level={path: layout.levels.get(path, layout.level) for path in paths},  # type: ignore[arg-type]
            use_dictionary=has_dictionary,  # type: ignore[arg-type]
            write_statistics=[path for path in paths if path in statistics],  # type: ignore[arg-type]
            column_encoding=dict(layout.encodings),
            # Few readers know other encodings of decimals than of integers.
            store_decimal_as_integer=True,
            write_page_checksum=True,
            # Arrow's own description of the columns says nothing that Parquet's does not, in as many bytes as a column.
            store_schema=False,
        )
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._whole.close()

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows in the file's schema; columns beyond it are left out."""
        if frame.is_empty():
            return
        self._waiting.append(frame.select(self._columns))
        self._rows += frame.height
        if sum(waiting.height for waiting in self._waiting) >= self._layout.row_group_rows:
            self._write_waiting(up_to_whole_groups=True)

    def finish(self) -> ArchivedFile:
        """Let the file appear. Raises ``ArchiveUnusable``."""
        self._write_waiting()
        self._writer.close()
        self._whole.seek(0)
        digest = hashlib.file_digest(self._whole, "sha256").hexdigest()
        size = self._whole.tell()
        self._whole.seek(0)
        self._put(self._path, iter(lambda: self._whole.read(_PIECE), b""))
        return ArchivedFile(self._path, self._rows, size, digest)

    def _write_waiting(self, *, up_to_whole_groups: bool = False) -> None:
        """Write what waits, in row groups; ``up_to_whole_groups``: what would not fill one waits on."""
        if not self._waiting:
            return
        rows, size = pl.concat(self._waiting), self._layout.row_group_rows
        whole = rows.height - rows.height % size if up_to_whole_groups else rows.height
        for first in range(0, whole, size):
            group = rows.slice(first, min(size, whole - first))
            if self._layout.sorted_by:
                group = group.sort(self._layout.sorted_by, maintain_order=True)
            self._writer.write_table(_arrow(group).cast(self._schema), row_group_size=size)
        self._waiting = [rows.slice(whole)] if whole < rows.height else []


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _column_paths(schema: pa.Schema) -> list[str]:
    """The path of every column that Parquet makes of a schema; a list or struct has one for each leaf."""
    empty = io.BytesIO()
    pq.write_table(schema.empty_table(), empty)
    columns = pq.ParquetFile(empty).schema
    return [columns.column(number).path for number in range(len(columns))]
