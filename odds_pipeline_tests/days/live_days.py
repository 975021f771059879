"""Several days of history written live, cycle by cycle, with everything that may happen to a market in them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.answers import prepare
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, coverage, observations, running
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey, Outcomes
from odds_pipeline_tests.database.servers import copy_of

FIRST_DAY = date(2026, 11, 16)
BOOKMAKERS = ("sportybet", "bet9ja")
MARKETS: tuple[MarketKey, ...] = (
    ("3743", None),
    ("5000", None),
    ("5000", Decimal("0.000")),
    ("5000", Decimal("2.500")),
    ("sportybet:900[minute=5]", Decimal("-0.750")),
)
PRICES = [Decimal(price) for price in ("1.010", "2.500", "2.505", "163.830", "163.840", "999999.999")]
#: Of each day: by twos around midnight and noon.
_MINUTES = (2, 7, 360, 720, 725, 1_200, 1_433, 1_438)

Row = tuple[int, datetime, int, bytes]


@dataclass(frozen=True)
class Lived:
    """A database and its archive after days that were written live; ``now`` lies at the end of the last."""

    database: Database
    archive: Archive
    days: list[date]

    @property
    def now(self) -> datetime:
        return midnight(self.days[-1]) + timedelta(hours=23, minutes=59)


@contextmanager
def lived_through(url: str, *, seed: int, days: int = 4) -> Iterator[Lived]:
    """Write these days into an empty database; tests are given copies of it."""
    database = Database(url)
    world = LiveDays(database, archive_of(database), seed=seed, days=days)
    world.commit_all()
    yield Lived(database, archive_of(database), world.days)
    database.dispose()


@contextmanager
def copied(server: EmbeddedServer, lived: Lived) -> Iterator[Lived]:
    """A copy of its own, archive included."""
    lived.database.dispose()
    with copy_of(server, str(lived.database.url.database)) as url, Database(url) as copy:
        archive = archive_of(copy)
        assert lived.archive.folder is not None
        assert archive.folder is not None
        shutil.copytree(lived.archive.folder, archive.folder)
        yield Lived(copy, archive, lived.days)


class LiveDays:
    """A world of a few events that go on for ``days`` days; ``commit_day`` writes one day's cycles."""

    def __init__(self, database: Database, archive: Archive, *, seed: int, days: int = 4) -> None:
        self.database, self.archive = database, archive
        self.days = [FIRST_DAY + timedelta(days=number) for number in range(days)]
        self._random = random.Random(seed)
        midnights = [midnight(day) for day in self.days]
        #: One kick-off some minutes before each midnight: found out by the first cycle after it.
        self._kickoffs = {f"e{n}": start + timedelta(minutes=1_439.5) for n, start in enumerate(midnights)}
        self._kickoffs["later"] = midnights[-1] + timedelta(days=9)

    def commit_all(self) -> None:
        """Write every day."""
        for day in self.days:
            self.commit_day(day)

    def commit_day(self, day: date) -> None:
        """Write the cycles of one day."""
        for minutes in _MINUTES:
            self.commit(midnight(day) + timedelta(minutes=minutes))

    def commit(self, at: datetime) -> int:
        """Write one cycle; return its run."""
        cycle = Cycle(at, {slug: (at, self._random.random() < 0.9) for slug in BOOKMAKERS}, self._answers(at))
        run_id = running(self.database, at)
        # Words change from time to time: a relabelled market gives no row.
        words = self._random.choice(["", "", " (renamed)"])
        rows = observations(cycle).with_columns(pl.col("betpawa_market_name") + words)
        answers = prepare(rows.lazy(), coverage(cycle, run_id), cycle_at=at)
        write_cycle(
            self.database, self.archive, answers, run_id=run_id, settings=SETTINGS, now=cycle.as_of, guarded=False
        )
        return run_id

    def _answers(self, at: datetime) -> list[Answer]:
        said: list[Answer] = []
        for slug in BOOKMAKERS:
            for event, kickoff in self._kickoffs.items():
                if kickoff > at and self._random.random() < 0.9:
                    said.append(self._answer(slug, event, at, kickoff))
        return said

    def _answer(self, slug: str, event: str, at: datetime, kickoff: datetime) -> Answer:
        status = self._random.choice(["complete"] * 8 + ["failed", "started"])
        moment = max(at + timedelta(seconds=self._random.choice([1, 20, 40, -400])), midnight(self.days[0]))
        answer = Answer(slug, event, moment, status, kickoff)
        for market in MARKETS if status == "complete" or self._random.random() < 0.5 else ():
            match self._random.choice(["offered"] * 4 + ["absent", "refused"]):
                case "offered":
                    answer.markets[market] = self._outcomes()
                case "refused":
                    answer.refused.add(market)
                case _:
                    pass
        return answer

    def _outcomes(self) -> Outcomes:
        keys = self._random.sample("abcd", self._random.randint(1, 3))
        return {key: (self._random.choice(PRICES), self._random.random() < 0.7) for key in keys}


def history_rows(database: Database, *days: date) -> list[Row]:
    """All history rows, whole, or those of some days."""
    with database.connect() as connection:
        rows = connection.execute(
            """
            SELECT market_id, captured_at, run_id, state FROM odds_history_changes
            WHERE %(all)s OR (captured_at AT TIME ZONE 'UTC')::date = ANY(%(days)s)
            ORDER BY market_id, captured_at
            """,
            {"all": not days, "days": list(days)},
        )
        return [tuple(row) for row in rows]


def current_rows(database: Database) -> list[tuple[object, ...]]:
    """Current, whole."""
    with database.connect() as connection:
        return connection.execute("SELECT * FROM current_odds ORDER BY market_id").fetchall()
