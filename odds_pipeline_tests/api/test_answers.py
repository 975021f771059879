"""Every operation answers what its question answers, asked with every parameter that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import polars as pl
import pytest

from odds_pipeline.analysis import comparison, coverage, runs
from odds_pipeline.analysis.encode import rows
from odds_pipeline.analysis.event import by_group, event
from odds_pipeline.analysis.events import EventFilter, events
from odds_pipeline.analysis.kickoff import opening_closing, time_to_kickoff
from odds_pipeline.analysis.margins import margin_history
from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline_tests.analysis.hand_made import CYCLES, NOW, HandMade
from odds_pipeline_tests.api.asking import Api, problem, serving

SINCE, UNTIL = CYCLES[1], CYCLES[4]
TWO = ["betpawa", "sportybet"]
WINDOW = {"since": SINCE.isoformat(), "until": UNTIL.isoformat()}
KICKOFFS = (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
KICKOFF_WINDOW = {"kickoff_since": KICKOFFS[0].isoformat(), "kickoff_until": KICKOFFS[1].isoformat()}
MARKETS = [("3743", None), ("5000", Decimal("2.5"))]

Asked = Callable[[HandMade], pl.DataFrame]


def _towards(world: HandMade) -> dict[str, Any]:
    window = dict(zip(("kickoff_since", "kickoff_until"), KICKOFFS, strict=True))
    return {**window, "bookmakers": TWO, "markets": MARKETS, "tournament_id": world.tournaments["Premier League"]}


#: Path to parameters, and the frame that the rows must be.
QUESTIONS: Mapping[str, tuple[Callable[[HandMade], Mapping[str, Any]], Asked]] = {
    "/events": (
        lambda world: {
            **KICKOFF_WINDOW,
            "country": "England",
            "name": "chelsea",
            "tournament_id": world.tournaments["Premier League"],
            "bookmaker": TWO,
            "is_available": "true",
            "is_started": "false",
            "limit": 2,
        },
        lambda world: (
            events(
                world.source,
                EventFilter(*KICKOFFS, world.tournaments["Premier League"], "England", TWO, True, False, "chelsea"),
                now=NOW,
                limit=2,
            ).rows
        ),
    ),
    "/events/{}/odds": (
        lambda world: {**WINDOW, "market": "5000", "line": "2.5", "bookmaker": TWO},
        lambda world: (
            odds_history(
                world.source, MarketChoice(world.events["derby"], "5000", Decimal("2.5"), TWO), SINCE, UNTIL, now=NOW
            ).points
        ),
    ),
    "/events/{}/margins": (
        lambda world: {**WINDOW, "market": "3743", "line": "none"},
        lambda world: (
            margin_history(
                world.source, MarketChoice(world.events["derby"], "3743", None), SINCE, UNTIL, now=NOW
            ).points
        ),
    ),
    "/events/{}/comparison": (
        lambda world: {"moment": SINCE.isoformat(), "market": ["3743", "5000"], "line": "2.5", "bookmaker": TWO},
        lambda world: (
            comparison.compare(
                world.source,
                world.events["derby"],
                moment=SINCE,
                betpawa_market_ids=["3743", "5000"],
                line=Decimal("2.5"),
                bookmakers=TWO,
                now=NOW,
            ).rows
        ),
    ),
    "/events/{}/moves": (
        lambda world: {**WINDOW, "within_seconds": 600, "market": ["3743"]},
        lambda world: (
            comparison.moves(
                world.source,
                world.events["derby"],
                SINCE,
                UNTIL,
                within=timedelta(minutes=10),
                betpawa_market_ids=["3743"],
                now=NOW,
            ).rows
        ),
    ),
    "/moments": (
        lambda world: {
            "moment": UNTIL.isoformat(),
            "event_id": [world.events["derby"], world.events["moved"]],
            "bookmaker": TWO,
            "market": ["3743", "5000"],
            "line": "none",
            "limit": 2,
            "after": world.market_id("p1", ("3743", None)),
        },
        lambda world: (
            at(
                world.source,
                Scope([world.events["derby"], world.events["moved"]], None, TWO, ["3743", "5000"], None),
                UNTIL,
                limit=2,
                after=world.market_id("p1", ("3743", None)),
            ).rows
        ),
    ),
    "/time-to-kickoff": (
        lambda world: {
            **KICKOFF_WINDOW,
            "tournament_id": world.tournaments["Premier League"],
            "bookmaker": TWO,
            "market": ["3743", "5000@2.5"],
            "by": ["tournament", "bookmaker_slug"],
        },
        lambda world: (
            time_to_kickoff(world.source, **_towards(world), by=("tournament", "bookmaker_slug"), now=NOW).rows
        ),
    ),
    "/opening-closing": (
        lambda world: {"event_id": [world.events["derby"], world.events["home"]]},
        lambda world: (
            opening_closing(world.source, event_ids=[world.events["derby"], world.events["home"]], now=NOW).rows
        ),
    ),
    "/coverage": (
        lambda world: {**KICKOFF_WINDOW, "is_available": "false"},
        lambda world: (
            coverage.coverage(
                world.source, now=NOW, kickoff_since=KICKOFFS[0], kickoff_until=KICKOFFS[1], is_available=False
            ).tournaments
        ),
    ),
    "/runs": (
        lambda world: {**WINDOW, "limit": 2, "after": world.runs[3]},
        lambda world: runs.runs(world.source, since=SINCE, until=UNTIL, limit=2, after=world.runs[3]).rows,
    ),
    "/errors": (
        lambda world: {"since": SINCE.isoformat(), "until": NOW.isoformat()},
        lambda world: runs.errors(world.source, since=SINCE, until=NOW),
    ),
    "/failures": (lambda world: {"cycles": 2}, lambda world: runs.recurring(world.source, cycles=2)),
}


@pytest.mark.parametrize("path", QUESTIONS)
def test_an_operation_answers_what_its_question_answers(api: Api, path: str) -> None:
    parameters, frame = QUESTIONS[path]
    expected = rows(frame(api.world))
    assert expected, "an answer without rows would prove nothing"
    assert api.rows(path.format(api.world.events["derby"]), **parameters(api.world)) == expected


@pytest.mark.parametrize("path", QUESTIONS)
def test_every_parameter_of_an_operation_is_asked_with(api: Api, path: str) -> None:
    """The questions above name every parameter that the document has."""
    described = api.get("/openapi.json").json()["paths"][path.replace("{}", "{event_id}")]["get"]["parameters"]
    named = set(QUESTIONS[path][0](api.world))
    left_out = {each["name"] for each in described if each["in"] == "query"} - named
    assert left_out <= _ELSEWHERE.get(path, set())


#: Parameters that other tests, or the sister operation's question, name.
_ELSEWHERE = {
    "/events": {"after"},
    "/events/{}/margins": {"bookmaker"},
    "/moments": {"tournament_id"},
    "/time-to-kickoff": {"event_id"},
    "/opening-closing": {"kickoff_since", "kickoff_until", "tournament_id", "bookmaker", "market"},
}


def test_an_event_has_its_markets_by_group(api: Api) -> None:
    event_id = api.world.events["derby"]
    found = event(api.world.source, event_id, now=NOW, bookmakers=TWO)
    answered = api.get(f"/events/{event_id}", bookmaker=TWO).json()
    assert answered == {"event": rows(found.event)[0], "groups": rows(by_group(found.markets))}
    assert [group["market_group"] for group in answered["groups"]] == ["goals", "popular", "ungrouped"]


def test_coverage_has_its_other_tables(api: Api) -> None:
    found = coverage.coverage(api.world.source, now=NOW)
    answered = api.get("/coverage").json()
    assert answered["total"] == rows(found.total)[0]
    for name in ("countries", "mapped", "unmapped"):
        assert answered[name] == rows(getattr(found, name))


def test_pages_follow_one_another_until_the_last(api: Api) -> None:
    for path, parameters, key in (
        ("/events", {"limit": 3}, "event_id"),
        ("/moments", {"moment": NOW.isoformat(), "limit": 4}, "market_id"),
        ("/moments", {"moment": NOW.isoformat(), "limit": 1, "tournament_id": 1}, "market_id"),
        ("/runs", {"limit": 4}, "run_id"),
    ):
        whole = [row[key] for row in api.rows(path, **(parameters | {"limit": 500}))]
        pages: list[list[int]] = []
        after: Any = None
        while not pages or after is not None:
            answered = api.get(path, **parameters, **({} if after is None else {"after": after})).json()
            pages.append([row[key] for row in answered["rows"]])
            after = answered["next"]
        assert [each for page in pages for each in page] == whole
        assert len(pages) > 1


def test_a_market_may_be_given_by_its_name(api: Api) -> None:
    derby = f"/events/{api.world.events['derby']}"
    for path, by_id, by_name in (
        (f"{derby}/odds", "3743", "1X2 - FT"),
        (f"{derby}/margins", "5000", "total score over/under - FT"),
        (f"{derby}/comparison", "3743", "1x2 - ft"),
        (f"{derby}/moves", "3743", "1X2 - FT"),
        ("/moments?moment=2026-11-20T12:00:00Z", "3795", "Both Teams To Score - FT"),
        (f"/time-to-kickoff?event_id={api.world.events['derby']}", "5000@2.5", "Total Score Over/Under - FT@2.5"),
    ):
        where, _, rest = path.partition("?")
        others = dict([rest.split("=")]) if rest else {}
        told = api.rows(where, **others, market=by_name)
        assert told
        assert told == api.rows(where, **others, market=by_id)
        unknown = problem(api.get(where, **others, market="1x2"), 404)
        assert "perhaps '1X2 - FT', '1X2 - 1H'" in unknown["detail"]


def test_offsets_of_times_are_respected(api: Api) -> None:
    event_id = api.world.events["derby"]
    in_utc = api.get(f"/events/{event_id}/comparison", moment="2026-11-20T11:56:00Z")
    in_lagos = api.get(f"/events/{event_id}/comparison", moment="2026-11-20T12:56:00+01:00")
    later = api.get(f"/events/{event_id}/comparison", moment="2026-11-20T12:06:00Z")
    assert in_utc.content == in_lagos.content != later.content


def test_days_that_were_not_imported_travel_with_the_answer(api: Api) -> None:
    """R18: whoever asks about the past is told what an earlier system has that this one lacks."""
    day = CYCLES[0].date()
    source = replace(api.service.source, unimported_days=lambda first, last: [day])
    derby = f"/events/{api.world.events['derby']}"
    with serving(replace(api.service, source=source)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for path in (
            f"{derby}/odds?market=3743",
            f"{derby}/margins?market=3743",
            f"{derby}/comparison",
            f"{derby}/moves?since=2026-11-20T00:00:00Z",
            "/moments?moment=2026-11-20T12:00:00Z",
            f"/time-to-kickoff?event_id={api.world.events['derby']}",
            f"/opening-closing?event_id={api.world.events['derby']}",
        ):
            assert client.get(path).json()["unimported_days"] == ["2026-11-20"], path
