"""Questions asked cold: the server just started, its files out of the system's cache, a process that never asked.

``python -m benchmarks.questions_cold ARCHIVE NUMBER SUBJECT`` is such a process: it gets ready, is told the database's
URL, asks once, and prints the seconds from its first connection to the answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.archive.store import Archive
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database

from .questions_asked import QUESTIONS, Subject

_FIRST_SUBJECT = 1_000_000


def cold_seconds(directory: Path, number: int) -> list[float]:
    """How long each asking of the question took; the server of ``directory`` must not be running otherwise."""
    return [_asked_cold(directory, number, _FIRST_SUBJECT + place) for place in range(QUESTIONS[number].times[1])]


def _asked_cold(directory: Path, number: int, subject: int) -> float:
    words = [sys.executable, "-m", __name__, str(directory / "archive"), str(number), str(subject)]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        EmbeddedServer.ensure(directory) as server,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        _forget(directory)
        answer, _ = process.communicate(server.url() + "\n")
    return float(answer)


def _forget(directory: Path) -> None:
    """Drop the directory's files from the system's cache, where it can be told to (Linux)."""
    os.sync()
    for path in directory.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _main() -> None:
    archive, number, subject = sys.argv[1:]
    question, about = QUESTIONS[int(number)], Subject.draw(int(subject))
    print("ready", flush=True)
    url = sys.stdin.readline().strip()
    began = time.perf_counter()
    with Database(url, application_name="benchmark") as database:
        question.ask(OddsSource(database, Archive(archive), lambda _first, _last: []), about)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    _main()
