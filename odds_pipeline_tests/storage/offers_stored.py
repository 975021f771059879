"""What an earlier system stored of a few events from step to step: the raw answer, and a row of each market in it.

The answers are the simulator's, read by the live parsers, so raw answers and rows agree and compress as real ones do.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

import psycopg

from odds_pipeline.bookmakers.registry import bookmaker
from odds_pipeline.clock import ManualClock
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import Observation
from odds_pipeline.settings import Settings
from odds_pipeline.simulator.schedule import Listed
from odds_pipeline.simulator.world import Sizes, World

_PERIOD = timedelta(minutes=10)
_SINCE = datetime(2026, 2, 1, 12, tzinfo=UTC)
_LISTED = 300


@dataclass(frozen=True)
class _Kind:
    """Whose events to take: of the simulated ones those with about so many markets as the bookmaker gives them."""

    slug: str
    sizes: Sizes
    markets: int
    known_tenths: int
    """Of the markets that have a betPawa id, how many tenths the earlier system knew."""


#: So that a raw answer takes about 46 kB (betPawa) and 40 kB (the others) of disk, with 170 and 72 rows of markets.
_BETPAWA = _Kind("betpawa", "full", 178, 10)
_COMPETITORS = (_Kind("sportybet", "audit", 260, 7), _Kind("bet9ja", "full", 230, 7))

_TABLES = """
CREATE TEMP TABLE answers (
    slug text, life int, step int, raw_response jsonb, PRIMARY KEY (slug, life, step)) ON COMMIT PRESERVE ROWS;
CREATE TEMP TABLE offered (
    slug text, life int, step int, position int, betpawa_market_id varchar(50), betpawa_market_name varchar(255),
    line float, handicap_type varchar(50), handicap_home float, handicap_away float, outcomes json, market_groups json,
    PRIMARY KEY (slug, life, step, position)) ON COMMIT PRESERVE ROWS;
"""


def store_offers(connection: psycopg.Connection, *, lives: int, steps: int) -> None:
    """Fill the temporary tables ``answers`` and ``offered`` with ``lives`` events of betPawa and as many of the others.

    betPawa's have ``steps`` steps from 0 on, the others' half as many; 5 % of the markets move from one to the next.
    ``slug`` is ``betpawa`` or ``competitor``: SportyBet's lives and Bet9ja's by turns.
    """
    connection.execute(_TABLES)
    turns = [(_COMPETITORS[life % 2], life // 2) for life in range(lives)]
    _store(connection, "betpawa", [(_BETPAWA, life) for life in range(lives)], steps)
    _store(connection, "competitor", turns, max(steps // 2, 1))
    connection.execute("ANALYZE answers; ANALYZE offered")


def _store(connection: psycopg.Connection, stored_as: str, lives: list[tuple[_Kind, int]], steps: int) -> None:
    mapper, clock = Mapper.load(), ManualClock(_SINCE)
    worlds = {
        kind: World(seed=3, events=_LISTED, clock=clock, period=_PERIOD, sizes=kind.sizes)
        for kind in dict.fromkeys(kind for kind, _ in lives)
    }
    listed = {kind: _of_the_size(world, kind, until=_SINCE + steps * _PERIOD) for kind, world in worlds.items()}
    answers: list[tuple[object, ...]] = []
    offered: list[tuple[object, ...]] = []
    for step in range(steps):
        for life, (kind, place) in enumerate(lives):
            body = gzip.decompress(worlds[kind].body(listed[kind][place]))
            parsed = bookmaker(kind.slug, Settings()).parse_event(body, mapper)
            answers.append((stored_as, life, step, body.decode()))
            offered += [
                (stored_as, life, step, position, *_row(kind, each))
                for position, each in enumerate(_known(kind, parsed.observations))
            ]
        clock.advance(_PERIOD)
    with connection.cursor() as cursor:
        for table, rows in (("answers", answers), ("offered", offered)):
            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)


def _of_the_size(world: World, kind: _Kind, *, until: datetime) -> list[Listed]:
    """The listings that have not kicked off by then, nearest to the wanted size first."""
    open_ones = [each for each in world.listed(kind.slug) if each.kickoff > until]
    return sorted(open_ones, key=lambda each: abs(world.market_count(each) - kind.markets))


def _known(kind: _Kind, observations: list[Observation]) -> Iterator[Observation]:
    for each in observations:
        is_mapped = ":" not in each.betpawa_market_id
        if is_mapped and crc32(each.betpawa_market_id.encode()) % 10 < kind.known_tenths:
            yield each


def _row(kind: _Kind, market: Observation) -> tuple[object, ...]:
    """From the market's id to its groups, with two faults that made rows smaller than they should have been.

    Of betPawa's markets that are laid out in several rows the last was kept; the line of a competitor's handicap stood
    beside it only.
    """
    has_line = market.line is not None and (kind is _BETPAWA or market.handicap_home is None)
    kept = market.outcomes[-3:] if kind is _BETPAWA else market.outcomes
    outcomes = [
        {"name": each.name, "odds": None if each.odds is None else float(each.odds), "is_active": each.is_active}
        for each in kept
    ]
    return (
        market.betpawa_market_id,
        market.betpawa_market_name,
        market.line if has_line else None,
        market.handicap_type if market.handicap_type in ("asian", "european") else None,
        market.handicap_home,
        market.handicap_away,
        json.dumps(outcomes),
        json.dumps(market.market_groups),
    )
