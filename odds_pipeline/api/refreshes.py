"""The one thing that can be asked to be done: a refresh of an event, which Dagster then runs.

Off until a token is set; asking for it writes one row (``refresh_requests``), and nothing else here writes anything.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from odds_pipeline.analysis.encode import rows
from odds_pipeline.analysis.errors import NotFound
from odds_pipeline.analysis.refresh import REFRESH, refresh
from odds_pipeline.api import parameters
from odds_pipeline.api.answers import AnswerShape, answer
from odds_pipeline.api.parameters import EventId, RequestId
from odds_pipeline.api.problems import Problem
from odds_pipeline.api.service import Asked, Service
from odds_pipeline.database.engine import Database
from odds_pipeline.database.refreshes import UnknownEvent, request_refresh

router = APIRouter(tags=["refreshes"])

_bearer = HTTPBearer(auto_error=False, description="The value of ODDS_REFRESH_TOKEN.")


async def _allowed(
    asked: Asked, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Database:
    """The database to write to, for who has the token. Raises ``Problem``."""
    token = asked.settings.refresh_token
    if token is None or asked.writer is None:
        detail = "refreshes are switched off; whoever runs this server can switch them on by setting ODDS_REFRESH_TOKEN"
        raise Problem(HTTPStatus.FORBIDDEN, "refreshes-off", detail)
    # Header values arrive as Latin-1, whatever they were written in.
    given = b"" if credentials is None else credentials.credentials.encode("latin-1", errors="replace")
    if not hmac.compare_digest(given, token.get_secret_value().encode()):
        detail = "the token is missing or wrong; send it as Authorization: Bearer <ODDS_REFRESH_TOKEN>"
        raise Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})
    return asked.writer


@router.post(
    "/events/{event_id}/refreshes",
    summary="Have an event refreshed",
    **AnswerShape("The refresh as it stands; Location is where to follow it.")
    .row(REFRESH, "refresh")
    .documented(401, 403, 404, status=202, headers={"Location": "where to ask what became of it"}),
)
def ask_for_refresh(
    event_id: EventId,
    asked: Asked,
    writer: Annotated[Database, Depends(_allowed)],
    question: Annotated[parameters.NoParameters, Query()],
) -> Response:
    """Ask every bookmaker that lists the event for it, as soon as Dagster's daemon comes to it.

    A refresh of the event that is not over yet is answered with instead of asking twice.
    """
    try:
        request_id = request_refresh(writer, event_id, now=asked.now(), given_up_after=asked.settings.dead_run_after)
    except UnknownEvent as error:
        raise NotFound(str(error)) from error
    return answer(202, {"Location": f"/refreshes/{request_id}"}, refresh=_row(asked, request_id))


@router.get(
    "/refreshes/{request_id}",
    summary="What became of a refresh",
    **AnswerShape("The refresh as it stands.").row(REFRESH, "refresh").documented(404),
)
def show_refresh(
    request_id: RequestId, asked: Asked, question: Annotated[parameters.NoParameters, Query()]
) -> Response:
    """Requested, launched, then the status of its run, with the error of one that failed."""
    return answer(refresh=_row(asked, request_id))


def _row(asked: Service, request_id: int) -> dict[str, object]:
    patience = asked.settings.dead_run_after
    return rows(refresh(asked.source, request_id, now=asked.now(), given_up_after=patience))[0]
