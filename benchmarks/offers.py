"""Made-up offers at the design's scales, staged as files exactly as a scrape stages them.

Everything follows from the scale and the cycle's number, so two processes make the same offer. Each cycle moves the
prices of about ``CHANGED_SHARE`` of the markets; nothing else happens to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from odds_pipeline.odds.answers import Answers, prepare, with_comparison_columns
from odds_pipeline.odds.frames import coverage_frame, coverage_row, discovery_row
from odds_pipeline.odds.observation import LINE, OBSERVATION_SCHEMA, ODDS, AnswerStatus, Listing
from odds_pipeline.scrape.staging import Staging

CHANGED_SHARE = 0.05
CYCLES_A_DAY = 288

_START = datetime(2030, 3, 2, 6, 0, tzinfo=UTC)
_INTERVAL = timedelta(minutes=5)
_EVENTS_IN_BATCH = 40
_LINES = 5
"""Lines of a market type."""

#: Outcomes of a market, and how many markets in a thousand have so many: means of 3.6 and 6.9.
_FEW_OUTCOMES: Mapping[int, int] = {2: 450, 3: 300, 4: 60, 5: 50, 6: 60, 9: 50, 16: 30}
_ALL_OUTCOMES: Mapping[int, int] = {2: 440, 3: 190, 4: 60, 6: 80, 9: 60, 12: 50, 20: 50, 28: 40, 36: 20, 75: 10}

#: From so many outcomes on they are the match's players, so that no other match has the same outcomes and specifiers.
_PLAYERS_FROM = 36


@dataclass(frozen=True, slots=True)
class Scale:
    """An offer's size: ``markets`` by bookmaker are those of each event."""

    name: str
    events: int
    markets: Mapping[str, int]
    outcomes: Mapping[int, int]

    @property
    def total(self) -> int:
        """Markets of a cycle."""
        return self.events * sum(self.markets.values())

    def shrunk(self, by: int) -> Scale:
        """The same with a fraction of the events."""
        return Scale(f"{self.name}/{by}", self.events // by, self.markets, self.outcomes)

    def resized(self, markets: int) -> Scale:
        """The same with as many events as make so many markets."""
        return Scale(f"{markets:,}", markets // sum(self.markets.values()), self.markets, self.outcomes)


SCALES = {
    scale.name: scale
    for scale in (
        Scale("S", 500, {"betpawa": 20, "sportybet": 20, "bet9ja": 10}, _FEW_OUTCOMES),
        Scale("M", 500, {"betpawa": 50, "sportybet": 50, "bet9ja": 50}, _FEW_OUTCOMES),
        Scale("L", 1300, {"betpawa": 111, "sportybet": 62, "bet9ja": 50}, _FEW_OUTCOMES),
        Scale("XL", 1300, {"betpawa": 130, "sportybet": 225, "bet9ja": 168}, _ALL_OUTCOMES),
        Scale("1M", 2000, {"betpawa": 120, "sportybet": 220, "bet9ja": 160}, _ALL_OUTCOMES),
    )
}


def cycle_at(number: int) -> datetime:
    """When a cycle begins."""
    return _START + number * _INTERVAL


def stage(
    scale: Scale, root: Path, number: int, *, moved_until: int | None = None, changed_share: float = CHANGED_SHARE
) -> Staging:
    """Write the files of a cycle in a process of its own, whose memory is then nobody's; return where they are.

    ``moved_until``: the last cycle whose movements are in it; fewer than ``number`` makes an idle cycle.
    """
    moves = number if moved_until is None else moved_until
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(_stage, scale, root, number, moves, changed_share).result()
    return Staging(root, number)


def prepared(staging: Staging, number: int) -> Answers:
    """The staged cycle as the writer takes it, read as ``write_scraped`` reads it."""
    slugs = staging.bookmakers()
    return prepare(
        staging.scan_observations(*slugs),
        pl.concat([staging.read_coverage(slug) for slug in slugs]),
        cycle_at=cycle_at(number),
    )


def _stage(scale: Scale, root: Path, number: int, moves: int, changed_share: float) -> None:
    staging = Staging(root, number)
    for bookmaker in scale.markets:
        with staging.write(bookmaker) as staged:
            for frame in _observations(scale, bookmaker, number, moves, changed_share):
                staged.add_observations(with_comparison_columns(frame))
            staged.add_coverage(_coverage(scale, bookmaker, number))


def _observations(
    scale: Scale, bookmaker: str, number: int, moves: int, changed_share: float
) -> Iterator[pl.DataFrame]:
    templates = _templates(scale, bookmaker)
    for first in range(0, scale.events, _EVENTS_IN_BATCH):
        numbers = range(first, min(first + _EVENTS_IN_BATCH, scale.events))
        events = pl.DataFrame([_event(bookmaker, event, number) for event in numbers], schema_overrides=_EVENT_SCHEMA)
        markets = events.join(templates, how="cross").with_row_index("place")
        is_of_players = pl.col("size") >= _PLAYERS_FROM
        of_match = pl.format("variant={}|{}", "external_event_id", "source_specifier")
        markets = markets.with_columns(
            source_specifier=pl.when(is_of_players).then(of_match).otherwise("source_specifier")
        )
        moved = (_moves(first, cycle, changed_share) for cycle in range(1, moves + 1))
        markets = markets.with_columns(version=pl.sum_horizontal(pl.lit(0), *moved).cast(pl.Int64))
        yield markets.with_columns(outcomes=_outcomes(markets)).select(
            pl.col(name).cast(kind) for name, kind in OBSERVATION_SCHEMA.items()
        )


def _moves(first: int, cycle: int, changed_share: float) -> pl.Expr:
    """Whether a cycle moves the market: exactly the share of them, and others in each cycle."""
    return pl.int_range(pl.len()).shuffle(seed=100_000 * cycle + first) % round(1 / changed_share) == 0


def _outcomes(markets: pl.DataFrame) -> pl.Series:
    number = pl.col("number")
    seed = pl.col("template") * 7_919 + pl.col("event") * 104_729 + number * 31 + pl.col("version") * 53
    owner = pl.when(pl.col("size") >= _PLAYERS_FROM).then(pl.format("{}:", "external_event_id")).otherwise(pl.lit(""))
    flat = markets.select(
        "place", "template", "event", "size", "version", "external_event_id", number=pl.int_ranges("size")
    ).explode("number")
    outcome = pl.struct(
        key=pl.format("{}{}", owner, number + 1000),
        name=pl.format("{}Outcome {}", owner, number + 1),
        odds=((seed % 2_000 + 105).cast(pl.Decimal(14, 3)) * pl.lit(Decimal("0.01"))).cast(ODDS),
        is_active=(seed + pl.col("template")) % 97 != 0,
    )
    return flat.select("place", outcome=outcome).group_by("place", maintain_order=True).agg("outcome")["outcome"]


def _templates(scale: Scale, bookmaker: str) -> pl.DataFrame:
    """The markets that the bookmaker offers on every event, their sizes spread evenly over the types."""
    sizes = [size for size, share in scale.outcomes.items() for _ in range(share)]
    types = -(-scale.markets[bookmaker] // _LINES)
    rows: list[dict[str, Any]] = []
    for template in range(scale.markets[bookmaker]):
        market_type, line = divmod(template, _LINES)
        rows.append(
            {
                "template": template,
                "size": sizes[(2 * market_type + 1) * len(sizes) // (2 * types)],
                "betpawa_market_id": f"{3000 + market_type}",
                "betpawa_market_name": f"Market {market_type}",
                "source_market_id": f"{bookmaker}-{market_type}",
                "source_specifier": f"total={line}.5",
                "line": Decimal(f"{line}.5"),
                "handicap_home": None,
                "handicap_away": None,
                "handicap_type": "over_under",
                "market_groups": ["popular", "goals"],
            }
        )
    return pl.DataFrame(rows, schema_overrides={"line": LINE, "handicap_home": LINE, "handicap_away": LINE})


_EVENT_SCHEMA = {name: kind for name, kind in OBSERVATION_SCHEMA.items() if name in ("cycle_at", "captured_at")}


def _event(bookmaker: str, event: int, number: int) -> dict[str, Any]:
    listing = _listing(bookmaker, event)
    words = {name: getattr(listing, name) for name in Listing.__struct_fields__}
    return words | {"event": event, "cycle_at": cycle_at(number), "captured_at": _arrival(event, number)}


def _listing(bookmaker: str, event: int) -> Listing:
    return Listing(
        bookmaker=bookmaker,
        external_event_id=str(40_000_000 + event),
        sportradar_id=str(60_000_000 + event),
        sport="Football",
        country=f"Country {event % 90}",
        tournament=f"League {event % 300}",
        home_team=f"Home Town {event} FC",
        away_team=f"Away City {event} FC",
        kickoff=_START + timedelta(days=30, minutes=event),
    )


def _arrival(event: int, number: int) -> datetime:
    return cycle_at(number) + timedelta(seconds=20, milliseconds=50 * event)


def _coverage(scale: Scale, bookmaker: str, number: int) -> pl.DataFrame:
    complete: dict[str, Any] = {"cycle_at": cycle_at(number), "run_id": None, "status": AnswerStatus.COMPLETE}
    offer = discovery_row(bookmaker, captured_at=cycle_at(number) + timedelta(seconds=17), **complete)
    answers = [
        coverage_row(_listing(bookmaker, event), captured_at=_arrival(event, number), **complete)
        for event in range(scale.events)
    ]
    return coverage_frame([offer, *answers])
