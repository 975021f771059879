"""Other processes that use an embedded server, for the tests of its lifetime."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_USE = """
import sys
from pathlib import Path
from odds_pipeline.database.embedded import EmbeddedServer

server = EmbeddedServer.ensure(Path(sys.argv[1]), overrides={"fsync": "off", "shared_buffers": "16MB"})
print(server.health().pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def user_process(data_dir: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that joins the server of ``data_dir`` and leaves it when its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _USE, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


def server_pid(user: subprocess.Popen[str]) -> int:
    """The pid of the server that ``user`` joined; waits until it has."""
    assert user.stdout is not None
    line = user.stdout.readline()
    assert line, f"the process could not use the server (exit code {user.wait(60)})"
    return int(line)


def leave(user: subprocess.Popen[str]) -> None:
    """Let ``user`` end as a process ends by itself, and wait for it."""
    assert user.stdin is not None
    user.stdin.close()
    assert user.wait(60) == 0
