"""A folder of real answers served as an offer: ``<folder>/<bookmaker>/*.json``, each the answer about one event.

Lists are derived from the answers, which are served as they were captured. Kick-offs in the past do not make an event
count as started: what an answer says about that is the answer's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odds_pipeline.clock import Clock
from odds_pipeline.simulator.answers import to_json
from odds_pipeline.simulator.compression import gzip_body
from odds_pipeline.simulator.schedule import BOOKMAKERS, Listed


class CapturesError(ValueError):
    """The folder holds no answer that could be served."""


@dataclass(frozen=True, slots=True)
class _Capture:
    listed: Listed
    content: bytes
    answer: Any


class CapturedOffer:
    """The answers of ``folder``. Files that are no answer about an event are left out. Raises ``CapturesError``."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._clock = clock
        self._captures: dict[str, dict[str, _Capture]] = {slug: {} for slug in BOOKMAKERS}
        for slug in BOOKMAKERS:
            for path in sorted((folder / slug).glob("*.json")):
                capture = _read(slug, path)
                if capture is not None:
                    self._captures[slug].setdefault(capture.listed.event_id, capture)
        if not any(self._captures.values()):
            raise CapturesError(
                f"{folder} holds no captured answers; put them into {folder}/betpawa, /sportybet and /bet9ja as *.json"
            )

    def now(self) -> datetime:
        return self._clock.now()

    def advance(self, periods: int) -> datetime:
        """Captured answers do not change with time."""
        return self.now()

    def listed(self, bookmaker: str, *, in_play: bool = False) -> Sequence[Listed]:
        return [] if in_play else [capture.listed for capture in self._captures[bookmaker].values()]

    def find(self, bookmaker: str, event_id: str) -> Listed | None:
        capture = self._captures[bookmaker].get(event_id)
        return None if capture is None else capture.listed

    def body(self, listed: Listed) -> bytes:
        return gzip_body(self._captures[listed.bookmaker][listed.event_id].content)

    def market_count(self, listed: Listed) -> int:
        answer = self._captures[listed.bookmaker][listed.event_id].answer
        match listed.bookmaker:
            case "betpawa":
                return len(answer["markets"])
            case "sportybet":
                return len(answer["data"]["markets"])
            case _:
                return len({key.rpartition("_")[0] for key in answer["D"]["O"]})

    def markets(self, listed: Listed, wanted: frozenset[str]) -> list[bytes]:
        answer = self._captures[listed.bookmaker][listed.event_id].answer
        match listed.bookmaker:
            case "betpawa":
                found = [to_json(m) for m in answer["markets"] if m["marketType"]["id"] in wanted]
            case "sportybet":
                found = [to_json(m) for m in answer["data"]["markets"] if m["id"] in wanted]
            case _:
                found = [
                    to_json({key: value})[1:-1] for key, value in answer["D"]["O"].items() if _market_of(key) in wanted
                ]
        return [text.encode() for text in found]


def _market_of(key: str) -> str:
    """``S_OU`` of ``S_OU@2.5_O``."""
    prefix, market = key.split("_", 2)[:2]
    return f"{prefix}_{market.partition('@')[0]}"


def _read(slug: str, path: Path) -> _Capture | None:
    content = path.read_bytes()
    try:
        answer = json.loads(content)
        return _Capture(_READERS[slug](answer), content, answer)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        # Other things lie beside the answers, such as lists of market names.
        return None


def _betpawa(answer: Any) -> Listed:
    home, away = sorted(answer["participants"], key=lambda participant: participant["position"])
    radar = [w["id"] for w in answer.get("widgets", ()) if w["type"] == "SPORTRADAR"]
    if not isinstance(answer["markets"], list):
        raise TypeError("markets is no list")
    return Listed(
        bookmaker="betpawa",
        event_id=answer["id"],
        sportradar_id=radar[0] if radar else None,
        kickoff=datetime.fromisoformat(answer["startTime"]),
        home=home["name"],
        away=away["name"],
        home_id=int(home["id"]),
        away_id=int(away["id"]),
        country=answer["region"]["name"],
        country_id=answer["region"]["id"],
        tournament=answer["competition"]["name"],
        tournament_id=answer["competition"]["id"],
    )


def _sportybet(answer: Any) -> Listed:
    data = answer["data"]
    category = data["sport"]["category"]
    if not isinstance(data["markets"], list):
        raise TypeError("markets is no list")
    return Listed(
        bookmaker="sportybet",
        event_id=data["eventId"],
        sportradar_id=data["eventId"].removeprefix("sr:match:"),
        kickoff=datetime.fromtimestamp(data["estimateStartTime"] / 1000, UTC),
        home=data["homeTeamName"],
        away=data["awayTeamName"],
        home_id=int(data["homeTeamId"].rpartition(":")[2]),
        away_id=int(data["awayTeamId"].rpartition(":")[2]),
        country=category["name"],
        country_id=category["id"].removeprefix("sr:category:"),
        tournament=category["tournament"]["name"],
        tournament_id=category["tournament"]["id"].removeprefix("sr:tournament:"),
    )


def _bet9ja(answer: Any) -> Listed:
    event = answer["D"]
    home, away = event["DS"].split(" - ", 1)
    if not isinstance(event["O"], dict):
        raise TypeError("O is no object")
    return Listed(
        bookmaker="bet9ja",
        event_id=str(event["ID"]),
        sportradar_id=event.get("EXTID") or None,
        kickoff=datetime.strptime(event["STARTDATE"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC),
        home=home,
        away=away,
        home_id=0,
        away_id=0,
        country=event["SG"],
        country_id=str(event["SGID"]),
        tournament=event["GN"],
        tournament_id=str(event["GID"]),
    )


_READERS: dict[str, Callable[[Any], Listed]] = {"betpawa": _betpawa, "sportybet": _sportybet, "bet9ja": _bet9ja}
