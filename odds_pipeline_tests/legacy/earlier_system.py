"""Making the database of an earlier system, of any size, with its known faults and the truth it was made from.

The same arguments give the same rows. Events live through the days from ``first`` on; every ``interval`` each of their
listings is looked at, and what the earlier system would have stored of it is stored: whole snapshots (first
generation) until ``snapshots_until``, single changed markets (second generation) from ``apart_from`` on, in between
both. Matches that betPawa does not have stay in the competitors' snapshot tables.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import psycopg
from psycopg import sql

from odds_pipeline_tests.legacy.earlier_market import Market
from odds_pipeline_tests.legacy.earlier_markets import markets_of
from odds_pipeline_tests.legacy.earlier_schema import create_indexes, create_tables

FIRST_DAY = date(2026, 2, 1)
BOOKMAKERS = ("betpawa", "sportybet", "bet9ja")

MarketKey = tuple[str, str, str, Decimal | None]
"""Bookmaker, its event, market, line: as our live path stores them."""
State = frozenset[tuple[str, Decimal | None]]
"""Outcome key and price, None for one that is suspended."""
_EMPTY = "\\N"


@dataclass
class Truth:
    """What the offer really was. ``states``: per market (since, state or None for not offered, whether an import can
    know it)."""

    states: dict[MarketKey, list[tuple[datetime, State | None, bool]]] = field(default_factory=dict)

    def note(self, market: MarketKey, at: datetime, state: State | None, is_trusted: bool) -> None:
        """The state of a market from ``at`` on."""
        self.states.setdefault(market, []).append((at, state, is_trusted))

    def at(self, market: MarketKey, moment: datetime) -> tuple[State | None, bool]:
        """State and whether it is to be trusted; (None, True) before the first."""
        timeline = self.states[market]
        position = bisect_right(timeline, moment, key=lambda entry: entry[0])
        return timeline[position - 1][1:] if position else (None, True)

    def questions(
        self, count: int, *, seed: int, until: datetime
    ) -> Iterator[tuple[MarketKey, datetime, State | None]]:
        """Random (market, moment, state) of trusted markets, half of them right at a change."""
        rng = random.Random(seed)
        markets = sorted(self.states, key=str)
        first = min(timeline[0][0] for timeline in self.states.values())
        while count:
            market = rng.choice(markets)
            moment = first + (until - first) * rng.random()
            if rng.random() < 0.5:
                moment = rng.choice(self.states[market])[0]
            state, is_trusted = self.at(market, moment)
            if is_trusted and moment < until:
                count -= 1
                yield market, moment, state


@dataclass
class EarlierSystem:
    """What was made: the truth, rows per table, the days with data."""

    truth: Truth
    rows: Counter[str]
    days: list[date]


def make_earlier_system(
    connection: psycopg.Connection,
    *,
    schema: str = "public",
    in_place: bool = False,
    seed: int = 1,
    events: int = 3,
    days: int = 3,
    interval: timedelta = timedelta(hours=1),
    lines: int = 3,
    apart_from: timedelta | None = None,
    snapshots_until: timedelta | None = None,
    first: date = FIRST_DAY,
) -> EarlierSystem:
    """Fill a schema. Offsets count from ``first``; ``apart_from`` None: no second generation, ``snapshots_until``
    None: snapshots to the end. ``in_place``: into our own migrated tables, first generation only.
    """
    maker = _Maker(
        connection,
        random.Random(seed),
        datetime.combine(first, time(), UTC),
        days,
        interval,
        lines,
        apart_from if not in_place else None,
        snapshots_until,
        in_place,
    )
    if in_place:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
    else:
        create_tables(connection, schema)
    for number in range(1, events + 1):
        maker.add_match(number)
    maker.flush()
    if in_place:
        for table in ("tournaments", "events", "event_bookmakers"):
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))".encode()
            )
    else:
        create_indexes(connection)
    connection.execute("RESET search_path")
    connection.commit()
    found = sorted({at.date() for timeline in maker.truth.states.values() for at, _, _ in timeline})
    return EarlierSystem(maker.truth, maker.rows, found)


@dataclass
class _Maker:
    connection: psycopg.Connection
    rng: random.Random
    start: datetime
    days: int
    interval: timedelta
    lines: int
    apart_from: timedelta | None
    snapshots_until: timedelta | None
    in_place: bool
    truth: Truth = field(default_factory=Truth)
    rows: Counter[str] = field(default_factory=Counter)
    pending: dict[str, list[str]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    bookmaker_ids: dict[str, int] = field(default_factory=dict)

    def add_match(self, number: int) -> None:
        """One match, its listings, and all that was stored of them. Every fourth is not betPawa's."""
        rng = self.rng
        begin = self.start + self.interval * rng.random() + timedelta(days=rng.choice([0, 0, self.days / 3]))
        kickoff = begin + (self.start + timedelta(days=self.days) - begin) * rng.uniform(0.6, 1.0)
        has_betpawa = number % 4 != 0
        sportradar_id = str(9_000_000 + number)
        words = (f"Home {number}", f"Away {number}", _text(kickoff))
        if has_betpawa:
            country = f"Country {number % 3}"
            self.put(
                "tournaments",
                (number, self.football(), f"League {number % 5} of {number}", country),
                "id, sport_id, name, country",
            )
            self.put(
                "events",
                (number, number, f"{words[0]} - {words[1]}", *words, sportradar_id),
                "id, tournament_id, name, home_team, away_team, kickoff, sportradar_id",
            )
            ours = (number, *words) if self.in_place else ()
            columns = ", tournament_id, home_team, away_team, kickoff" if self.in_place else ""
            self.put(
                "event_bookmakers",
                (number, number, self.bookmaker_id("betpawa"), 700_000 + number, *ours),
                "id, event_id, bookmaker_id, external_event_id" + columns,
            )
            self.live("betpawa", str(700_000 + number), number, number, begin, kickoff, has_betpawa=True)
        for place, slug in enumerate(("sportybet", "bet9ja")):
            own = 2 * number + place
            external = f"sr:match:{sportradar_id}" if slug == "sportybet" else str(500_000_000 + number)
            self.put(
                "competitor_tournaments",
                (own, slug, self.football(), f"League {number % 5}", f"Country {number % 3}", f"t{own}"),
                "id, source, sport_id, name, country_raw, external_id",
            )
            # Half of the links to betPawa's match were never made.
            link = number if has_betpawa and number % 2 else _EMPTY
            self.put(
                "competitor_events",
                (own, slug, own, link, f"{words[0]} v {words[1]}", *words, external, sportradar_id),
                "id, source, tournament_id, betpawa_event_id, name, home_team, away_team, kickoff, external_id, "
                "sportradar_id",
            )
            self.live(slug, external, own, number, begin, kickoff, has_betpawa=has_betpawa)

    def live(
        self,
        slug: str,
        external: str,
        owner: int,
        number: int,
        begin: datetime,
        kickoff: datetime,
        *,
        has_betpawa: bool,
    ) -> None:
        """A listing's life from its first look to its kick-off or withdrawal."""
        rng = self.rng
        markets = [Market(spec, slug, rng) for spec in markets_of(slug, self.lines)]
        is_apart = self.apart_from is not None and has_betpawa
        apart_from = self.start + self.apart_from if is_apart and self.apart_from is not None else None
        until = self.start + self.snapshots_until if apart_from and self.snapshots_until is not None else None
        # Where both generations were written, they were written one after the other, or with one time for both.
        lag = timedelta(seconds=3 * (number % 2))
        looks = _looks(begin, kickoff, self.interval, rng)
        went_at = looks[-1] + timedelta(minutes=7) if rng.random() < 0.4 else None
        last_snapshot = max((at for at in looks if until is None or at < until), default=None)
        current: dict[tuple[str, str], tuple[Market, datetime]] = {}
        for at in looks:
            is_snapshot = until is None or at < until
            is_separate = apart_from is not None and at >= apart_from
            for market in markets:
                # The second generation recorded no passing disappearance, so none happens there.
                may_vanish = is_snapshot and not is_separate
                moved = market.is_offered if at == looks[0] else market.move(may_vanish=may_vanish)
                if moved or (is_separate and not current and market.is_offered):
                    self.note(slug, external, market, at if is_snapshot else at + lag, is_separate)
            if is_snapshot:
                gone = went_at if at == last_snapshot and at == looks[-1] else None
                self.snapshot(slug, owner, markets, at, gone)
            if is_separate:
                first_time = not current
                for market in markets:
                    if market.is_offered and (first_time or market.has_moved):
                        self.history(number, slug, market, at + lag, current)
        for market in markets:
            if went_at is not None and market.is_offered:
                self.note(slug, external, market, went_at, apart_from is not None, gone=True)
        for (market_id, line), (market, at) in current.items():
            self.put(
                "market_odds_current",
                (
                    number,
                    slug,
                    market_id,
                    market.spec.name,
                    line,
                    *market.spec.handicaps,
                    market.last_piece,
                    '["all"]',
                    _EMPTY if went_at is None else went_at,
                    at,
                    looks[-1],
                ),
                "event_id, bookmaker_slug, betpawa_market_id, betpawa_market_name, line, handicap_type, handicap_home, "
                "handicap_away, outcomes, market_groups, unavailable_at, last_updated_at, last_confirmed_at",
            )
        if len(self.pending.get("market_odds", ())) > 200_000:
            self.flush()

    def note(
        self, slug: str, external: str, market: Market, at: datetime, is_apart: bool, *, gone: bool = False
    ) -> None:
        """Tell the truth about a market. Of a split one, the second generation kept the last row only."""
        spec = market.spec
        lost = is_apart and (
            (spec.is_split and slug == "betpawa") or (spec.handicaps[0] != _EMPTY and spec.stored_line == _EMPTY)
        )
        state = None if gone else market.state()
        if spec.is_readable:
            self.truth.note((slug, external, spec.market_id, spec.line), at, state, market.is_trusted and not lost)

    def snapshot(self, slug: str, owner: int, markets: list[Market], at: datetime, gone_at: datetime | None) -> None:
        """A snapshot with all its markets; now and then it was stored again."""
        if slug == "betpawa":
            headers, table, columns = "odds_snapshots", "market_odds", "id, event_id, bookmaker_id, captured_at"
            values: tuple[object, ...] = (owner, self.bookmaker_id(slug), at)
        else:
            headers, table, columns = (
                "competitor_odds_snapshots",
                "competitor_market_odds",
                "id, competitor_event_id, captured_at",
            )
            values = (owner, at if self.in_place else _text(at))
        ending = f"\t{_EMPTY if gone_at is None else gone_at}"
        for _ in range(2 if self.rng.random() < 0.02 else 1):
            snapshot_id = self.rows[headers] + 1
            self.put(headers, (snapshot_id, *values), columns)
            lines = [
                f"{snapshot_id}\t{text}{ending}" for market in markets if market.is_offered for text in market.texts
            ]
            if self.rng.random() < 0.05:
                lines.append(lines[0])
            self.pending.setdefault(table, []).extend(lines)
            self.rows[table] += len(lines)

    def history(
        self,
        number: int,
        slug: str,
        market: Market,
        at: datetime,
        current: dict[tuple[str, str], tuple[Market, datetime]],
    ) -> None:
        """A changed market of the second generation."""
        line = market.spec.stored_line
        self.put(
            "market_odds_history",
            (number, slug, market.spec.market_id, line, market.last_piece, at),
            "event_id, bookmaker_slug, betpawa_market_id, line, outcomes, captured_at",
        )
        # No line and line 0 were one to its unique index; the last one written stayed.
        current[market.spec.market_id, line] = (market, at)

    def football(self) -> int:
        """The id of football, the first sport there is."""
        return 1

    def bookmaker_id(self, slug: str) -> int:
        """The id that the database has for a bookmaker."""
        if not self.bookmaker_ids:
            self.bookmaker_ids = dict(self.connection.execute("SELECT slug, id FROM bookmakers").fetchall())
        return self.bookmaker_ids[slug]

    def put(self, table: str, values: Iterable[object], columns: str) -> None:
        """Keep a row for the next ``flush``."""
        self.columns.setdefault(table, columns)
        self.pending.setdefault(table, []).append("\t".join(map(str, values)))
        self.rows[table] += 1

    def flush(self) -> None:
        """Send what is kept to the database, what others refer to first."""
        columns = self.columns | dict.fromkeys(("market_odds", "competitor_market_odds"), _MARKET_COLUMNS)
        for table in _ORDER:
            rows = self.pending.pop(table, [])
            if not rows:
                continue
            copy = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns[table].split(", ")))
            )
            with self.connection.cursor().copy(copy) as writing:
                for start in range(0, len(rows), 10_000):
                    writing.write("\n".join(rows[start : start + 10_000]) + "\n")


_MARKET_COLUMNS = (
    "snapshot_id, betpawa_market_id, betpawa_market_name, line, handicap_type, handicap_home, handicap_away, outcomes, "
    "market_groups, unavailable_at"
)
_ORDER = (
    "tournaments",
    "events",
    "event_bookmakers",
    "competitor_tournaments",
    "competitor_events",
    "odds_snapshots",
    "market_odds",
    "competitor_odds_snapshots",
    "competitor_market_odds",
    "market_odds_history",
    "market_odds_current",
)


def _looks(begin: datetime, kickoff: datetime, interval: timedelta, rng: random.Random) -> list[datetime]:
    """When the earlier system looked at a listing: at each interval, give or take the time of a cycle."""
    count = int((kickoff - begin) / interval)
    return [begin + interval * n + timedelta(microseconds=rng.randrange(30_000_000)) for n in range(max(count, 2))]


def _text(at: datetime) -> str:
    """A time as the earlier system stored most of its times: UTC, and nothing that says so."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")
