"""Bet9ja's endpoints (reference: Bet9ja, endpoints and envelope). Without a Referer they answer 403."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from odds_pipeline.simulator.bet9ja_answers import event_head
from odds_pipeline.simulator.replies import HTML, Endpoint, Reply, json_reply
from odds_pipeline.simulator.schedule import Listed
from odds_pipeline.simulator.world import Offer

_BASE = "/desktop/feapi/PalimpsestAjax"
_POPULAR = frozenset({"S_1X2", "S_DC", "S_OU", "S_GGNG"})
"""What the list shows of each event (``GROUPMARKETID=1``)."""

_ENVELOPE = len(b'{"R":"OK","D":')


class Bet9jaApi:
    """The endpoints over an offer."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", f"{_BASE}/GetSports", "discovery", _checked(self._sports)),
            Endpoint("GET", f"{_BASE}/GetEventsInGroupV2", "discovery", _checked(self._group)),
            Endpoint("GET", f"{_BASE}/GetEventsInGroup", "discovery", _checked(self._group)),
            Endpoint("GET", f"{_BASE}/GetEvent", "event", _checked(self._event), "EVENTID"),
        ]

    def _sports(self, request: Request) -> Reply:
        countries: dict[str, dict[str, Any]] = {}
        listed = self._offer.listed("bet9ja")
        for event in listed:
            country = countries.setdefault(event.country_id, {"SG_DESC": event.country, "NUM": 0, "G": {}})
            group = country["G"].setdefault(event.tournament_id, {"G_DESC": event.tournament, "NUM": 0})
            country["NUM"] += 1
            group["NUM"] += 1
        basketball = {"S_DESC": "Basketball", "NUM": 1, "SG": {"9": {"SG_DESC": "USA", "NUM": 1, "G": {}}}}
        # A collection without members comes as a list.
        football = {"S_DESC": "Soccer", "NUM": len(listed), "SG": countries or []}
        return json_reply({"R": "OK", "D": {"PAL": {"1": football, "2": basketball}}})

    def _group(self, request: Request) -> Reply:
        group = request.query_params.get("GROUPID", "")
        events = [event for event in self._offer.listed("bet9ja") if event.tournament_id == group]
        if not group.isdecimal():
            return _error()
        # The same collection is an object keyed by id for some groups and a list for others.
        if int(group) % 3 == 0:
            keyed = b",".join(b'"%s":%s' % (e.event_id.encode(), self._in_list(e)) for e in events)
            return Reply(b'{"R":"OK","D":{"E":{%s}}}' % keyed)
        return Reply(b'{"R":"OK","D":{"E":[%s]}}' % b",".join(map(self._in_list, events)))

    def _in_list(self, event: Listed) -> bytes:
        odds = b",".join(self._offer.markets(event, _POPULAR))
        return b'%s,"O":{%s}}' % (event_head(event)[_ENVELOPE:], odds)

    def _event(self, request: Request) -> Reply:
        listed = self._offer.find("bet9ja", request.query_params.get("EVENTID", ""))
        return _error() if listed is None else Reply(self._offer.body(listed), gzipped=True)


def _error() -> Reply:
    return json_reply({"R": "E", "D": None})


def _checked(answer: Callable[[Request], Reply]) -> Callable[[Request, bytes], Reply]:
    def handle(request: Request, body: bytes) -> Reply:
        if "referer" not in request.headers:
            return Reply(b"<html><body>403 Forbidden</body></html>", 403, HTML)
        return answer(request)

    return handle
