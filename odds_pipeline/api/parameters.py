"""What may be asked: the parameters of every operation, each checked before a question is put.

Checked strictly: what is unknown is refused, a time needs its offset, a number is written in digits. Whether a question
makes sense as a whole is for the questions themselves (``BadQuestion``).
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from odds_pipeline.analysis.asked import LARGEST_PAGE
from odds_pipeline.analysis.events import EventCursor, EventFilter
from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.analysis.kickoff import GROUPINGS
from odds_pipeline.analysis.market_names import market_id_of
from odds_pipeline.clock import require_utc
from odds_pipeline.days.wanted import ANY_LINE, AnyLine

_LARGEST_ID = 2**31 - 1
_MOMENT = re.compile(
    r"(?P<year>[0-9]{4})-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_YEARS = "^(19[7-9]|2[01])[0-9]"
_TEXT = r"^[^\u0000-\u001f\u007f]+$"
_LINE = r"^(none|-?[0-9]{1,7}(\.[0-9]{1,3})?)$"
_MARKET = r"^[^\u0000-\u001f\u007f@]+(@-?[0-9]{1,7}(\.[0-9]{1,3})?)?$"


def _moment(given: object) -> datetime:
    """A time of ISO 8601 with its offset, in UTC."""
    text = str(given)
    if re.search(r":[0-9]{2}(\.[0-9]+)? [0-9]{2}:[0-9]{2}$", text):
        raise ValueError("a + in a URL means a space: write %2B for the + of an offset, or give the time in UTC with Z")
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("not a time; give it as 2026-11-20T12:00:00Z or 2026-11-20T13:00:00%2B01:00")
    if found["zone"] is None:
        raise ValueError("a time needs its offset: 2026-11-20T12:00:00Z, or 2026-11-20T13:00:00%2B01:00")
    if not re.match(_YEARS, found["year"]):
        raise ValueError("a time lies in the years 1970 to 2199")
    try:
        return require_utc(datetime.fromisoformat(text.upper()))
    except ValueError as error:
        raise ValueError(f"not a time: {error}") from None


def _whole(given: object) -> object:
    """Only digits: Python's own numbers may have spaces, underscores and other scripts' digits."""
    if isinstance(given, str) and not re.fullmatch(r"-?[0-9]{1,12}", given):
        raise ValueError("not a whole number")
    return given


def _truth(given: object) -> object:
    if isinstance(given, str) and given not in ("true", "false"):
        raise ValueError("either true or false")
    return given


class _NeverNull:
    """In a URL there is no null: what may be left out is described as what it is when it is there."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        (told,) = [each for each in handler(schema)["anyOf"] if each != {"type": "null"}]
        return told


_T = TypeVar("_T")

Time = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _YEARS, "examples": ["2026-11-20T12:00:00Z"]}),
]
Id = Annotated[int, Field(ge=1, le=_LARGEST_ID), BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_truth)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_TEXT)]
Texts = Annotated[list[Text], Field(max_length=100)]
Ids = Annotated[list[Id], Field(max_length=100)]
Maybe = Annotated[_T | None, _NeverNull()]
"""A parameter that may be left out."""

EventId = Annotated[Id, Path(description="our id of the event; the event list has them", examples=[12])]
RequestId = Annotated[Id, Path(description="the refresh, as POST answered it")]

_Bookmakers = Annotated[Maybe[Texts], Field(alias="bookmaker", description="only these bookmakers; may be repeated")]
_Markets = Annotated[
    Maybe[Texts], Field(alias="market", description="only these markets, by canonical id or name; may be repeated")
]
_Line = Annotated[
    Maybe[Annotated[str, StringConstraints(pattern=_LINE)]],
    Field(description="only this line; none: markets without one; left out: all", examples=["2.5"]),
]


def require_once(request: Request) -> None:
    """Refuse a parameter that was given more than once and has one value: which was meant nobody knows.

    What may be repeated is what the document says is a list.
    """
    operations = request.app.openapi()["paths"].get(request.scope["route"].path, {})
    parameters = operations.get(request.method.lower(), {}).get("parameters", [])
    single = {told["name"] for told in parameters if told["in"] == "query" and told["schema"].get("type") != "array"}
    given = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [(name, times) for name, times in given.items() if times > 1 and name in single]
    if repeated:
        raise RequestValidationError(
            [
                {"loc": ("query", name), "type": "repeated", "msg": f"given {times} times; it has one value"}
                for name, times in repeated
            ]
        )


class NoParameters(BaseModel):
    """An operation that takes none."""

    model_config = ConfigDict(extra="forbid")


class Window(NoParameters):
    """From ``since`` up to but without ``until``."""

    since: Annotated[Maybe[Time], Field(description="from this time on")] = None
    until: Annotated[Maybe[Time], Field(description="up to but without this time")] = None


class Kickoffs(NoParameters):
    """Events that kick off from ``kickoff_since`` up to but without ``kickoff_until``."""

    kickoff_since: Annotated[Maybe[Time], Field(description="kick-off at this time or later")] = None
    kickoff_until: Annotated[Maybe[Time], Field(description="kick-off before this time")] = None


class Events(Kickoffs):
    """Which events, and which page of them."""

    tournament_id: Annotated[Maybe[Id], Field(description="events of this tournament")] = None
    country: Annotated[Maybe[Text], Field(description="events of this country's tournaments, as listed")] = None
    name: Annotated[Maybe[Text], Field(description="events whose name has this in it, in capitals or not")] = None
    bookmakers: Annotated[
        Maybe[Texts],
        Field(alias="bookmaker", description="events that one of these bookmakers lists; may be repeated"),
    ] = None
    is_available: Annotated[Maybe[Flag], Field(description="whether a bookmaker still offers it")] = None
    is_started: Annotated[Maybe[Flag], Field(description="whether its kick-off has come")] = None
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="events of a page"), BeforeValidator(_whole)] = 100
    after: Annotated[Maybe[Text], Field(description="`next` of the page before")] = None

    @property
    def wanted(self) -> EventFilter:
        return EventFilter(
            kickoff_since=self.kickoff_since,
            kickoff_until=self.kickoff_until,
            tournament_id=self.tournament_id,
            country=self.country,
            bookmakers=self.bookmakers,
            is_available=self.is_available,
            is_started=self.is_started,
            name=self.name,
        )

    @property
    def cursor(self) -> EventCursor | None:
        return None if self.after is None else EventCursor.decode(self.after)


class Event(NoParameters):
    """Of whom one event is shown."""

    bookmakers: _Bookmakers = None


class Market(Window):
    """A market of an event through time."""

    market: Annotated[Text, Field(description="canonical id of the market, or its name", examples=["3743"])]
    line: _Line = None
    bookmakers: _Bookmakers = None

    @property
    def chosen_line(self) -> Decimal | AnyLine | None:
        return _chosen(self.line)


class Moments(NoParameters):
    """Of what the state is asked, when, and which page of it."""

    moment: Annotated[Time, Field(description="when")]
    event_ids: Annotated[Maybe[Ids], Field(alias="event_id", description="only these events; may be repeated")] = None
    tournament_id: Annotated[Maybe[Id], Field(description="only events of this tournament")] = None
    bookmakers: _Bookmakers = None
    markets: _Markets = None
    line: _Line = None
    limit: Annotated[int, Field(ge=1, le=50_000, description="markets of a page"), BeforeValidator(_whole)] = 1_000
    after: Annotated[Maybe[Id], Field(description="`next` of the page before")] = None

    @property
    def chosen_line(self) -> Decimal | AnyLine | None:
        return _chosen(self.line)


class Compare(NoParameters):
    """When which prices are compared."""

    moment: Annotated[Maybe[Time], Field(description="when; left out: now")] = None
    markets: _Markets = None
    line: _Line = None
    bookmakers: _Bookmakers = None

    @property
    def chosen_line(self) -> Decimal | AnyLine | None:
        return _chosen(self.line)


class Moves(Window):
    """Of when and what moves are asked."""

    within_seconds: Annotated[
        int,
        Field(ge=0, le=86_400, description="how long after the first a bookmaker still follows"),
        BeforeValidator(_whole),
    ] = 3_600
    markets: _Markets = None

    @property
    def within(self) -> timedelta:
        return timedelta(seconds=self.within_seconds)


class TowardsKickoff(Kickoffs):
    """Which events, markets and bookmakers are followed towards kick-off."""

    event_ids: Annotated[Maybe[Ids], Field(alias="event_id", description="these events; may be repeated")] = None
    tournament_id: Annotated[Maybe[Id], Field(description="events of this tournament")] = None
    bookmakers: _Bookmakers = None
    markets: Annotated[
        Maybe[
            Annotated[list[Annotated[str, StringConstraints(max_length=220, pattern=_MARKET)]], Field(max_length=100)]
        ],
        Field(
            alias="market",
            description="these markets: an id or name, with its line behind an @; left out: the headline markets",
            examples=[["3743", "5000@2.5"]],
        ),
    ] = None

    @property
    def choice(self) -> dict[str, Any]:
        """As the questions take it."""
        return {
            "kickoff_since": self.kickoff_since,
            "kickoff_until": self.kickoff_until,
            "event_ids": self.event_ids,
            "tournament_id": self.tournament_id,
            "bookmakers": self.bookmakers,
            "markets": HEADLINE if self.markets is None else [_with_line(market) for market in self.markets],
        }


class TimeToKickoff(TowardsKickoff):
    """The same, and by what it is summed up."""

    by: Annotated[
        list[Literal["betpawa_market_id", "line", "tournament", "bookmaker_slug"]],
        Field(description="what the buckets are grouped by; may be repeated", min_length=1, max_length=len(GROUPINGS)),
    ] = ["betpawa_market_id", "line", "bookmaker_slug"]


class Coverage(Kickoffs):
    """Which events count."""

    is_available: Annotated[Flag, Field(description="only what is on offer; false: whatever is stored")] = True


class Runs(Window):
    """Which runs, and which page of them."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="runs of a page"), BeforeValidator(_whole)] = 50
    after: Annotated[Maybe[Id], Field(description="`next` of the page before")] = None


class Failures(NoParameters):
    """In how many cycles something must have failed."""

    cycles: Annotated[
        Maybe[Annotated[int, Field(ge=1, le=500), BeforeValidator(_whole)]],
        Field(description="in each of at least so many last cycles; left out: ODDS_RECURRING_FAILURES"),
    ] = None


def _chosen(line: str | None) -> Decimal | AnyLine | None:
    if line is None:
        return ANY_LINE
    return None if line == "none" else Decimal(line)


def _with_line(market: str) -> tuple[str, Decimal | None]:
    name, _, line = market.partition("@")
    return market_id_of(name), Decimal(line) if line else None
