"""The API over the hand-made world, on a port of this machine, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import httpx
import jsonschema
from pydantic import SecretStr

from odds_pipeline.api.problems import PROBLEM_SCHEMA
from odds_pipeline.api.server import ApiServer
from odds_pipeline.api.service import Service, open_service
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline_tests.analysis.hand_made import NOW, HandMade
from odds_pipeline_tests.archives import archive_of

TOKEN = "open sesame"


@dataclass(frozen=True)
class Api:
    """A running server, and a client of it."""

    service: Service
    url: str
    client: httpx.Client
    world: HandMade

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """The answer to a question; a list repeats its parameter."""
        return self.client.get(path, params=parameters)

    def rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a question that is answered."""
        response = self.get(path, **parameters)
        assert response.status_code == 200, response.text
        return response.json()["rows"]


def settings_of(database: Database, **settings: Any) -> Settings:
    """Settings that lead to the database and its archive, with refreshes switched on."""
    return Settings(
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        archive_url=SecretStr(str(archive_of(database).folder)),
        **{"refresh_token": SecretStr(TOKEN), **settings},
    )


@contextmanager
def api_of(world: HandMade, **settings: Any) -> Iterator[Api]:
    """The API as the command starts it, at the hand-made world's present."""
    with (
        open_service(settings_of(world.source.database, **settings), ManualClock(NOW)) as service,
        serving(service) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield Api(service, url, client, world)


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """The server that the command runs, on any free port; where it is."""
    server = ApiServer(service, host="127.0.0.1", port=0)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of a response, which it must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    jsonschema.validate(document, PROBLEM_SCHEMA)
    assert document["status"] == status
    return document
