"""A generated database of the earlier system, made once and used again; its server ends with the block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline_tests.storage.carrying_out import ALONE
from odds_pipeline_tests.storage.first_generation import make_first_generation

from .measure import say, timed

NOW = datetime(2026, 2, 13, 12, tzinfo=UTC)
"""When the last snapshot was taken."""
SNAPSHOTS = 18_500
"""Of betPawa, so that there are more than two gigabytes."""
LIVES, STEPS = 20, 30
_FINISHED = "finished"


@contextmanager
def earlier_database(directory: Path) -> Iterator[str]:
    """The URL of the database at ``directory``, which is filled unless it is already; nobody is connected to it."""
    directory = directory.resolve()
    directory.mkdir(exist_ok=True)
    directory.chmod(0o711)  # the account that runs PostgreSQL must get in
    is_finished = (directory / _FINISHED).exists()
    if not is_finished and any(directory.iterdir()):
        raise SystemExit(f"{directory} holds something else than a finished earlier database; name an empty one")
    with EmbeddedServer.ensure(directory, overrides=ALONE) as server:
        if not is_finished:
            _, seconds = timed(lambda: _fill(server.url()))
            say(f"made in {seconds.wall:.0f} s")
            (directory / _FINISHED).touch()
        yield server.url()


def _fill(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        make_first_generation(connection, now=NOW, snapshots=SNAPSHOTS, lives=LIVES, steps=STEPS)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
