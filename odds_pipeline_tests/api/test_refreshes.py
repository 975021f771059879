"""Having an event refreshed over HTTP: off until a token is set, for nobody without it, and followed to its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from odds_pipeline.api.service import open_service
from odds_pipeline_tests.analysis.hand_made import HandMade
from odds_pipeline_tests.api.asking import TOKEN, Api, api_of, problem, serving
from odds_pipeline_tests.dagster_fixtures import Pipeline

AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}


def ask(api: Api, event: str = "derby", **headers: str) -> httpx.Response:
    return api.client.post(f"/events/{api.world.events[event]}/refreshes", headers=headers)


def requests_of(world: HandMade) -> list[tuple[Any, ...]]:
    with world.source.database.connect() as connection:
        return connection.execute("SELECT id, event_id FROM refresh_requests ORDER BY id").fetchall()


def test_refreshes_are_off_until_a_token_is_set(world: HandMade) -> None:
    with api_of(world, refresh_token=None) as api:
        document = problem(ask(api, **AUTHORISED), 403)
        assert "ODDS_REFRESH_TOKEN" in document["detail"]
        assert api.service.writer is None, "there is nothing to write with"
    assert requests_of(world) == []


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
def test_nobody_without_the_token_gets_one(api: Api, authorization: str | None) -> None:
    before = requests_of(api.world)
    response = ask(api) if authorization is None else ask(api, Authorization=authorization)
    problem(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    assert problem(api.client.post("/events/4711/refreshes"), 401), "which events there are is not told either"
    assert requests_of(api.world) == before


def test_a_token_may_have_any_letters(world: HandMade) -> None:
    with api_of(world, refresh_token=SecretStr("café ☕")) as api:
        event_id = world.events["away"]
        headers = {b"Authorization": "Bearer café ☕".encode()}
        assert api.client.post(f"/events/{event_id}/refreshes", headers=headers).status_code == 202


def test_a_request_is_accepted_once_and_can_be_followed(api: Api) -> None:
    with ThreadPoolExecutor(4) as asking:
        responses = list(asking.map(lambda _: ask(api, **AUTHORISED), range(4)))
    assert {response.status_code for response in responses} == {202}
    (location,) = {response.headers["location"] for response in responses}
    followed = api.get(location)
    assert followed.json() == responses[0].json()
    refresh = followed.json()["refresh"]
    assert location == f"/refreshes/{refresh['request_id']}"
    assert (refresh["event_id"], refresh["status"]) == (api.world.events["derby"], "requested")
    assert refresh["requested_at"] == "2026-11-20T12:16:00Z"
    other = ask(api, "moved", **AUTHORISED)
    assert other.headers["location"] != location


def test_an_event_that_is_unknown_cannot_be_refreshed(api: Api) -> None:
    document = problem(api.client.post("/events/4711/refreshes", headers=AUTHORISED), 404)
    assert document["detail"] == "no event 4711"
    problem(api.client.post("/events/4711/refreshes?force=true", headers=AUTHORISED), 422)


def test_the_one_write_is_not_the_readers(api: Api) -> None:
    with api.service.source.database.connect() as reading:
        reading.execute("SET TRANSACTION READ WRITE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reading.execute("INSERT INTO refresh_requests (event_id, requested_at) VALUES (1, now())")


def test_a_refresh_goes_from_http_through_dagster_and_back(pipeline: Pipeline) -> None:
    """The whole way: a request over HTTP, the sensor, the job against the bookmakers, and the odds that it wrote."""
    pipeline.fill()
    settings = pipeline.settings.model_copy(update={"refresh_token": SecretStr(TOKEN)})
    with open_service(settings, pipeline.clock) as service, serving(service) as url:
        client = httpx.Client(base_url=url, trust_env=False, timeout=60)
        (event, *_) = client.get("/events?is_started=false").json()["rows"]
        pipeline.advance()
        accepted = client.post(f"/events/{event['event_id']}/refreshes", headers=AUTHORISED)
        assert accepted.status_code == 202
        location = accepted.headers["location"]

        (request,) = pipeline.tick("refresh_requested").run_requests or []
        tags = {"dagster/run_key": str(request.run_key)}
        result = pipeline.job("refresh_event", run_config=dict(request.run_config), tags=tags)
        assert result.success
        assert isinstance(pipeline.tick("refresh_requested").skip_message, str)

        refresh = client.get(location).json()["refresh"]
        assert (refresh["status"], refresh["error"]) == ("completed", None)
        run = client.get("/runs?limit=1").json()["rows"][0]
        assert (run["run_id"], run["trigger"]) == (refresh["run_id"], "webhook")
        assert run["dagster_run_id"] == result.run_id
        shown = client.get(f"/events/{event['event_id']}").json()["event"]
        assert shown["last_confirmed_at"] > event["last_confirmed_at"]
        client.close()
