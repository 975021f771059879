"""Which bookmakers there are, and that a fourth is one module and one registration, as docs/bookmakers.md shows it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from odds_pipeline.bookmakers.registry import REGISTRY, UnknownBookmaker, bookmaker, enabled
from odds_pipeline.clock import SystemClock
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.scrape.collect import collect
from odds_pipeline.scrape.staging import Staging
from odds_pipeline.settings import Settings
from odds_pipeline_tests.bookmakers.loopback import Loopback, Reply, Request, json_reply

PAGE = Path(__file__).parents[2] / "docs" / "bookmakers.md"


def test_the_three_bookmakers_are_registered_under_their_own_slugs() -> None:
    assert list(REGISTRY) == ["betpawa", "sportybet", "bet9ja"]
    assert [source.slug for source in enabled(Settings())] == list(REGISTRY)
    assert [source.slug for source in enabled(Settings(bookmakers=("bet9ja",)))] == ["bet9ja"]


def test_an_unknown_bookmaker_is_refused_and_the_known_ones_named() -> None:
    """B-33: a missing bookmaker is a loud failure."""
    with pytest.raises(UnknownBookmaker, match="no bookmaker 'kickbet'; known are betpawa, sportybet, bet9ja"):
        bookmaker("kickbet", Settings())


def test_the_brand_and_the_cache_version_are_settings() -> None:
    settings = Settings(betpawa_brand="betpawa-ghana")
    assert bookmaker("betpawa", settings).headers["x-pawa-brand"] == "betpawa-ghana"


def kickbet_site(request: Request) -> Reply:
    matches = [
        {
            "id": str(number),
            "sportradar": str(90_000_000 + number),
            "country": "Nigeria",
            "league": "Premier Division",
            "home": f"Rovers {number}",
            "away": f"City {number}",
            "start": "2030-03-02T15:00:00Z",
        }
        for number in range(30)
    ]
    if "page" in request.params:
        page = int(request.params["page"])
        return json_reply({"pages": 3, "matches": matches[(page - 1) * 10 : page * 10]})
    prices = [{"id": "h", "name": "Home", "price": "2.30"}, {"id": "a", "price": "1", "name": "Away"}]
    markets = [
        {"id": "winner", "name": "Winner", "prices": prices[:1]},
        {"id": "late", "name": "Late goal", "prices": prices},
    ]
    return json_reply(matches[int(request.path.rsplit("/", 1)[1])] | {"markets": markets})


def test_the_fourth_bookmaker_of_the_page_works_as_it_stands_there(tmp_path: Path) -> None:
    """B-19: its markets are stored under its own ids from the first cycle on, before anything is mapped."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), module)

    async def run() -> None:
        async with Loopback(kickbet_site) as server:
            kickbet = module["Kickbet"]()
            kickbet.base_url = server.url
            staging = Staging(tmp_path, 1)
            collected = await collect(
                [kickbet],
                run_id=1,
                cycle_at=datetime(2030, 3, 2, 12, tzinfo=UTC),
                settings=Settings(source="live"),
                mapper=Mapper.load(),
                clock=SystemClock(),
                staging=staging,
            )
            assert collected["kickbet"].is_complete
            assert collected["kickbet"].found == 30
            assert collected["kickbet"].outcomes_refused == 60
            observations = staging.scan_observations("kickbet").collect()
            assert set(observations["betpawa_market_id"]) == {"kickbet:winner"}
            assert set(observations["sportradar_id"]) == {str(90_000_000 + number) for number in range(30)}

    asyncio.run(run())
