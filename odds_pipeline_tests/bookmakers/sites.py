"""What the three sites answer about a handful of invented matches, as functions of a request.

Just enough of each protocol for discovery and one market per event, with a hook that puts any reply in place of the
right one. The full protocols, with realistic sizes, are the simulator's.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from odds_pipeline.settings import BookmakerSettings, Settings
from odds_pipeline_tests.bookmakers.loopback import Reply, Request, json_reply

KICKOFF = datetime(2030, 3, 2, 15, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Match:
    """One invented match. ``number`` makes every id of it."""

    number: int
    kickoff: datetime = KICKOFF
    country: str = "Nigeria"
    tournament: str = "Premier Division"
    has_sportradar_id: bool = True
    is_simulated: bool = False

    @property
    def sportradar_id(self) -> str:
        return str(90_000_000 + self.number)

    @property
    def home(self) -> str:
        return f"Rovers {self.number}"

    @property
    def away(self) -> str:
        return f"City {self.number}"


def matches(count: int) -> list[Match]:
    """Matches that kick off one after another, a minute apart."""
    return [Match(number, KICKOFF + timedelta(minutes=number)) for number in range(count)]


Fault = Callable[[Request], Reply | None]


@dataclass
class Site(ABC):
    """A site on loopback: ``answer`` is given to a ``Loopback``; ``fault`` may replace any reply."""

    matches: Sequence[Match]
    fault: Fault = lambda _: None
    latency_s: float = 0.0
    asked_events: list[str] = field(default_factory=list)
    slug = ""

    def answer(self, request: Request) -> Reply:
        self.note(request)
        reply = self.fault(request)
        return reply if reply is not None else replace(self.right_answer(request), delay=self.latency_s)

    def note(self, request: Request) -> None:
        if not self.is_discovery(request):
            self.asked_events.append(self.event_id(request))

    def right_answer(self, request: Request) -> Reply:
        if self.is_discovery(request):
            return json_reply(self.discovery(request))
        for match in self.matches:
            if self.id_of(match) == self.event_id(request):
                return json_reply(self.event(match))
        return Reply(404)

    @abstractmethod
    def is_discovery(self, request: Request) -> bool: ...

    @abstractmethod
    def event_id(self, request: Request) -> str: ...

    @abstractmethod
    def id_of(self, match: Match) -> str: ...

    @abstractmethod
    def discovery(self, request: Request) -> dict[str, Any]: ...

    @abstractmethod
    def event(self, match: Match) -> dict[str, Any]: ...

    @abstractmethod
    def started(self, match: Match) -> dict[str, Any]: ...


class BetPawaSite(Site):
    slug = "betpawa"
    has_widgets_in_lists = True

    def is_discovery(self, request: Request) -> bool:
        return request.path.endswith("by-queries")

    def event_id(self, request: Request) -> str:
        return request.path.rsplit("/", 1)[1]

    def id_of(self, match: Match) -> str:
        return str(40_000_000 + match.number)

    def discovery(self, request: Request) -> dict[str, Any]:
        query = json.loads(request.params["q"])["queries"][0]
        taken = self.matches[query["skip"] :][: min(query["take"], 100)]
        return {"responses": [{"responses": [self.entry(match) for match in taken]}]}

    def entry(self, match: Match, *, widgets: bool | None = None) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": self.id_of(match),
            "name": f"{match.home} - {match.away}",
            "startTime": match.kickoff.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "participants": [
                {"id": "2", "name": match.away, "position": 2},
                {"id": "1", "name": match.home, "position": 1},
            ],
            "category": {"id": "2", "name": "Football"},
            "region": {"id": "900", "name": match.country},
            "competition": {"id": "19000", "name": match.tournament},
        }
        if match.is_simulated:
            entry["region"] = {"id": "901", "name": "Simulated Reality"}
        if match.has_sportradar_id and (self.has_widgets_in_lists if widgets is None else widgets):
            entry["widgets"] = [
                {"id": "15", "type": "GENIUSSPORTS"},
                {"id": match.sportradar_id, "type": "SPORTRADAR", "retention": "PREMATCH"},
            ]
        return entry

    def event(self, match: Match) -> dict[str, Any]:
        prices = [
            {"id": "1", "name": "1", "typeId": "3744", "odds": 2.35},
            {"id": "2", "name": "X", "typeId": "3745", "odds": 3.2},
            {"id": "3", "name": "2", "typeId": "3746", "odds": 3.05, "suspended": True},
        ]
        market = {"marketType": {"id": "3743", "name": "1X2 - FT", "tabs": ["all"]}, "row": [{"prices": prices}]}
        return self.entry(match, widgets=True) | {"markets": [market]}

    def started(self, match: Match) -> dict[str, Any]:
        return self.event(match) | {"additionalInfo": {"live": True}}


class SportyBetSite(Site):
    slug = "sportybet"
    promised: int | None = None

    def is_discovery(self, request: Request) -> bool:
        return request.path.endswith("pcUpcomingEvents")

    def event_id(self, request: Request) -> str:
        return request.params["eventId"]

    def id_of(self, match: Match) -> str:
        return f"sr:match:{match.sportradar_id}"

    def discovery(self, request: Request) -> dict[str, Any]:
        size, number = int(request.params["pageSize"]), int(request.params["pageNum"])
        taken = self.matches[(number - 1) * size :][:size]
        tournaments = [{"id": "sr:tournament:1", "name": "t", "events": [self.entry(match) for match in taken]}]
        total = len(self.matches) if self.promised is None else self.promised
        return self.envelope({"totalNum": total, "tournaments": tournaments})

    def envelope(self, data: object) -> dict[str, Any]:
        return {"bizCode": 10000, "message": "0#0", "data": data}

    def entry(self, match: Match) -> dict[str, Any]:
        kind = "simulated" if match.is_simulated else "competitor"
        return {
            "eventId": self.id_of(match),
            "estimateStartTime": int(match.kickoff.timestamp() * 1000),
            "status": 0,
            "matchStatus": "Not start",
            "homeTeamId": f"sr:{kind}:1",
            "homeTeamName": match.home,
            "awayTeamId": f"sr:{kind}:2",
            "awayTeamName": match.away,
            "sport": {
                "id": "sr:sport:1",
                "name": "Football",
                "category": {
                    "id": "sr:category:1",
                    "name": match.country,
                    "tournament": {"id": "sr:tournament:1", "name": match.tournament},
                },
            },
        }

    def event(self, match: Match) -> dict[str, Any]:
        outcomes = [
            {"id": key, "odds": odds, "isActive": 1, "desc": name}
            for key, odds, name in (("1", "2.30", "Home"), ("2", "3.25", "Draw"), ("3", "3.10", "Away"))
        ]
        market = {"id": "1", "product": 3, "desc": "1X2", "status": 0, "name": "1X2", "outcomes": outcomes}
        return self.envelope(self.entry(match) | {"markets": [market]})

    def started(self, match: Match) -> dict[str, Any]:
        return self.envelope(self.entry(match) | {"status": 1, "matchStatus": "H1", "markets": []})


class Bet9jaSite(Site):
    slug = "bet9ja"
    collections_are_lists = False

    def is_discovery(self, request: Request) -> bool:
        return not request.path.endswith("/GetEvent")

    def event_id(self, request: Request) -> str:
        return request.params["EVENTID"]

    def id_of(self, match: Match) -> str:
        return str(800_000_000 + match.number)

    def groups(self) -> dict[str, list[Match]]:
        groups: dict[str, list[Match]] = {}
        for match in self.matches:
            groups.setdefault(str(3_000_000 + match.number % 5), []).append(match)
        return groups

    def discovery(self, request: Request) -> dict[str, Any]:
        groups = self.groups()
        if not request.path.endswith("GetSports"):
            events = [self.entry(match) for match in groups.get(request.params["GROUPID"], [])]
            return {"R": "OK", "D": {"E": events}}
        tree: dict[str, Any] = {
            group: {"G_DESC": f"Group {group}", "NUM": len(members)} for group, members in groups.items()
        }
        countries: dict[str, Any] = {"900": {"SG_DESC": "Nigeria", "NUM": len(self.matches), "G": tree}}
        if self.collections_are_lists:
            countries["900"]["G"] = [{"ID": int(key)} | member for key, member in tree.items()]
            return {"R": "OK", "D": {"PAL": {"1": {"S_DESC": "Soccer", "SG": list(countries.values())}}}}
        return {"R": "OK", "D": {"PAL": {"1": {"S_DESC": "Soccer", "SG": countries}, "2": {"S_DESC": "Basket"}}}}

    def entry(self, match: Match) -> dict[str, Any]:
        return {
            "ID": 800_000_000 + match.number,
            "EXTID": match.sportradar_id if match.has_sportradar_id else "",
            "DS": f"{match.home} - {match.away}",
            "STARTDATE": match.kickoff.strftime("%Y-%m-%d %H:%M:%S"),
            "GN": "Simulated Reality League" if match.is_simulated else match.tournament,
            "GID": 3_000_000,
            "SG": match.country,
            "SGN": "not the country",
            "SID": 1,
            "S": "Soccer",
            "O": {"S_1X2_1": "2.30"},
        }

    def event(self, match: Match) -> dict[str, Any]:
        odds = {"S_1X2_1": "2.30", "S_1X2_X": "3.15", "S_1X2_2": "3.1", "S_OU@3.5_O": "1", "S_OU@3.5_U": "1"}
        return {"R": "OK", "D": self.entry(match) | {"O": odds, "MK": [], "CATMARKET": [], "TRANS": {}}}

    def started(self, match: Match) -> dict[str, Any]:
        return {"R": "OK", "D": self.entry(match) | {"O": {"LIVES_1X2_1": {"v": 1.85}}}}


SITES: dict[str, type[Site]] = {site.slug: site for site in (BetPawaSite, SportyBetSite, Bet9jaSite)}


def quick_settings(urls: dict[str, str], **changes: Any) -> Settings:
    """Settings that reach these sites and wait for milliseconds only."""
    waits: dict[str, Any] = {"retry_wait_s": 0.001, "retry_wait_max_s": 0.02, "timeout_s": 2.0, "delay_ms": 0}
    sections: dict[str, Any] = {slug: BookmakerSettings(url=url, **waits | changes) for slug, url in urls.items()}
    return Settings(source="simulator", **sections)
