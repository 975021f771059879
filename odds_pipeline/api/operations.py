"""How the pipeline itself does: coverage, runs and what failed in them, and whether anybody is there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from odds_pipeline.analysis import coverage as coverages
from odds_pipeline.analysis import runs
from odds_pipeline.analysis.encode import rows
from odds_pipeline.api import parameters
from odds_pipeline.api.answers import AnswerShape, answer
from odds_pipeline.api.service import Asked, require_revision

router = APIRouter(tags=["the pipeline"])


@router.get(
    "/coverage",
    summary="Who offers what",
    **AnswerShape("Matches by tournament and country, and markets by bookmaker.")
    .rows(coverages.COVERAGE)
    .rows(coverages.COUNTRIES, "countries")
    .row(coverages.TOTAL, "total")
    .rows(coverages.MAPPED, "mapped")
    .rows(coverages.UNMAPPED, "unmapped")
    .documented(),
)
def show_coverage(asked: Asked, question: Annotated[parameters.Coverage, Query()]) -> Response:
    """Matches that betPawa and competitors list, or only one side does, and how many of their markets are mapped."""
    found = coverages.coverage(
        asked.source,
        now=asked.now(),
        kickoff_since=question.kickoff_since,
        kickoff_until=question.kickoff_until,
        is_available=question.is_available,
    )
    return answer(
        rows=found.tournaments,
        countries=found.countries,
        total=rows(found.total)[0],
        mapped=found.mapped,
        unmapped=found.unmapped,
    )


@router.get(
    "/runs",
    summary="Runs",
    **AnswerShape("Runs, newest first.").rows(runs.RUNS).next("integer", 4711).documented(),
)
def list_runs(asked: Asked, question: Annotated[parameters.Runs, Query()]) -> Response:
    """What each cycle, refresh and import asked and wrote, and how long it took."""
    page = runs.runs(
        asked.source, since=question.since, until=question.until, limit=question.limit, after=question.after
    )
    return answer(rows=page.rows, next=page.next)


@router.get(
    "/errors",
    summary="What failed",
    **AnswerShape("Errors by bookmaker and type, most occurrences first.").rows(runs.ERRORS).documented(),
)
def list_errors(asked: Asked, question: Annotated[parameters.Window, Query()]) -> Response:
    """Errors of a time by bookmaker and type."""
    return answer(rows=runs.errors(asked.source, since=question.since, until=question.until))


@router.get(
    "/failures",
    summary="What fails again and again",
    **AnswerShape("Failures of each of the last cycles, the longest streak first.").rows(runs.FAILURES).documented(),
)
def list_failures(asked: Asked, question: Annotated[parameters.Failures, Query()]) -> Response:
    """What failed in each of the last cycles, by bookmaker, type and event."""
    cycles = asked.settings.recurring_failures if question.cycles is None else question.cycles
    return answer(rows=runs.recurring(asked.source, cycles=cycles))


@router.get(
    "/health",
    summary="Whether questions can be answered",
    **AnswerShape("The database answers, and is of this version.")
    .word("status", "always ok: anything else is a problem document", "ok")
    .word("revision", "the database's revision", "0013")
    .documented(),
)
def show_health(asked: Asked, question: Annotated[parameters.NoParameters, Query()]) -> Response:
    """Ask the database for its revision."""
    return answer(status="ok", revision=require_revision(asked.source.database))
