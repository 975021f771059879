"""Asking the simulator as a scraper would: the headers, parameters and envelopes of the three bookmakers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from odds_pipeline.simulator import Simulator

MOMENT = datetime(2026, 11, 21, 10, 1, tzinfo=UTC)
"""When the simulated worlds of these tests stand."""

V4 = "/api/sportsbook/v4"
SPORTYBET = "/api/ng/factsCenter"
BET9JA = "/desktop/feapi/PalimpsestAjax"

_HEADERS = {
    "betpawa": {"x-pawa-brand": "betpawa-nigeria", "accept": "application/json"},
    "sportybet": {"clientid": "web", "operid": "2", "platform": "web"},
    "bet9ja": {"referer": "https://sports.bet9ja.com/"},
}


class Asker:
    """One client that knows the three protocols."""

    def __init__(self, simulator: Simulator, timeout: float = 10.0) -> None:
        self.simulator = simulator
        self.client = httpx.Client(timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, bookmaker: str, path: str, **parameters: Any) -> httpx.Response:
        url = self.simulator.urls[bookmaker] + path
        return self.client.get(url, params=parameters, headers=_HEADERS[bookmaker])

    def post(self, bookmaker: str, path: str, document: Any) -> httpx.Response:
        return self.client.post(self.simulator.urls[bookmaker] + path, json=document, headers=_HEADERS[bookmaker])

    def betpawa_page(self, *, skip: int = 0, take: int = 100, view: Any = None, **query: Any) -> list[dict[str, Any]]:
        document = {
            "query": {"eventType": "UPCOMING", "categories": ["2"], "zones": {}, "hasOdds": True} | query,
            "view": view or {},
            "skip": skip,
            "take": take,
        }
        answer = self.get("betpawa", f"{V4}/events/lists/by-queries", q=json.dumps({"queries": [document]}))
        return answer.json()["responses"][0]["responses"]

    def discovery(self, bookmaker: str) -> httpx.Response:
        """The first request of a discovery."""
        if bookmaker == "betpawa":
            query = {"query": {"eventType": "UPCOMING", "categories": ["2"], "zones": {}}, "skip": 0, "take": 100}
            return self.get("betpawa", f"{V4}/events/lists/by-queries", q=json.dumps({"queries": [query]}))
        if bookmaker == "sportybet":
            return self.get("sportybet", f"{SPORTYBET}/pcUpcomingEvents", sportId="sr:sport:1", marketId="1")
        return self.get("bet9ja", f"{BET9JA}/GetSports", DISP=0)

    def event(self, bookmaker: str, event_id: str) -> httpx.Response:
        if bookmaker == "betpawa":
            return self.get("betpawa", f"{V4}/events/{event_id}")
        if bookmaker == "sportybet":
            return self.get("sportybet", f"{SPORTYBET}/event", eventId=event_id, productId=3)
        return self.get("bet9ja", f"{BET9JA}/GetEvent", EVENTID=event_id)

    def event_ids(self, bookmaker: str) -> list[str]:
        """Every event that the bookmaker's lists hold."""
        if bookmaker == "betpawa":
            found: list[str] = []
            while len(page := self.betpawa_page(skip=len(found))) == 100:
                found += [event["id"] for event in page]
            return list(dict.fromkeys(found + [event["id"] for event in page]))
        if bookmaker == "sportybet":
            return [event["eventId"] for event in self.sportybet_events()]
        return [str(event["ID"]) for event in self.bet9ja_events()]

    def sportybet_events(self, market_ids: str = "1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            data = self.get(
                "sportybet",
                f"{SPORTYBET}/pcUpcomingEvents",
                sportId="sr:sport:1",
                marketId=market_ids,
                pageSize=100,
                pageNum=page,
            ).json()["data"]
            found += [event for tournament in data["tournaments"] for event in tournament["events"]]
            if page * 100 >= data["totalNum"]:
                return found
            page += 1

    def bet9ja_groups(self) -> list[str]:
        countries = self.get("bet9ja", f"{BET9JA}/GetSports", DISP=0).json()["D"]["PAL"]["1"]["SG"].values()
        return [group for country in countries for group in country["G"]]

    def bet9ja_events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for group in self.bet9ja_groups():
            events = self.get("bet9ja", f"{BET9JA}/GetEventsInGroupV2", GROUPID=group).json()["D"]["E"]
            found += events if isinstance(events, list) else events.values()
        return found
