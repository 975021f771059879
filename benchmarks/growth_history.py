"""One database whose history grows by days under a constant offer, and what is asked of it at each size.

Current is a real first cycle's. The days before it are loaded by statements: one answer in four of each listing changes
a fifth of its 50 markets, as prices that move together do, so a day has 1.08 million changes in 108,000 packs. The
packs of a day are those of the day before; their order is such that no two states in a row are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

import psycopg

from odds_pipeline.analysis.event import event
from odds_pipeline.analysis.events import EventFilter, events
from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.odds_history import MarketChoice, odds_history
from odds_pipeline.analysis.source import OddsSource, open_source
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.days.compact import compact_days
from odds_pipeline.days.opening import days_held, make_states

from .growth_cycles import Cycles, first_cycle, measured_cycles
from .measure import median, say, timed
from .offers import SCALES, cycle_at
from .questions_data import settings_of
from .scratch import scratch_database, scratch_directory, total_size
from .writing import settle

#: Days of history: 1, 10 and 100 million changes.
STAGES = (1, 10, 100)
_TODAY = cycle_at(0).date()
_SCALE = SCALES["M"]
_CYCLES = 3
_ASKINGS = 40
_UNMEASURED = 5

#: A pack of each listing, fifth of its markets and variant of their prices: the last outcome's is another one.
_PACKS = """
CREATE TABLE made_packs AS
SELECT event_bookmaker_id, fifth, variant,
       odds_pack(array_agg(market_id), array_agg(CASE variant WHEN 0 THEN state ELSE
           set_byte(state, length(state) - 1, get_byte(state, length(state) - 1) # 1) END)) AS changes
FROM (
    SELECT market.event_bookmaker_id, market.id AS market_id, current.state,
           row_number() OVER (PARTITION BY market.event_bookmaker_id ORDER BY market.id) % 5 AS fifth
    FROM markets AS market JOIN current_odds AS current ON current.market_id = market.id
) AS market CROSS JOIN generate_series(0, 1) AS variant
GROUP BY event_bookmaker_id, fifth, variant
"""
_ANSWERS_A_DAY = 72
"""Answers of a listing that change something."""

#: A day's answers by time; ``number`` counts a listing's answers through all days.
_DAY = """
INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes)
SELECT %(day)s::timestamptz + number * %(interval)s + pack.event_bookmaker_id * interval '50 milliseconds',
       pack.event_bookmaker_id, %(run_id)s, pack.changes
FROM generate_series(0, %(answers)s - 1) AS number
JOIN made_packs AS pack ON pack.fifth = (number + %(before)s) %% 5 AND pack.variant = (number + %(before)s) / 5 %% 2
ORDER BY 1
"""


class Grown(NamedTuple):
    """History of one size: the cycles written on top of it, and medians of the milliseconds of questions."""

    days: int
    changes: int
    history_mb: float
    cycles: Cycles
    milliseconds: Mapping[str, float]


def grow(stages: Sequence[int]) -> list[Grown]:
    """Load so many days before today, one number after the other, and measure at each."""
    with scratch_directory() as directory, scratch_database(directory) as database:
        url = database.url.render_as_string(hide_password=False)
        first_cycle(url, directory, _SCALE)
        with database.connect(autocommit=True) as connection:
            connection.execute(_PACKS)
        grown: list[Grown] = []
        with open_source(settings_of(directory), database) as source:
            for number, days in enumerate(stages):
                _, loaded = timed(lambda days=days: _load(source, grown[-1].days if grown else 0, days))
                begin = 1 + _CYCLES * number
                cycles = measured_cycles(url, directory, _SCALE, range(begin, begin + _CYCLES))
                grown.append(_measured(source, days, cycles, begin + _CYCLES))
                say(f"{days} days, loaded in {loaded.wall:.0f} s: {grown[-1]}")
        return grown


def _load(source: OddsSource, days_before: int, days: int) -> None:
    """Extend history into the past from so many days to so many, and leave it as retention would."""
    with source.database.connect(autocommit=True) as connection:
        run = connection.execute("SELECT min(id) FROM scrape_runs").fetchone()
        assert run is not None
        for ago in range(days_before + 1, days + 1):
            _load_day(connection, ago, run[0])
    compact_days(source.database, before=_TODAY)
    # Of the days of which something is asked; a state for each of a hundred would take minutes.
    with source.database.connect() as holder, archive_lock(holder):
        make_states(source.database, source.archive, _TODAY, since=_TODAY - timedelta(days=1))
    settle(source.database)


def _load_day(connection: psycopg.Connection, ago: int, run_id: int) -> None:
    day = _TODAY - timedelta(days=ago)
    ensure_partitions(connection, day, day)
    connection.execute(
        _DAY,
        {
            "day": f"{day} 00:00+00",
            "interval": timedelta(days=1) / _ANSWERS_A_DAY,
            "answers": _ANSWERS_A_DAY,
            # Days are loaded backwards: any number that is the day's own, and not negative.
            "before": (100_000 - ago) * _ANSWERS_A_DAY,
            "run_id": run_id,
        },
    )


def _measured(source: OddsSource, days: int, cycles: Cycles, next_cycle: int) -> Grown:
    now = cycle_at(next_cycle)
    with source.database.connect(autocommit=True) as connection:
        settle(source.database)
        size = total_size(connection, "odds_history")
        row = connection.execute("SELECT sum(odds_count(changes)) FROM odds_history").fetchone()
        assert row is not None
        ids = [event_id for (event_id,) in connection.execute("SELECT id FROM events ORDER BY id")]
        midnight = cycle_at(0).replace(hour=0)

        def choice(random: Random) -> MarketChoice:
            return MarketChoice(random.choice(ids), f"{3000 + random.randrange(10)}", Decimal("2.5"), ["betpawa"])

        def moment(random: Random) -> datetime:
            return midnight - timedelta(days=random.random())

        questions: Mapping[str, Callable[[Random], object]] = {
            "the whole history of a market": lambda random: odds_history(source, choice(random), now=now),
            "its last day": lambda random: odds_history(source, choice(random), now - timedelta(days=1), now=now),
            "an event at a moment of yesterday": lambda random: at(
                source, Scope(event_ids=[random.choice(ids)]), moment(random)
            ),
            "an event now": lambda random: event(source, random.choice(ids), now=now),
            "100 events now": lambda _: events(source, EventFilter(kickoff_since=now), now=now, limit=100),
            "which days there are": lambda _: days_held(connection),
        }
        milliseconds = {name: _median_ms(ask) for name, ask in questions.items()}
    return Grown(days, row[0], size / 1e6, cycles, milliseconds)


def _median_ms(ask: Callable[[Random], object]) -> float:
    """The median of many askings, each of another subject, the same ones at every size."""
    seconds = [timed(lambda number=number: ask(Random(number)))[1].wall for number in range(_UNMEASURED + _ASKINGS)]
    return 1000 * median(seconds[_UNMEASURED:])
