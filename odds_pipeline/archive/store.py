"""Where archives live: Parquet files under a URL, a folder or an object store, that appear whole or not at all.

A path is relative to the URL and names its kind first: ``history/day=2026-11-20/....parquet``. Nothing here decides
which files count; the table ``archive_files`` does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeGuard

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs

from odds_pipeline.archive.pending import AS_IT_COMES, ArchivedFile, Layout, PendingFile
from odds_pipeline.archive.url import folder_of, without_credentials
from odds_pipeline.data_dir import data_directory
from odds_pipeline.settings import Settings

_OWNER = "archive.txt"
_FORMAT = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)


class ArchiveUnusable(Exception):
    """The archive cannot be reached, read or written; the message says what, where and what to do, no credentials."""


class ArchiveDamaged(ArchiveUnusable):
    """A file of the archive is missing, or is not what was written."""


class ArchiveOfAnother(ArchiveUnusable):
    """The archive belongs to another odds database, whose files would be taken for orphans."""


class Archive:
    """Files under ``url``. Cheap to make: nothing is connected to before it is asked for."""

    def __init__(self, url: str | Path) -> None:
        self._url = str(url)
        self._opened: fs.FileSystem | None = None
        self._owner: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The archive of the settings: ``ODDS_ARCHIVE_URL``, else a folder in the data directory."""
        if settings.archive_url is not None:
            return cls(settings.archive_url.get_secret_value())
        return cls(data_directory(settings) / "archive")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def url(self) -> str:
        """Where it is, credentials masked."""
        return without_credentials(self._url)

    @property
    def folder(self) -> Path | None:
        """The folder, None for an object store."""
        return folder_of(self._url)

    def claim(self, owner: str, *, is_in_use: bool = False) -> None:
        """Make the archive ``owner``'s unless it is already; one ``is_in_use`` is not empty.

        Raises ``ArchiveOfAnother``, ``ArchiveUnusable``.
        """
        if self._owner is None:
            with self._telling("read"):
                if self.exists(_OWNER):
                    self._owner = self.read_bytes(_OWNER).decode(errors="replace").strip()
                elif is_in_use and not self.list(""):
                    raise ArchiveUnusable(
                        f"the archive {self.url} is empty, but the database names files in it; is it mounted, and is "
                        f"ODDS_ARCHIVE_URL right? If they are lost, put the line {owner} into {_OWNER} in the archive"
                    )
                else:
                    self.put(_OWNER, [f"{owner}\n".encode()])
                    self._owner = owner
        if self._owner != owner:
            raise ArchiveOfAnother(
                f"the archive {self.url} belongs to another odds database ({self._owner}); give this one an archive of "
                f"its own by ODDS_ARCHIVE_URL, or, if it is a copy of that database that takes its place, delete "
                f"{_OWNER} in the archive"
            )

    def write(
        self,
        folder: str,
        name: str,
        frames: Iterable[pl.DataFrame],
        schema: Mapping[str, Any],
        layout: Layout = AS_IT_COMES,
    ) -> ArchivedFile:
        """Write the frames, all in ``schema``, as ``folder/name``; see ``begin``. Raises ``ArchiveUnusable``."""
        with self.begin(folder, name, schema, layout) as file:
            for frame in frames:
                file.append(frame)
            return file.finish()

    def begin(self, folder: str, name: str, schema: Mapping[str, Any], layout: Layout = AS_IT_COMES) -> PendingFile:
        """Begin the Parquet file ``folder/name``, as a context manager that leaves nothing unless it is finished.

        A file of that name is replaced.
        """
        return PendingFile(self.put, f"{folder}/{name}", schema, layout)

    def read(
        self, path: str, *, columns: Sequence[str] | None = None, where: pc.Expression | None = None
    ) -> pl.DataFrame:
        """The rows of one file that meet the condition. Raises ``ArchiveDamaged`` and ``ArchiveUnusable``."""
        try:
            with self._telling("read"):
                dataset = ds.dataset(path, filesystem=self._filesystem, format=_FORMAT)
                table = dataset.to_table(columns=None if columns is None else list(columns), filter=where)
        except (FileNotFoundError, pa.ArrowInvalid) as error:
            raise self._damaged(path, error) from error
        except ArchiveUnusable as error:
            if _is_about_content(error.__cause__):
                raise self._damaged(path, error.__cause__) from error
            raise
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def read_bytes(self, path: str) -> bytes:
        """The bytes of one file. Raises ``ArchiveDamaged`` and ``ArchiveUnusable``."""
        try:
            with self._telling("read"), self._filesystem.open_input_file(path) as file:
                return file.read()
        except FileNotFoundError as error:
            raise self._damaged(path, error) from error

    def require(self, file: ArchivedFile) -> bytes:
        """The file's bytes. Raises ``ArchiveDamaged`` unless they are there, each as it was written."""
        content = self.read_bytes(file.path)
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ArchiveDamaged(f"{file.path} in the archive {self.url} is not what was written; restore it")
        return content

    def exists(self, path: str) -> bool:
        """Whether there is a file of this name."""
        with self._telling("read"):
            return self._filesystem.get_file_info(path).type is fs.FileType.File

    def list(self, folder: str, *, written_before: datetime | None = None) -> list[str]:
        """Paths of all files below ``folder``, sorted; ``written_before``: only older ones, by the store's clock."""
        with self._telling("listed"):
            found = self._filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True, recursive=True))
        return sorted(
            info.path
            for info in found
            if info.type is fs.FileType.File
            and (written_before is None or (info.mtime is not None and info.mtime.astimezone(UTC) < written_before))
        )

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; those that are gone already are no error."""
        with self._telling("changed"):
            for path in paths:
                try:
                    self._filesystem.delete_file(path)
                except FileNotFoundError:
                    continue

    @property
    def _filesystem(self) -> fs.FileSystem:
        if self._opened is None:
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._opened = fs.SubTreeFileSystem(str(self.folder), fs.LocalFileSystem())
            else:
                try:
                    store, root = fs.FileSystem.from_uri(self._url)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    why = str(error).replace(self._url, self.url)
                    raise ArchiveUnusable(
                        f"ODDS_ARCHIVE_URL {self.url} is not understood: {why}; give a folder or s3://bucket/prefix"
                    ) from None
                self._opened = fs.SubTreeFileSystem(root, store)
        return self._opened

    def put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Write a file of any content, which appears when it is whole. Raises ``ArchiveUnusable``."""
        with self._telling("written"):
            self._put(path, pieces)

    def _put(self, path: str, pieces: Iterable[bytes]) -> None:
        if self.folder is None:
            self._upload(path, pieces)
            return
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as stream:
                stream.writelines(pieces)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _upload(self, path: str, pieces: Iterable[bytes]) -> None:
        # An upload that is broken off by an error ends as an object all the same, so it does not bear the name yet.
        name = path.rpartition("/")[2]
        partial = f"{path.removesuffix(name)}.{name}.{os.getpid()}.partial"
        try:
            with self._filesystem.open_output_stream(partial) as stream:
                for piece in pieces:
                    stream.write(piece)
            self._filesystem.move(partial, path)
        except BaseException:
            with suppress(OSError):
                self._filesystem.delete_file(partial)
            raise

    def _damaged(self, path: str, error: Exception) -> ArchiveDamaged:
        return ArchiveDamaged(
            f"{path} in the archive {self.url} cannot be read ({str(error).splitlines()[0]}); restore it from a copy"
        )

    @contextmanager
    def _telling(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ArchiveUnusable(
                f"the archive {self.url} cannot be {doing}: {str(error).splitlines()[0]}; is it there, has it room, "
                "and may this account write to it?"
            ) from error


def _is_about_content(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether what was read is at fault, not the reading: the system numbers its errors, and so does S3."""
    return isinstance(error, OSError) and error.errno is None and "AWS Error" not in str(error)
