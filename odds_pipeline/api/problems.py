"""What is answered when a question is not: a problem document (RFC 9457), whatever went wrong.

The server's own faults and those of what it stands on are told in general words; the log has the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import errors
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.responses import Response

from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.api.service import NotMigrated
from odds_pipeline.archive.store import ArchiveUnusable
from odds_pipeline.database.partitions import DayHalfDetached

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


class Problem(Exception):
    """Raised where a question cannot be answered: ``kind`` is the last word of the document's ``type``."""

    def __init__(self, status: HTTPStatus, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers

    def response(self, **further: Any) -> Response:
        """The document; ``further``: members of this kind's own."""
        document = {
            "type": f"urn:odds-pipeline:{self.kind}",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **further,
        }
        return Response(msgspec.json.encode(document), self.status, self.headers, media_type=MEDIA_TYPE)


#: The JSON Schema of a problem document.
PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "which kind of problem; docs/api.md lists them"},
        "title": {"type": "string", "description": "the status in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, and what would do instead"},
        "errors": {
            "type": "array",
            "description": "of invalid parameters: each place that is wrong",
            "items": {
                "type": "object",
                "required": ["where", "message"],
                "properties": {
                    "where": {"type": "string", "examples": ["query.since"]},
                    "message": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI tells of the problems that an operation may end in, besides those that any may."""
    told = sorted({*statuses, 422, 500, 503, 504})
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _example(status),
                }
            },
        }
        for status in told
    }


_DESCRIPTIONS = {
    401: "The token is missing or wrong.",
    403: "Refreshes are switched off.",
    404: "What the question names is not there.",
    422: "A parameter is invalid or unknown, or the question makes no sense as it is put.",
    500: "A fault of ours; the server's log has the details.",
    503: "The database or a file of the archive cannot be used now.",
    504: "The question took longer than ODDS_API_STATEMENT_TIMEOUT.",
}

_EXAMPLES = {
    401: ("unauthorized", "the token is missing or wrong"),
    403: ("refreshes-off", "no token is set"),
    404: ("not-found", "no event 4711"),
    422: ("bad-question", "no bookmaker is called 'bet365'; known are betpawa, sportybet, bet9ja"),
    500: ("internal", "the server made a mistake; its log has the details"),
    503: ("database-away", "the database does not answer now; try again later"),
    504: ("too-slow", "the question took too long; ask for less"),
}


def _example(status: int) -> dict[str, Any]:
    kind, detail = _EXAMPLES[status]
    title = HTTPStatus(status).phrase
    return {"type": f"urn:odds-pipeline:{kind}", "title": title, "status": status, "detail": detail}


def answer_with_problems(app: FastAPI) -> None:
    """Let every failure of the application end in a problem document."""
    for kind, handler in {
        Problem: _told,
        NotFound: _not_found,
        BadQuestion: _bad_question,
        RequestValidationError: _invalid,
        HTTPException: _http,
        psycopg.Error: _database,
        NoConnectionFree: _busy,
        ArchiveUnusable: _archive,
        NotMigrated: _unready,
        DayHalfDetached: _unready,
        Exception: _internal,
    }.items():
        app.add_exception_handler(kind, handler)


async def _told(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.response()


async def _not_found(_: Request, error: Exception) -> Response:
    return Problem(HTTPStatus.NOT_FOUND, "not-found", str(error)).response()


async def _bad_question(_: Request, error: Exception) -> Response:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-question", str(error)).response()


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [
        {"where": ".".join(map(str, each["loc"])), "message": _message(each)} for each in _each_once(error.errors())
    ]
    detail = "; ".join(f"{place['where']}: {place['message']}" for place in places)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameters", detail).response(errors=places)


def _each_once(found: Sequence[Any]) -> list[Any]:
    return list({(*each["loc"], each["type"]): each for each in found}.values())


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such parameter"
    return str(error["msg"]).removeprefix("Value error, ")


async def _http(_: Request, error: Exception) -> Response:
    """What the framework refuses by itself: an unknown path, another method."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    detail = error.detail
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow", "").split(", ")
        headers["Allow"] = ", ".join(sorted({*allowed, "HEAD"}) if "GET" in allowed else allowed)
        detail = f"this path answers to {headers['Allow']}"
    elif status is HTTPStatus.NOT_FOUND:
        detail = "there is no such path; / and /openapi.json have all"
    return Problem(status, status.phrase.lower().replace(" ", "-"), detail, headers).response()


async def _database(_: Request, error: Exception) -> Response:
    if isinstance(error, errors.QueryCanceled):
        detail = "the question took too long; ask for less, such as a shorter time or fewer markets"
        return Problem(HTTPStatus.GATEWAY_TIMEOUT, "too-slow", detail).response()
    _log.error("the database did not answer a question", exc_info=error)
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn | errors.InsufficientPrivilege):
        detail = "the database is not set up for this version; the server's log says what is missing"
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "database-unready", detail).response()
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        detail = "the database does not answer now; try again later"
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "database-away", detail).response()
    return _internal_problem().response()


async def _unready(_: Request, error: Exception) -> Response:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "database-unready", str(error)).response()


async def _busy(_: Request, error: Exception) -> Response:
    detail = "too many questions at once; try again later"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail).response()


async def _archive(_: Request, error: Exception) -> Response:
    _log.error("the archive could not be read: %s", error)
    detail = "a file of the archive that the answer needs cannot be read; the server's log says which"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "archive-unusable", detail).response()


async def _internal(_: Request, error: Exception) -> Response:
    # Raised again behind this answer: the web server logs it and closes the connection, which the asker must know.
    return _internal_problem({"Connection": "close"}).response()


def _internal_problem(headers: Mapping[str, str] | None = None) -> Problem:
    detail = "the server made a mistake; its log has the details"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, headers)
