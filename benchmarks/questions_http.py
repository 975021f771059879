"""The same questions over HTTP on loopback: the API in a process of its own, a client that keeps its connection.

``python -m benchmarks.questions_http DIRECTORY`` is that process: it prints its URL and serves until its input ends.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from odds_pipeline.api.server import ApiServer
from odds_pipeline.api.service import open_service
from odds_pipeline.clock import ManualClock

from .questions_asked import EVENT, EVENT_AT, EVENT_LIST, HISTORY, PAGE, Question, Subject
from .questions_data import settings_of
from .questions_history import NOW

_Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HttpQuestion:
    """``in_python``: the same question, whose time is the floor."""

    path: Callable[[Subject], str]
    parameters: Callable[[Subject], _Parameters]
    in_python: Question

    @property
    def name(self) -> str:
        return f"HTTP: {self.in_python.name}"

    def ask(self, client: httpx.Client, about: Subject) -> int:
        """The bytes of the answer."""
        response = client.get(self.path(about), params=self.parameters(about))
        response.raise_for_status()
        return len(response.content)


def _of_market(about: Subject) -> _Parameters:
    line = "none" if about.line is None else str(about.line)
    return {"market": about.betpawa_market_id, "line": line, "bookmaker": about.bookmaker}


HTTP_QUESTIONS = (
    HttpQuestion(
        lambda _about: "/events",
        lambda about: {"kickoff_since": about.kickoff_since.isoformat(), "limit": PAGE},
        EVENT_LIST,
    ),
    HttpQuestion(lambda about: f"/events/{about.event_id}", lambda _about: {}, EVENT),
    HttpQuestion(
        lambda _about: "/moments",
        lambda about: {"event_id": about.event_id, "moment": about.moment.isoformat()},
        EVENT_AT,
    ),
    HttpQuestion(lambda about: f"/events/{about.event_id}/odds", _of_market, HISTORY),
)


@contextmanager
def http_client(directory: Path) -> Iterator[httpx.Client]:
    """A client of the API that answers from the database at ``directory``."""
    words = [sys.executable, "-m", __name__, str(directory)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with httpx.Client(base_url=process.stdout.readline().strip(), timeout=60, trust_env=False) as client:
            yield client
        process.stdin.close()


def _serve(directory: Path) -> None:
    with open_service(settings_of(directory), ManualClock(NOW)) as service:
        server = ApiServer(service, host="127.0.0.1", port=0)
        print(server.url, flush=True)
        serving = threading.Thread(target=server.run)
        serving.start()
        sys.stdin.read()
        server.stop()
        serving.join()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
