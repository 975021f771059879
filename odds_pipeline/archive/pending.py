"""A Parquet file of the archive while it is being written."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_PIECE = 1 << 20


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
        *,
        level: int,
        row_group_rows: int,
        encodings: Mapping[str, str],
    ) -> None:
        self._put, self._path, self._columns = put, path, list(schema)
        self._schema = _arrow(pl.DataFrame(schema=dict(schema))).schema
        self._row_group_rows = row_group_rows
        self._whole = tempfile.TemporaryFile()  # noqa: SIM115
        self._writer = pq.ParquetWriter(
            self._whole,
            self._schema,
            compression="zstd",
            compression_level=level,
            # pyarrow's own annotation forgets the list of columns that its documentation names.
            use_dictionary=[path for path in _column_paths(self._schema) if path not in encodings],  # type: ignore[arg-type]
            column_encoding=dict(encodings),
            # Few readers know other encodings of decimals than of integers.
            store_decimal_as_integer=True,
            write_page_checksum=True,
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
        table = _arrow(frame.select(self._columns)).cast(self._schema)
        if table.num_rows:
            self._writer.write_table(table, row_group_size=self._row_group_rows)
            self._rows += table.num_rows

    def finish(self) -> ArchivedFile:
        """Let the file appear. Raises ``ArchiveUnusable``."""
        self._writer.close()
        self._whole.seek(0)
        digest = hashlib.file_digest(self._whole, "sha256").hexdigest()
        size = self._whole.tell()
        self._whole.seek(0)
        self._put(self._path, iter(lambda: self._whole.read(_PIECE), b""))
        return ArchivedFile(self._path, self._rows, size, digest)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _column_paths(schema: pa.Schema) -> list[str]:
    """The path of every column that Parquet makes of a schema; a list or struct has one for each leaf."""
    empty = io.BytesIO()
    pq.write_table(schema.empty_table(), empty)
    columns = pq.ParquetFile(empty).schema
    return [columns.column(number).path for number in range(len(columns))]
