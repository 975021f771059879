"""SportyBet's endpoints (reference: SportyBet, endpoints and envelope). Errors come with HTTP 200 and a ``bizCode``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request

from odds_pipeline.simulator.answers import to_json
from odds_pipeline.simulator.replies import Endpoint, Reply, json_reply
from odds_pipeline.simulator.schedule import Listed
from odds_pipeline.simulator.sportybet_answers import event_head
from odds_pipeline.simulator.world import Offer

_BASE = "/api/ng/factsCenter"
_FOOTBALL = "sr:sport:1"
_VIRTUAL = "sr:sport:202120001"
_MOST_PER_PAGE = 100
SUCCESS, INVALID, UNKNOWN_EVENT = 10000, 19000, 19404


class SportybetApi:
    """The endpoints over an offer."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", f"{_BASE}/popularAndSportList", "discovery", self._tree),
            Endpoint("POST", f"{_BASE}/pcEvents", "discovery", self._of_tournaments),
            Endpoint("GET", f"{_BASE}/pcUpcomingEvents", "discovery", self._upcoming),
            Endpoint("GET", f"{_BASE}/liveOrPrematchEvents", "discovery", self._live),
            Endpoint("GET", f"{_BASE}/event", "event", self._event, "eventId"),
        ]

    def _tree(self, request: Request, body: bytes) -> Reply:
        listed = self._offer.listed("sportybet")
        categories: dict[str, dict[str, Any]] = {}
        for event in listed:
            category = categories.setdefault(
                event.country_id,
                {"id": f"sr:category:{event.country_id}", "name": event.country, "eventSize": 0, "tournaments": {}},
            )
            tournament = category["tournaments"].setdefault(
                event.tournament_id,
                {"id": f"sr:tournament:{event.tournament_id}", "name": event.tournament, "eventSize": 0},
            )
            category["eventSize"] += 1
            tournament["eventSize"] += 1
        football = {
            "id": _FOOTBALL,
            "name": "Football",
            "eventSize": len(listed),
            "categories": [c | {"tournaments": list(c["tournaments"].values())} for c in categories.values()],
        }
        # Virtual matches are another sport, with ids of another kind.
        virtual_tournament = {"id": "vf:tournament:1", "name": "vFootball League", "eventSize": 10}
        virtual = {
            "id": _VIRTUAL,
            "name": "vFootball",
            "eventSize": 10,
            "categories": [
                {"id": "sv:category:1", "name": "Virtual", "eventSize": 10, "tournaments": [virtual_tournament]}
            ],
        }
        return _success(to_json({"sportList": [football, virtual], "popularEvents": []}).encode())

    def _upcoming(self, request: Request, body: bytes) -> Reply:
        parameters = request.query_params
        try:
            page, size = int(parameters.get("pageNum", 1)), int(parameters.get("pageSize", _MOST_PER_PAGE))
        except ValueError:
            return _invalid()
        if page < 1 or size < 1 or not parameters.get("marketId"):
            return _invalid()
        size = min(size, _MOST_PER_PAGE)
        listed = self._offer.listed("sportybet") if parameters.get("sportId") == _FOOTBALL else ()
        tournaments = self._tournaments(listed[(page - 1) * size : page * size], _wanted(parameters["marketId"]))
        return _success(b'{"totalNum":%d,"tournaments":[%s]}' % (len(listed), b",".join(tournaments)))

    def _of_tournaments(self, request: Request, body: bytes) -> Reply:
        try:
            (query,) = json.loads(body)
            ids = {tournament for group in query["tournamentId"] for tournament in group}
            wanted = _wanted(query["marketId"])
        except (KeyError, TypeError, ValueError):
            return _invalid()
        listed = [x for x in self._offer.listed("sportybet") if f"sr:tournament:{x.tournament_id}" in ids]
        return _success(b"[%s]" % b",".join(self._tournaments(listed, wanted)))

    def _live(self, request: Request, body: bytes) -> Reply:
        listed = self._offer.listed("sportybet", in_play=True)
        return _success(b"[%s]" % b",".join(self._tournaments(listed, frozenset())))

    def _event(self, request: Request, body: bytes) -> Reply:
        event_id = request.query_params.get("eventId")
        if not event_id:
            return _invalid()
        listed = self._offer.find("sportybet", event_id)
        if listed is None:
            return json_reply({"bizCode": UNKNOWN_EVENT, "message": "Event not found", "data": None})
        return Reply(self._offer.body(listed), gzipped=True)

    def _tournaments(self, events: Iterable[Listed], wanted: frozenset[str]) -> list[bytes]:
        grouped: dict[str, list[Listed]] = {}
        for event in events:
            grouped.setdefault(event.tournament_id, []).append(event)
        return [
            b'{"id":"sr:tournament:%s","name":%s,"events":[%s]}'
            % (
                tournament_id.encode(),
                to_json(group[0].tournament).encode(),
                b",".join(self._in_list(event, wanted) for event in group),
            )
            for tournament_id, group in grouped.items()
        ]

    def _in_list(self, event: Listed, wanted: frozenset[str]) -> bytes:
        markets = b",".join(self._offer.markets(event, wanted)) if wanted else b""
        return b'%s,"totalMarketSize":%d,"markets":[%s]}' % (
            event_head(event),
            self._offer.market_count(event),
            markets,
        )


def _wanted(market_ids: str) -> frozenset[str]:
    return frozenset(market_ids.split(","))


def _success(data: bytes) -> Reply:
    return Reply(b'{"bizCode":%d,"message":"0#0","data":%s}' % (SUCCESS, data))


def _invalid() -> Reply:
    return json_reply({"bizCode": INVALID, "message": "Invalid", "innerMsg": "Invalid", "data": None})
