"""Answers to be spoilt: those of the simulator, or real ones that lie beside the project, cut to few markets."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from odds_pipeline.clock import ManualClock
from odds_pipeline.odds.observation import Listing
from odds_pipeline.simulator.world import World
from odds_pipeline_tests.captures import EVENT_CAPTURES, capture

SLUGS: tuple[str, ...] = ("betpawa", "sportybet", "bet9ja")
MARKETS = 4
"""Markets left in each answer; at Bet9ja, prices."""

Pool = dict[str, list[Any]]
"""Trimmed answers (JSON documents), by bookmaker."""
Source = Literal["simulator", "captures"]


def listing(slug: str, number: int, kickoff: datetime) -> Listing:
    """What discovery said of event ``number``, the same match at every bookmaker."""
    return Listing(
        bookmaker=slug,
        external_event_id={"sportybet": f"sr:match:{number}"}.get(slug, str(number)),
        sportradar_id=str(number),
        sport="football",
        country="Nigeria",
        tournament="Premier Division",
        home_team=f"Rovers {number}",
        away_team=f"City {number}",
        kickoff=kickoff,
    )


def pool(seed: int, source: Source, size: int) -> Pool:
    """At least ``size`` cuts of whole answers for each bookmaker: different markets each time."""
    chance = Random(seed)
    cuts: Pool = {}
    for slug in SLUGS:
        whole = list(_simulated(slug, seed) if source == "simulator" else _captured(slug))
        cuts[slug] = [_cut(slug, document, chance) for document in whole for _ in range(-(-size // len(whole)))]
    return cuts


def about(known: Listing, document: Any) -> Any:
    """A copy of an answer that is about ``known``."""
    answer = copy.deepcopy(document)
    kickoff = known.kickoff
    assert kickoff is not None
    if known.bookmaker == "betpawa":
        answer["id"] = known.external_event_id
        answer["startTime"] = kickoff.strftime("%Y-%m-%dT%H:%M:%SZ")
        answer["widgets"] = [{"id": known.sportradar_id, "type": "SPORTRADAR"}]
    elif known.bookmaker == "sportybet":
        answer["data"]["eventId"] = known.external_event_id
        answer["data"]["estimateStartTime"] = int(kickoff.timestamp() * 1000)
    else:
        answer["D"]["ID"] = int(known.external_event_id)
        answer["D"]["EXTID"] = known.sportradar_id
        answer["D"]["STARTDATE"] = kickoff.strftime("%Y-%m-%d %H:%M:%S")
    return answer


def _simulated(slug: str, seed: int) -> Iterator[Any]:
    clock = ManualClock(datetime(2030, 3, 2, 12, tzinfo=UTC))
    world = World(seed=seed, events=12, clock=clock, period=timedelta(minutes=5))
    for listed in world.listed(slug):
        if listed.match is not None and listed.match.kickoff > clock.moment:
            yield json.loads(gzip.decompress(world.body(listed)))


def _captured(slug: str) -> Iterator[Any]:
    for bookmaker, name in EVENT_CAPTURES:
        if bookmaker == slug:
            yield json.loads(capture(bookmaker, name).read_bytes())


def _cut(slug: str, document: Any, chance: Random) -> Any:
    if slug == "betpawa":
        return document | {"markets": _some(document["markets"], chance)}
    if slug == "sportybet":
        return document | {"data": document["data"] | {"markets": _some(document["data"]["markets"], chance)}}
    # Neighbours, so that outcomes of one market stay together.
    event = document["D"]
    start = chance.randrange(len(event["O"]))
    odds = dict(list(event["O"].items())[start : start + 3 * MARKETS])
    markets = {"_".join(key.split("_")[:2]).partition("@")[0] for key in odds}
    described = [each for each in _values(event.get("MK")) if str(each.get("ID")) in markets]
    return document | {"D": event | {"O": odds, "MK": described, "CATMARKET": [], "TRANS": {}}}


def _some(markets: list[Any], chance: Random) -> list[Any]:
    return chance.sample(markets, min(MARKETS, len(markets)))


def _values(collection: Any) -> list[Any]:
    return list(collection.values()) if isinstance(collection, dict) else list(collection or ())
