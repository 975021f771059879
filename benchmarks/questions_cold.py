"""Questions asked cold: the server just started, its files out of the system's cache, a process that never asked.

``python -m benchmarks.questions_cold DIRECTORY NUMBER SUBJECT`` is such a process: it gets ready, waits for a line,
asks once, and prints the seconds from its first connection to the answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from odds_pipeline.analysis.source import open_source
from odds_pipeline.data_dir import CLUSTER
from odds_pipeline.database.embedded import EmbeddedServer

from .questions_asked import QUESTIONS, Subject
from .questions_data import settings_of

_FIRST_SUBJECT = 1_000_000


def cold_seconds(directory: Path, number: int) -> list[float]:
    """How long each asking of the question took; the server of ``directory`` must not be running otherwise."""
    return [_asked_cold(directory, number, _FIRST_SUBJECT + place) for place in range(QUESTIONS[number].times[1])]


def _asked_cold(directory: Path, number: int, subject: int) -> float:
    words = [sys.executable, "-m", __name__, str(directory), str(number), str(subject)]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        EmbeddedServer.ensure(directory),
    ):
        assert process.stdout is not None
        process.stdout.readline()
        forget(directory)
        answer, _ = process.communicate("\n")
    return float(answer)


def remember(directory: Path) -> None:
    """Read the directory's files, so that they are in the system's cache."""
    for path in _files(directory):
        path.read_bytes()


def forget(directory: Path) -> None:
    """Drop the directory's files from the system's cache, where it can be told to (Linux)."""
    os.sync()
    for path in _files(directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _files(directory: Path) -> list[Path]:
    """The databases' tables and indexes, and the archive."""
    folders = (directory / CLUSTER / "base", directory / "archive")
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def _main() -> None:
    directory, number, subject = sys.argv[1:]
    question, about, settings = QUESTIONS[int(number)], Subject.draw(int(subject)), settings_of(Path(directory))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    with open_source(settings) as source:
        question.ask(source, about)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    _main()
