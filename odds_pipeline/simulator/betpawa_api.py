"""betPawa's endpoints (reference: betPawa, headers and endpoints).

Every path needs the brand header. Without ``accept: application/json`` the answer is protobuf. v3 paths are gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.requests import Request

from odds_pipeline.simulator.betpawa_answers import event_head
from odds_pipeline.simulator.replies import PROTOBUF, Endpoint, Reply, json_reply
from odds_pipeline.simulator.schedule import Listed
from odds_pipeline.simulator.world import Offer

_MOST_PER_PAGE = 100
_FOOTBALL = "2"
_V4 = "/api/sportsbook/v4"


class BetpawaApi:
    """The endpoints over an offer."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", f"{_V4}/categories/list/all", "discovery", _checked(self._sports)),
            Endpoint("GET", f"{_V4}/categories/list/{{category}}", "discovery", _checked(self._tree)),
            Endpoint("GET", f"{_V4}/events/lists/by-queries", "discovery", _checked(self._list)),
            Endpoint("GET", f"{_V4}/events/{{event}}", "event", _checked(self._event), "event"),
        ]

    def _sports(self, request: Request) -> Reply:
        upcoming, live = len(self._offer.listed("betpawa")), len(self._offer.listed("betpawa", in_play=True))
        # Numbers are 64-bit integers, and zero is omitted.
        counts = {name: str(n) for name, n in (("upcoming", upcoming), ("live", live)) if n}
        football = {"category": {"id": _FOOTBALL, "name": "Football"}, "eventCounts": counts}
        return json_reply({"onlyMeta": [football, {"category": {"id": "3", "name": "Basketball"}, "eventCounts": {}}]})

    def _tree(self, request: Request) -> Reply:
        if request.path_params["category"] != _FOOTBALL:
            return not_found()
        regions: dict[str, dict[str, Any]] = {}
        for listed in self._offer.listed("betpawa"):
            region = regions.setdefault(
                listed.country_id, {"region": {"id": listed.country_id, "name": listed.country}, "competitions": {}}
            )
            region["competitions"][listed.tournament_id] = listed.tournament
        if request.query_params.get("includeRegions") != "true":
            return json_reply({"withRegions": [{"category": {"id": _FOOTBALL, "name": "Football"}}]})
        tree = [
            region
            | {"competitions": [{"competition": {"id": i, "name": n}} for i, n in region["competitions"].items()]}
            for region in regions.values()
        ]
        return json_reply({"withRegions": [{"category": {"id": _FOOTBALL, "name": "Football"}, "regions": tree}]})

    def _list(self, request: Request) -> Reply:
        try:
            queries = [
                (
                    query["query"],
                    query.get("view") or {},
                    query.get("sort") or {},
                    int(query["skip"]),
                    int(query["take"]),
                )
                for query in json.loads(request.query_params["q"])["queries"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            return bad_request("q is not a query document")
        pages = b",".join(b'{"responses":[%s]}' % b",".join(self._page(*query)) for query in queries)
        return Reply(b'{"responses":[%s]}' % pages)

    def _page(
        self, query: Mapping[str, Any], view: Mapping[str, Any], sort: Mapping[str, str], skip: int, take: int
    ) -> Iterable[bytes]:
        if _FOOTBALL not in query.get("categories", [_FOOTBALL]):
            return []
        found = list(self._offer.listed("betpawa", in_play=query.get("eventType") == "LIVE"))
        competitions = (query.get("zones") or {}).get("competitions")
        if competitions:
            found = [listed for listed in found if listed.tournament_id in competitions]
        if "competitionPriority" in sort:
            found.sort(key=lambda listed: int(listed.tournament_id))
        if "DESC" in sort.values():
            found.reverse()
        # A page begins with the last event of the page before it: pages overlap.
        page = found[max(0, skip - 1) :][: min(take, _MOST_PER_PAGE)]
        wanted = frozenset(view.get("marketTypes") or ())
        return [self._in_list(listed, wanted) for listed in page]

    def _in_list(self, listed: Listed, wanted: frozenset[str]) -> bytes:
        head = event_head(listed, in_list=True)
        if not wanted:
            return head + b"}"
        return b'%s,"markets":[%s]}' % (head, b",".join(self._offer.markets(listed, wanted)))

    def _event(self, request: Request) -> Reply:
        listed = self._offer.find("betpawa", request.path_params["event"])
        return not_found() if listed is None else Reply(self._offer.body(listed), gzipped=True)


def not_found() -> Reply:
    """404: an unknown event, or any path of another API version."""
    return json_reply({"code": "NOT_FOUND", "message": "Not Found"}, 404)


def bad_request(message: str) -> Reply:
    """400: the request lacks something."""
    return json_reply({"code": "BAD_REQUEST", "message": message}, 400)


def protobuf(content: bytes) -> Reply:
    """A reply in the binary encoding of protobuf: one length-delimited field."""
    size, length = len(content), bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        length.append(low | (0x80 if size else 0))
        if not size:
            break
    return Reply(b"\x0a" + bytes(length) + content, content_type=PROTOBUF)


def _checked(answer: Callable[[Request], Reply]) -> Callable[[Request, bytes], Reply]:
    def handle(request: Request, body: bytes) -> Reply:
        if "x-pawa-brand" not in request.headers:
            return bad_request("Missing header x-pawa-brand")
        reply = answer(request)
        if reply.status == 200 and "application/json" not in request.headers.get("accept", ""):
            return protobuf(reply.content())
        return reply

    return handle
