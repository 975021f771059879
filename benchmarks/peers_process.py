"""The peers' own environment, and a process of each peer in it: started once, then asked for one cycle after another.

What they need stands in ``requirements-peers.txt`` and is installed for this benchmark alone, beside what the project
needs: nothing of it is imported here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from .measure import say

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements-peers.txt"
_ENVIRONMENT = Path(sys.prefix) / "peers"


class Peer:
    """A running peer."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def ask(self, line: str) -> Mapping[str, float]:
        """Have the peer take in one cycle; return the seconds that it measured. Raises ``SystemExit``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"the peer ended instead of answering; it said:\n{self._log.read_text()[-3000:]}")
        return json.loads(answer)


@contextmanager
def peer(script: str, arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Iterator[Peer]:
    """``script`` in the peers' environment and a folder of its own in ``directory``; it ends with the block."""
    folder = directory / script.removesuffix(".py")
    folder.mkdir()
    log = directory / f"{folder.name}.log"
    # With -P, or modules of this folder would stand for Python's own.
    command = [_python(), "-P", _HERE / script, *arguments, folder]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        ) as process,
    ):
        try:
            yield Peer(process, log)
        finally:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()


def install() -> None:
    """Make the peers' environment, unless it is there already. Raises ``SystemExit`` when that is not possible."""
    wanted = sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    stamp = _ENVIRONMENT / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing the peers into {_ENVIRONMENT.relative_to(Path(sys.prefix).parent)} ...")
    venv.create(_ENVIRONMENT, clear=True, with_pip=True)
    command = [_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    done = subprocess.run([*command, "-r", _REQUIREMENTS], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            "the peers could not be installed, so there is nothing to compare with; "
            f"{_REQUIREMENTS.name} must be installable by pip. It said:\n{done.stderr[-2000:]}"
        )
    stamp.write_text(wanted)


def _python() -> Path:
    return _ENVIRONMENT / "bin" / "python"
