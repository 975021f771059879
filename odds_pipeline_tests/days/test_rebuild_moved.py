"""Days rebuilt after a remap that joined and split markets offered under both ids at once: as the remap left them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.database.remap import remap
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.markets.catalogue import Catalogue
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.answers import prepare
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.by_hand import history_by_hand
from odds_pipeline_tests.database.cycles import SETTINGS, answer, coverage, observations, running
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, shown_rows
from odds_pipeline_tests.days.live_days import current_rows, history_rows
from odds_pipeline_tests.days.questions import EVERYTHING, Oracle, current_at, retire, told

BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
END = BEGINNING + timedelta(days=3, hours=23)
DAYS = [FIRST_DAY + timedelta(days=number) for number in range(4)]
LISTINGS = 5
LINE = Decimal("1.500")

Offer = dict[str, str | None]

#: The market under Bet9ja's own id, and the same one, or the same two, under betPawa's, with the keys that match.
JOINED: tuple[MarketKey, MarketKey] = ("bet9ja:S_DNB", None), ("4703", None)
SPLIT: tuple[MarketKey, MarketKey, MarketKey] = ("bet9ja:S_HAOU", LINE), ("5006", LINE), ("5003", LINE)
SOURCES: dict[str, tuple[str, str | None]] = {
    "bet9ja:S_DNB": ("S_DNB", None),
    "bet9ja:S_HAOU": ("S_HAOU", "1.5"),
    **{name: (f"S_{name}", None) for name in ("4703", "5006", "5003")},
    "4697": ("S_DNB", None),
    "bet9ja:S_X": ("S_X", None),
}


def offered(draw: random.Random, *keys: str) -> Offer:
    """Some of the outcomes, some suspended, at few prices, so that both ids often say the same."""
    offer: Offer = {key: draw.choice([None, "1.50", "2.00", "163.84"]) for key in keys if draw.random() < 0.8}
    return offer or {keys[0]: "1.50"}


def offers(draw: random.Random, *, is_learnt: bool) -> dict[MarketKey, Offer]:
    """What a listing offers: each id now and then, both at once as well; under betPawa's alone once that is known."""
    found: dict[MarketKey, Offer] = {("bet9ja:S_X", None): offered(draw, "a")}
    own, mapped = JOINED
    if draw.random() < 0.7 and not is_learnt:
        found[own] = offered(draw, "1", "2")
    if draw.random() < 0.5:
        found[mapped] = offered(draw, "4704", "4705")
    own, home, away = SPLIT
    if draw.random() < 0.7 and not is_learnt:
        found[own] = offered(draw, "OH", "UH", "OA", "UA")
    if draw.random() < 0.4:
        found[home] = offered(draw, "5007", "5008")
    if draw.random() < 0.2:
        found[away] = offered(draw, "5004", "5005")
    return found


def commit(database: Database, at: datetime, draw: random.Random, *, is_learnt: bool) -> None:
    """A cycle of most listings."""
    kickoff = END + timedelta(days=9)
    said = [
        answer("bet9ja", str(800_000_001 + number), at, offers(draw, is_learnt=is_learnt), kickoff=kickoff)
        for number in range(LISTINGS)
        if draw.random() < 0.8
    ]
    write(database, at, said)


def write(database: Database, at: datetime, said: list[Answer]) -> None:
    """The answers as parsers would leave them, each market with the bookmaker's own id."""
    cycle = Cycle(at, {}, said)
    run_id = running(database, at)
    sources = [SOURCES[name] for each in said for name, _ in each.markets]
    rows = observations(cycle).with_columns(
        source_market_id=pl.Series([market_id for market_id, _ in sources], dtype=pl.String),
        source_specifier=pl.Series([specifier for _, specifier in sources], dtype=pl.String),
    )
    answers = prepare(rows.lazy(), coverage(cycle, run_id), cycle_at=at)
    write_cycle(database, archive_of(database), answers, run_id=run_id, settings=SETTINGS, now=at)


def lived(database: Database, seed: int) -> random.Random:
    """Three days and a remap, which joins markets at some listings and moves them at others; then another day."""
    draw = random.Random(seed)
    for day in range(3):
        for hour in sorted(draw.sample(range(24), 4)):
            commit(database, BEGINNING + timedelta(days=day, hours=hour), draw, is_learnt=False)
    overlapping = query(
        database,
        """
        SELECT count(*) FROM odds_history_changes AS own JOIN odds_history_changes AS mapped
            USING (event_bookmaker_id, captured_at)
        JOIN markets AS own_market ON own_market.id = own.market_id
        JOIN markets AS mapped_market ON mapped_market.id = mapped.market_id
        JOIN market_types AS own_type ON own_type.id = own_market.market_type_id
        JOIN market_types AS mapped_type ON mapped_type.id = mapped_market.market_type_id
        WHERE own_type.betpawa_market_id IN ('bet9ja:S_DNB', 'bet9ja:S_HAOU')
          AND mapped_type.betpawa_market_id IN ('4703', '5006', '5003')
        """,
    )
    assert overlapping[0][0] > 10, "without offers under both ids at once this would show less than it says"
    done = remap(database, Mapper.load(), now=BEGINNING + timedelta(days=3))
    assert done.rewritten > 0
    for hour in sorted(draw.sample(range(23), 4)):
        commit(database, BEGINNING + timedelta(days=3, hours=hour), draw, is_learnt=True)
    return draw


def assert_rebuilt_as_it_was(database: Database, archive: Archive) -> None:
    """Twice all days together, and the middle ones apart from the others."""
    before, current = history_rows(database), current_rows(database)
    for first, last in [(DAYS[0], DAYS[-1])] * 2 + [(DAYS[1], DAYS[2])]:
        done = rebuild_days(database, archive, first, last, now=END)
        assert [(day.added, day.removed, day.replaced) for day in done] == [(0, 0, 0)] * len(done), (first, last)
    assert history_rows(database) == before
    assert current_rows(database) == current
    assert rebuild_current(database).repaired == 0


@pytest.mark.parametrize("seed", range(2))
def test_days_of_markets_offered_under_both_ids_stay_as_the_remap_left_them(database: Database, seed: int) -> None:
    archive = archive_of(database)
    draw = lived(database, seed)
    assert query(database, "SELECT count(*) FROM former_places WHERE until IS NOT NULL") != [(0,)]
    assert_rebuilt_as_it_was(database, archive)

    before = history_rows(database)
    damaged(database, draw)
    assert history_rows(database) != before
    rebuild_days(database, archive, DAYS[0], DAYS[-1], now=END)
    assert history_rows(database) == before
    assert rebuild_current(database).repaired == 0

    oracle = Oracle(shown_rows(database))
    retire(database, DAYS[2])
    assert told(database, archive, EVERYTHING, BEGINNING, END).rows.to_dicts() == oracle.rows
    for _ in range(6):
        moment = BEGINNING + timedelta(minutes=draw.randrange(4 * 24 * 60))
        assert current_at(database, archive, EVERYTHING, moment).rows.to_dicts() == oracle.state_at(EVERYTHING, moment)


def test_a_market_that_moved_before_it_was_joined_ends_at_the_seam_under_all_its_former_places(
    database: Database,
) -> None:
    """One catalogue places it at 4697, the next sees that this was the market 4703, which was there meanwhile."""
    archive, catalogue = archive_of(database), Catalogue.load()
    half = catalogue.sources["bet9ja", "S_DNB1T"]
    earlier = Mapper(replace(catalogue, version="1", sources={**catalogue.sources, ("bet9ja", "S_DNB"): half}))
    corrected = {("4697", "4698"): ("4703", "4704"), ("4697", "4699"): ("4703", "4705")}
    later = Mapper(replace(catalogue, version="2", superseded=corrected))
    own, mapped = JOINED
    placed: MarketKey = ("4697", None)

    def offer(hours: int, markets: dict[MarketKey, Offer]) -> None:
        at = BEGINNING + timedelta(hours=hours)
        write(database, at, [answer("bet9ja", "800000001", at, markets, kickoff=END)])

    offer(0, {own: {"1": "1.50", "2": "2.40"}})
    offer(3, {own: {"1": "1.51", "2": "2.41"}, mapped: {"4704": "1.61", "4705": None}})
    offer(5, {own: {"1": "1.52", "2": "2.42"}, mapped: {"4704": "1.61", "4705": None}})
    assert remap(database, earlier, now=END).moved == 1
    offer(13, {placed: {"4698": "1.53", "4699": "2.43"}, mapped: {"4704": "1.62", "4705": None}})
    offer(26, {placed: {"4698": "1.54", "4699": "2.44"}})
    assert remap(database, later, now=END).rewritten == 1
    offer(30, {mapped: {"4704": "1.63", "4705": "2.45"}})

    assert query(
        database, "SELECT captured_at, unavailable_at IS NULL FROM market_odds_history WHERE betpawa_market_id = '4703'"
    ) == [(BEGINNING + timedelta(hours=hours), hours != 26) for hours in (0, 3, 13, 26, 30)]
    before = history_rows(database)
    for first, last in ((DAYS[0], DAYS[1]), (DAYS[1], DAYS[1]), (DAYS[0], DAYS[0])):
        done = rebuild_days(database, archive, first, last, now=END, mapper=later)
        assert [(day.added, day.removed, day.replaced) for day in done] == [(0, 0, 0)] * len(done)
    assert history_rows(database) == before


def damaged(database: Database, draw: random.Random) -> None:
    """Rows lost, changed, added between others, and added at moments that have one: the pack has the market twice."""
    with database.connect() as connection, history_by_hand(connection):
        connection.execute("SELECT setseed(%s)", [draw.random()])
        connection.execute("DELETE FROM by_hand WHERE random() < 0.1")
        connection.execute("UPDATE by_hand SET state = '\\x0000fa' WHERE random() < 0.1")
        for seconds in (0, 1):
            connection.execute(
                "INSERT INTO by_hand SELECT captured_at + %s * interval '1 second', market_id, run_id, '\\x0000fb' "
                "FROM by_hand WHERE random() < 0.1",
                [seconds],
            )
