"""Whatever stands in a URL, the API answers it or says what is wrong with it: never a mistake of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from odds_pipeline_tests.api.asking import Api, problem

PATHS = (
    "/events",
    "/events/{}",
    "/events/{}/odds",
    "/events/{}/margins",
    "/events/{}/comparison",
    "/events/{}/moves",
    "/moments",
    "/time-to-kickoff",
    "/opening-closing",
    "/coverage",
    "/runs",
    "/errors",
    "/failures",
    "/refreshes/{}",
    "/health",
)
NAMES = (
    *("since", "until", "moment", "kickoff_since", "kickoff_until"),
    *("event_id", "tournament_id", "limit", "after", "cycles", "within_seconds"),
    *("bookmaker", "market", "line", "country", "is_available", "is_started", "by"),
)
TIMES = (
    "2026-11-20T12:01:00Z",
    "2026-11-20T12:01:00.123456%2B05:30",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00%2B14:00",
    "2199-12-31T23:59:59.999999-12:00",
    "2026-11-20T24:00:00Z",
    "2026-11-20T12:00:60Z",
    "9999-12-31T23:59:59-23:59",
)
WORDS = (
    *("3743", "5000@2.5", "5000@none", "@", "betpawa", "none", "true", "line", "tournament", "England"),
    *("0", "1", "3", "-1", "2147483647", "2147483648", "9" * 30, "1e5", "NaN", "2.5", "-0", "0.000", "9999999.999"),
    *("", "%00", "%ff%fe", "%F0%9F%98%80", "%ED%A0%80", "'; DROP TABLE events; --", "%25s", "{}", "MTIg", "Mw=="),
)

value = (
    st.sampled_from(TIMES)
    | st.sampled_from(WORDS)
    | st.text(max_size=30).map(lambda text: quote(text, errors="replace"))
)
pair = st.tuples(st.sampled_from(NAMES) | st.text(max_size=5).map(lambda text: quote(text, errors="replace")), value)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), place=value, query=st.lists(pair, max_size=5))
def test_no_url_makes_the_server_fail(api: Api, path: str, place: str, query: list[tuple[str, str]]) -> None:
    url = path.format(place) + "?" + "&".join(f"{name}={each}" for name, each in query)
    response = api.client.get(url)
    if response.status_code == 200:
        response.json()
    else:
        assert response.status_code in (404, 422), (url, response.text)
        problem(response, response.status_code)


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("/health", "/refreshes/{}")])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_sensible_question_makes_the_server_fail(api: Api, path: str, data: st.DataObject) -> None:
    """Parameters that each operation has, with values that it takes: what is refused is refused as a whole."""
    described = api.get("/openapi.json").json()["paths"][path.replace("{}", "{event_id}")]["get"]["parameters"]
    parameters: dict[str, Any] = {}
    for parameter in described:
        name, schema = parameter["name"], parameter["schema"]
        if parameter["in"] == "path" or not (parameter["required"] or data.draw(st.booleans(), label=name)):
            continue
        parameters[name] = data.draw(_sensible(name, schema), label=name)
    response = api.get(path.format(data.draw(st.sampled_from([*api.world.events.values(), 4711]))), **parameters)
    if response.status_code != 200:
        told = problem(response, response.status_code)
        assert told["type"] in ("urn:odds-pipeline:bad-question", "urn:odds-pipeline:not-found"), (parameters, told)


_SENSIBLE = {
    "bookmaker": ["betpawa", "sportybet", "bet9ja", "bet365"],
    "market": ["3743", "5000", "3795", "sportybet:551", "nothing"],
    "line": ["none", "2.5", "3.5", "-0.25", "0"],
    "country": ["England", "Nigeria", "Nowhere"],
    "name": ["chelsea", "nobody"],
    "event_id": [1, 2, 3, 4, 4711],
    "tournament_id": [1, 2, 3],
    "by": ["betpawa_market_id", "line", "tournament", "bookmaker_slug"],
    "after": [1, 2, 10],
}


def _sensible(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return st.sampled_from([time.replace("%2B", "+") for time in TIMES[:5]])
    if schema["type"] == "boolean":
        return st.sampled_from(["true", "false"])
    if name not in _SENSIBLE:
        return st.integers(schema["minimum"], min(schema["maximum"], 1_000))
    known = st.sampled_from(_SENSIBLE[name])
    return st.lists(known, min_size=1, max_size=3, unique=True) if schema["type"] == "array" else known
