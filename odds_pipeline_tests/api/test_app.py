"""What holds for every operation: documented with an example, strict about parameters, problems for every failure."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest

from odds_pipeline_tests.analysis.hand_made import NOW
from odds_pipeline_tests.api.asking import Api, problem


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_is_described_with_an_example_that_fits(api: Api) -> None:
    document = api.get("/openapi.json").json()
    described = list(operations(document))
    assert len(described) == 16
    for path, method, operation in described:
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        for status, told in operation["responses"].items():
            for content in told.get("content", {}).values():
                schema = content["schema"]
                if "$ref" in schema:
                    schema = document["components"]["schemas"]["Problem"]
                    assert content["example"]["status"] == int(status)
                jsonschema.validate(content["example"], schema)
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), (path, parameter["name"])


def test_the_index_names_every_operation_and_needs_no_network(api: Api) -> None:
    page = api.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path, method, _ in operations(api.get("/openapi.json").json()):
        assert f"<code>{method.upper()} {path}</code>" in page.text
    assert "http" not in page.text.replace("<!doctype html>", "")
    assert "<script" not in page.text
    assert api.get("/docs").status_code == 404


@pytest.mark.parametrize(
    ("query", "where", "message"),
    [
        ("limit=0", "query.limit", "greater than or equal to 1"),
        ("limit=501", "query.limit", "less than or equal to 500"),
        ("limit=%201", "query.limit", "not a whole number"),
        ("limit=1_0", "query.limit", "not a whole number"),
        ("tournament_id=2147483648", "query.tournament_id", "less than or equal to 2147483647"),
        ("tournament_id=" + "9" * 400, "query.tournament_id", "not a whole number"),
        ("is_started=maybe", "query.is_started", "either true or false"),
        ("is_started=1", "query.is_started", "either true or false"),
        ("country=a%00b", "query.country", "pattern"),
        ("country=", "query.country", "at least 1 character"),
        ("country=" + "x" * 201, "query.country", "at most 200 characters"),
        ("Country=England", "query.Country", "there is no such parameter"),
        ("kickoff_since=2026-11-20T12:00:00", "query.kickoff_since", "a time needs its offset"),
        ("kickoff_since=2026-11-20T12:00:00+01:00", "query.kickoff_since", "write %2B"),
        ("kickoff_since=2026-11-20", "query.kickoff_since", "not a time"),
        ("kickoff_since=1700000000", "query.kickoff_since", "not a time"),
        ("kickoff_since=2026-02-30T12:00:00Z", "query.kickoff_since", "not a time"),
        ("kickoff_since=0001-01-01T00:00:00%2B14:00", "query.kickoff_since", "1970 to 2199"),
        ("&".join(["bookmaker=betpawa"] * 101), "query.bookmaker", "at most 100 items"),
    ],
)
def test_what_is_no_parameter_is_refused_with_its_place(api: Api, query: str, where: str, message: str) -> None:
    document = problem(api.client.get(f"/events?{query}"), 422)
    assert document["type"] == "urn:odds-pipeline:invalid-parameters"
    (error,) = document["errors"]
    assert error["where"] == where
    assert message in error["message"]
    assert document["detail"] == f"{where}: {error['message']}"


def test_what_has_one_value_is_given_once(api: Api) -> None:
    moments = ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"]
    document = problem(api.get("/moments", moment=moments, limit=["1", "1"], bookmaker=["betpawa", "bet9ja"]), 422)
    assert document["type"] == "urn:odds-pipeline:invalid-parameters"
    assert document["errors"] == [
        {"where": f"query.{name}", "message": "given 2 times; it has one value"} for name in ("moment", "limit")
    ]
    path = f"/events/{api.world.events['derby']}/odds"
    (error,) = problem(api.get(path, market=["3743", "5000"]), 422)["errors"]
    assert error["where"] == "query.market", "of a history there is one market"
    assert problem(api.client.get("/events?colour=red&colour=blue"), 422)["errors"][0]["where"] == "query.colour"
    assert api.get("/?a=1&a=2").status_code == 200


@pytest.mark.parametrize("line", ["2,5", "2.1234", "12345678", "NaN", "1e3", "", "Infinity", "٢"])
def test_a_line_is_a_decimal_as_it_is_stored(api: Api, line: str) -> None:
    document = problem(api.get("/events/1/odds", market="5000", line=line), 422)
    assert [error["where"] for error in document["errors"]] == ["query.line"]


def test_every_wrong_place_is_told_at_once(api: Api) -> None:
    document = problem(api.get("/events/x/odds", since="yesterday", colour="red"), 422)
    places = [error["where"] for error in document["errors"]]
    assert sorted(places) == ["path.event_id", "query.colour", "query.market", "query.since"]


def test_a_question_that_makes_no_sense_says_why(api: Api) -> None:
    document = problem(api.get("/events", bookmaker="bet365"), 422)
    assert document["type"] == "urn:odds-pipeline:bad-question"
    assert document["detail"] == "no bookmaker is called 'bet365'; known are betpawa, sportybet, bet9ja"
    derby = f"/events/{api.world.events['derby']}"
    later = "2199-01-01T00:00:00Z"
    for path, parameters in {
        "/moments": {"moment": later},
        f"{derby}/comparison": {"moment": later},
        f"{derby}/odds": {"market": "3743", "since": later, "until": later},
        f"{derby}/margins": {"market": "3743", "since": later},
        f"{derby}/moves": {"since": later},
    }.items():
        document = problem(api.get(path, **parameters), 422)
        assert document["type"] == "urn:odds-pipeline:bad-question"
        assert f"2199-01-01T00:00:00+00:00, which lies in the future; it is {NOW.isoformat()} now" in document["detail"]
    document = problem(api.get("/runs", since="2026-11-20T12:00:00Z", until="2026-11-20T11:00:00Z"), 422)
    assert "before it begins" in document["detail"]


def test_what_is_not_there_is_not_found(api: Api) -> None:
    for path in ("/events/4711", "/events/4711/comparison", "/refreshes/4711"):
        assert "4711" in problem(api.get(path), 404)["detail"]
    assert "no such path" in problem(api.get("/odds"), 404)["detail"]
    assert problem(api.get("/events/"), 404)["type"] == "urn:odds-pipeline:not-found"


def test_another_method_is_refused_with_those_that_there_are(api: Api) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        response = api.client.request(method, "/events")
        problem(response, 405)
        assert response.headers["allow"] == "GET, HEAD"
    assert api.client.post("/openapi.json").headers["allow"] == "GET, HEAD"
    response = api.get(f"/events/{api.world.events['derby']}/refreshes")
    problem(response, 405)
    assert response.headers["allow"] == "POST"


def test_an_answer_that_is_known_is_not_sent_again(api: Api) -> None:
    first = api.get("/events")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f'"other", W/{tag}', "*"):
        again = api.client.get("/events", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = api.client.get("/events?limit=1", headers={"If-None-Match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag
    failed = api.client.get("/events/4711", headers={"If-None-Match": "*"})
    assert failed.status_code == 404
    assert "etag" not in failed.headers


def test_many_may_ask_at_once(api: Api) -> None:
    """More than there are threads and connections: each waits its turn, and nobody for another."""
    derby = f"/events/{api.world.events['derby']}"
    paths = ["/events", derby, f"{derby}/odds?market=3743", f"{derby}/comparison", "/coverage", "/failures", "/health"]
    alone = {path: api.client.get(path).content for path in paths}
    with ThreadPoolExecutor(30) as asking:
        answers = list(asking.map(lambda path: (path, api.client.get(path).content), paths * 15))
    assert all(body == alone[path] for path, body in answers)


def test_head_is_get_without_its_body(api: Api) -> None:
    for path in ("/events", "/events/4711", "/nowhere"):
        got, headed = api.client.get(path), api.client.head(path)
        assert headed.content == b""
        assert headed.status_code == got.status_code
        for name in ("content-length", "content-type", "etag"):
            assert headed.headers.get(name) == got.headers.get(name)
