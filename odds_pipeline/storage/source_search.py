"""Who reads a column, by a search for its name in a folder of source code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from odds_pipeline.storage.column_readers import mentions
from odds_pipeline.storage.measured import Column, DatabaseProfile, StorageProfile, Table

MOST_HITS = 50
MOST_FILES = 50_000
LARGEST = 2_000_000
"""Bytes of a file; a larger one is data, not source."""

_NO_SOURCE = frozenset({"node_modules", "__pycache__", "venv", "dist", "build", "target"})


def with_source(profile: StorageProfile, folder: Path) -> StorageProfile:
    """The profile with the mentions in ``folder`` of each column whose readers were looked for.

    Raises ``NotADirectoryError`` when there is no such folder.
    """

    def column(each: Column) -> Column:
        if each.readers is None:
            return each
        return replace(each, readers=replace(each.readers, source=mentions_in(folder, each.name)))

    def table(each: Table) -> Table:
        return replace(each, columns=tuple(column(one) for one in each.columns))

    def database(each: DatabaseProfile) -> DatabaseProfile:
        return replace(each, tables=tuple(table(one) for one in each.tables))

    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder to search for source")
    return replace(profile, databases=tuple(database(each) for each in profile.databases))


def mentions_in(folder: Path, word: str) -> tuple[str, ...]:
    """``file:line`` of each line with the word by itself, in the order of the files' names, the first fifty.

    Left out: hidden folders and those of installed or built code, links to folders, and files that are large or binary.
    """
    hits: list[str] = []
    for count, path in enumerate(_files(folder)):
        if count >= MOST_FILES or len(hits) >= MOST_HITS:
            break
        hits += [f"{path.relative_to(folder)}:{line}" for line in _lines(path, word)]
    return tuple(hits[:MOST_HITS])


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in _NO_SOURCE)
        yield from (Path(root, each) for each in sorted(files))


def _lines(path: Path, word: str) -> Iterator[int]:
    try:
        # A pipe or a device would never end.
        if not path.is_file() or path.stat().st_size > LARGEST:
            return
        content = path.read_bytes()
    except OSError:
        return
    if b"\0" in content or word.encode().lower() not in content.lower():
        return
    for number, line in enumerate(content.decode(errors="replace").split("\n"), start=1):
        if mentions(line, word):
            yield number
