"""The web application: every operation, put together, and the document that describes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, Response

from odds_pipeline.api import events, history, operations, refreshes
from odds_pipeline.api.conditional import Conditional
from odds_pipeline.api.parameters import require_once
from odds_pipeline.api.problems import PROBLEM_SCHEMA, answer_with_problems
from odds_pipeline.api.service import Service

QUESTIONS_AT_ONCE = 10
"""Questions under way at a time. Each holds at most two of the 15 connections that the pool may have: all get on."""

_DESCRIPTION = """Football odds of several bookmakers: what is offered now, what was, and how the pipeline does.

Times carry an offset (a + in a URL is written %2B) and are answered in UTC. Prices and lines are exact numbers.
Whatever goes wrong is answered with a problem document (RFC 9457).
"""


def build_app(service: Service) -> FastAPI:
    """The application that answers from ``service``, which stays the caller's to close."""
    app = FastAPI(
        title="Odds pipeline",
        version=version("odds-pipeline"),
        description=_DESCRIPTION,
        # Those pages load their scripts from elsewhere; nothing here needs a network.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_threads,
        dependencies=[Depends(require_once)],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    for part in (events, history, operations, refreshes):
        app.include_router(part.router)
    app.add_api_route("/", _index, include_in_schema=False)
    answer_with_problems(app)
    app.add_middleware(Conditional)
    app.openapi = lambda: _document(app)
    return app


@asynccontextmanager
async def _threads(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = QUESTIONS_AT_ONCE
    yield


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = dict(PROBLEM_SCHEMA)
        app.openapi_schema = document
    return app.openapi_schema


async def _index(request: Request) -> Response:
    """All operations on one plain page."""
    document = request.app.openapi()
    items = "".join(
        f"<li><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</li>"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(document['info']['title'])}</title>"
        f"<h1>{escape(document['info']['title'])}</h1><p>Parameters and answers: "
        f"<a href=openapi.json>openapi.json</a></p><ul>{items}</ul></html>"
    )
