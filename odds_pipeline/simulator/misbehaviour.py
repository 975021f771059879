"""What a fault does to an answer that would have been right: bytes in, bytes out."""

from __future__ import annotations

import json
import re
from typing import Any

from odds_pipeline.simulator.answers import to_json
from odds_pipeline.simulator.betpawa_api import protobuf
from odds_pipeline.simulator.faults import Fault, FaultKind
from odds_pipeline.simulator.replies import HTML, Reply, Target, json_reply

_PAGE = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
_LIST_FIELDS = ("responses", "regions", "onlyMeta", "tournaments", "sportList", "categories", "E", "PAL")
"""The fields that hold what a discovery is after."""

_PRICE_FIELDS = {"betpawa": "odds", "sportybet": "odds"}


def spoil(fault: Fault, bookmaker: str, target: Target, reply: Reply) -> Reply:
    """The reply that a client gets instead of ``reply``; for kinds that still are an HTTP 200 with a body."""
    content = reply.content()
    match fault.kind:
        case FaultKind.TRUNCATED:
            return Reply(content[: len(content) // 2])
        case FaultKind.HTML:
            return Reply(_PAGE, content_type=HTML)
        case FaultKind.PROTOBUF:
            return protobuf(content)
        case FaultKind.WRONG_CODE:
            return _wrong_code(bookmaker)
        case FaultKind.PRICE:
            return Reply(_with_price(bookmaker, content.decode(), fault.price).encode())
        case FaultKind.MARKET_TWICE | FaultKind.MARKET_CONFLICT:
            return Reply(_twice(bookmaker, content.decode(), other=fault.kind is FaultKind.MARKET_CONFLICT).encode())
        case FaultKind.RENAMED_FIELD:
            return Reply(_renamed(bookmaker, target, content.decode()).encode())
        case FaultKind.EMPTY:
            return json_reply(_emptied(bookmaker, target, json.loads(content)))
        case _:
            raise ValueError(f"{fault.kind} does not answer with a body")


def _wrong_code(bookmaker: str) -> Reply:
    if bookmaker == "sportybet":
        return json_reply({"bizCode": 19000, "message": "Invalid", "innerMsg": "Invalid", "data": None})
    if bookmaker == "bet9ja":
        return json_reply({"R": "X", "D": None})
    return json_reply({"code": "INTERNAL_ERROR", "message": "Something went wrong"})


def _emptied(bookmaker: str, target: Target, answer: Any) -> Any:
    if target == "event":
        if bookmaker == "bet9ja":
            # An object without members comes as a list.
            answer["D"]["O"] = []
        else:
            (answer if bookmaker == "betpawa" else answer["data"])["markets"] = []
        return answer
    if bookmaker == "sportybet":
        data = answer["data"]
        answer["data"] = [] if isinstance(data, list) else {k: 0 if k == "totalNum" else [] for k in data}
        return answer
    if bookmaker == "bet9ja":
        answer["D"] = {field: [] for field in answer["D"]}
        return answer
    if "responses" in answer:
        return {"responses": [{"responses": []} for _ in answer["responses"]]}
    return {field: [] for field in answer}


def _renamed(bookmaker: str, target: Target, text: str) -> str:
    if target == "discovery":
        pattern = "|".join(_LIST_FIELDS)
        return re.sub(rf'"({pattern})":', r'"\1V2":', text)
    if bookmaker == "bet9ja":
        return text.replace('"O":{', '"ODDS":{', 1)
    field = _PRICE_FIELDS[bookmaker]
    return text.replace(f'"{field}":', f'"{field}Value":')


def _with_price(bookmaker: str, text: str, price: str) -> str:
    """The first active outcome's price replaced. betPawa's are numbers, unless the text is none."""
    if bookmaker == "betpawa":
        written = price if re.fullmatch(r"-?\d+(\.\d+)?([eE]\d+)?", price) else to_json(price)
        return re.sub(r'"odds":[0-9.]+(?![0-9.]|,"suspended")', lambda _: f'"odds":{written}', text, count=1)
    if bookmaker == "sportybet":
        return re.sub(r'"odds":"[^"]*"', lambda _: f'"odds":{to_json(price)}', text, count=1)
    return re.sub(r'("S_[^"]*"):"[^"]*"', lambda m: f"{m[1]}:{to_json(price)}", text, count=1)


def _twice(bookmaker: str, text: str, *, other: bool) -> str:
    """The first market again at the end of the answer; at Bet9ja its keys stand twice in one object."""
    if bookmaker == "bet9ja":
        start = text.index('"O":{') + len('"O":{')
        first = re.match(r'"(S_[^"]*)_[^"_]*":"[^"]*"', text[start:])
        if first is None:
            return text
        again = re.sub(r':"[^"]*"', ':"7.77"', first[0]) if other else first[0]
        # The later of two equal keys counts for most readers.
        end = text.index("}", start)
        return f"{text[:end]},{again}{text[end:]}"
    answer = json.loads(text)
    markets = (answer if bookmaker == "betpawa" else answer["data"])["markets"]
    again = json.loads(to_json(markets[0]))
    if other:
        outcomes = again["row"][0]["prices"] if bookmaker == "betpawa" else again["outcomes"]
        outcomes[0]["odds"] = 7.77 if bookmaker == "betpawa" else "7.77"
    markets.append(again)
    return to_json(answer)
