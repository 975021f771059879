"""Every question gives the same numbers in Python, on the command line and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.analysis.comparison import compare, moves
from odds_pipeline.analysis.coverage import coverage
from odds_pipeline.analysis.event import by_group, event
from odds_pipeline.analysis.events import EventFilter, events
from odds_pipeline.analysis.kickoff import opening_closing, time_to_kickoff
from odds_pipeline.analysis.margins import margin_history
from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.runs import errors, recurring, runs
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import CYCLES, NOW, HandMade, hand_made
from odds_pipeline_tests.api.asking import Api, api_of
from odds_pipeline_tests.cli.asking import exact, lead_to, lines_of

SINCE, UNTIL = CYCLES[1], CYCLES[4]
DAY = datetime(2026, 11, 20, tzinfo=UTC)
TOMORROW = DAY + timedelta(days=1)
OVER_UNDER = Decimal("2.5")


@dataclass(frozen=True)
class Question:
    """A question put in three ways: the function's answer, the command's words, the path and its parameters.

    ``part``: where the command, which answers with several tables, has this answer. ``is_whole``: the answer is one
    object.
    """

    python: Callable[[HandMade], Any]
    command: Callable[[HandMade], list[Any]]
    http: Callable[[HandMade], tuple[str, Mapping[str, Any]]]
    part: str | None = None
    is_whole: bool = False


def derby(world: HandMade) -> int:
    return world.events["derby"]


def market(world: HandMade) -> MarketChoice:
    return MarketChoice(derby(world), "5000", OVER_UNDER, ["betpawa", "bet9ja"])


_MARKET = ["--market", "5000", "--line", "2.5", "--bookmaker", "betpawa", "--bookmaker", "bet9ja"]
_MARKET_PARAMETERS = {"market": "5000", "line": "2.5", "bookmaker": ["betpawa", "bet9ja"]}
_WINDOW = ["--since", SINCE.isoformat(), "--until", UNTIL.isoformat()]
_WINDOW_PARAMETERS = {"since": SINCE.isoformat(), "until": UNTIL.isoformat()}
_TODAY = ["--since", DAY.isoformat(), "--until", TOMORROW.isoformat()]
_TODAY_PARAMETERS = {"kickoff_since": DAY.isoformat(), "kickoff_until": TOMORROW.isoformat()}

QUESTIONS = {
    "events": Question(
        lambda world: events(world.source, EventFilter(bookmakers=["sportybet"], is_available=True), now=NOW).rows,
        lambda world: ["events", "--bookmaker", "sportybet", "--available"],
        lambda world: ("/events", {"bookmaker": "sportybet", "is_available": "true"}),
    ),
    "event": Question(
        lambda world: _event(world),
        lambda world: ["event", derby(world)],
        lambda world: (f"/events/{derby(world)}", {}),
        is_whole=True,
    ),
    "odds history": Question(
        lambda world: odds_history(world.source, market(world), now=NOW).points,
        lambda world: ["history", derby(world), *_MARKET],
        lambda world: (f"/events/{derby(world)}/odds", _MARKET_PARAMETERS),
    ),
    "odds history of a window": Question(
        lambda world: odds_history(world.source, MarketChoice(derby(world), "3743"), SINCE, UNTIL, now=NOW).points,
        lambda world: ["history", derby(world), "--market", "1X2 - FT", *_WINDOW],
        lambda world: (f"/events/{derby(world)}/odds", {"market": "3743", **_WINDOW_PARAMETERS}),
    ),
    "margin history": Question(
        lambda world: margin_history(world.source, MarketChoice(derby(world), "3795", None), now=NOW).points,
        lambda world: ["margins", derby(world), "--market", "3795", "--no-line"],
        lambda world: (f"/events/{derby(world)}/margins", {"market": "3795", "line": "none"}),
    ),
    "state of an event": Question(
        lambda world: at(world.source, Scope(event_ids=[derby(world)]), CYCLES[3]).rows,
        lambda world: ["at", CYCLES[3].isoformat(), "--event", derby(world)],
        lambda world: ("/moments", {"moment": CYCLES[3].isoformat(), "event_id": derby(world)}),
    ),
    "state of everything": Question(
        lambda world: at(world.source, Scope(bookmakers=["sportybet"]), NOW).rows,
        lambda world: ["at", NOW.isoformat(), "--bookmaker", "sportybet"],
        lambda world: ("/moments", {"moment": NOW.isoformat(), "bookmaker": "sportybet"}),
    ),
    "comparison": Question(
        lambda world: compare(world.source, derby(world), moment=UNTIL, now=NOW).rows,
        lambda world: ["compare", derby(world), "--at", UNTIL.isoformat()],
        lambda world: (f"/events/{derby(world)}/comparison", {"moment": UNTIL.isoformat()}),
    ),
    "comparison of a market": Question(
        lambda world: (
            compare(
                world.source,
                derby(world),
                betpawa_market_ids=["5000"],
                line=OVER_UNDER,
                bookmakers=["betpawa", "bet9ja"],
                now=NOW,
            ).rows
        ),
        lambda world: ["compare", derby(world), *_MARKET],
        lambda world: (f"/events/{derby(world)}/comparison", _MARKET_PARAMETERS),
    ),
    "moves of all times": Question(
        lambda world: moves(world.source, derby(world), now=NOW).rows,
        lambda world: ["moves", derby(world)],
        lambda world: (f"/events/{derby(world)}/moves", {}),
    ),
    "moves": Question(
        lambda world: moves(world.source, derby(world), DAY, NOW, within=timedelta(minutes=6), now=NOW).rows,
        lambda world: ["moves", derby(world), "--since", DAY.isoformat(), "--within", "6"],
        lambda world: (f"/events/{derby(world)}/moves", {"since": DAY.isoformat(), "within_seconds": "360"}),
    ),
    "time to kick-off": Question(
        lambda world: time_to_kickoff(world.source, kickoff_since=DAY, kickoff_until=TOMORROW, now=NOW).rows,
        lambda world: ["kickoff", *_TODAY],
        lambda world: ("/time-to-kickoff", _TODAY_PARAMETERS),
    ),
    "opening against closing": Question(
        lambda world: opening_closing(world.source, event_ids=[world.events["home"]], now=NOW).rows,
        lambda world: ["kickoff", "--opening-closing", "--event", world.events["home"]],
        lambda world: ("/opening-closing", {"event_id": world.events["home"]}),
    ),
    "coverage": Question(
        lambda world: _coverage(world),
        lambda world: ["coverage"],
        lambda world: ("/coverage", {}),
        is_whole=True,
    ),
    "runs": Question(
        lambda world: runs(world.source, since=SINCE, until=UNTIL).rows,
        lambda world: ["runs", *_WINDOW],
        lambda world: ("/runs", _WINDOW_PARAMETERS),
        part="runs",
    ),
    "errors": Question(
        lambda world: errors(world.source, since=SINCE, until=UNTIL),
        lambda world: ["runs", *_WINDOW],
        lambda world: ("/errors", _WINDOW_PARAMETERS),
        part="errors",
    ),
    "failures": Question(
        lambda world: recurring(world.source, cycles=3),
        lambda world: ["runs"],
        lambda world: ("/failures", {}),
        part="failures",
    ),
}


@pytest.fixture(scope="module")
def api(shared_migrated_database: str) -> Iterator[Api]:
    with Database(shared_migrated_database) as database, api_of(hand_made(database)) as api:
        yield api


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_the_same_answer_in_python_on_the_command_line_and_over_http(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, world = QUESTIONS[name], api.world
    lead_to(world.source.database, monkeypatch)
    told = plain(question.python(world))
    assert told, "an answer that could differ"

    lines = lines_of(*question.command(world))
    assert (lines[0] if question.is_whole else lines[0][question.part] if question.part else lines) == told

    path, parameters = question.http(world)
    response = api.get(path, **parameters)
    assert response.status_code == 200, response.text
    document = exact(response.text)
    assert ({part: document[part] for part in told} if question.is_whole else document["rows"]) == told


def plain(value: Any) -> Any:
    """A value of an answer as JSON has it: without the encoder that the command line and HTTP share."""
    match value:
        case pl.DataFrame():
            return plain(value.to_dicts())
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case float():
            return Decimal(repr(round(value, 6)))
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:
            return value


def _event(world: HandMade) -> dict[str, Any]:
    found = event(world.source, derby(world), now=NOW)
    return {"event": found.event.to_dicts()[0], "groups": by_group(found.markets)}


def _coverage(world: HandMade) -> dict[str, Any]:
    found = coverage(world.source, now=NOW)
    return {
        "rows": found.tournaments,
        "countries": found.countries,
        "total": found.total.to_dicts()[0],
        "mapped": found.mapped,
        "unmapped": found.unmapped,
    }
