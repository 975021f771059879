"""One event: every market of every bookmaker in its state, as fresh as the view says, and by group."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pytest

from odds_pipeline.analysis.errors import BadQuestion, NotFound
from odds_pipeline.analysis.event import EVENT_MARKETS, MARKETS_BY_GROUP, by_group, event
from odds_pipeline.analysis.events import EVENTS, events
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline.odds.frames import require_schema
from odds_pipeline_tests.analysis.hand_made import (
    BOTH_TO_SCORE,
    DOUBLE_CHANCE,
    FIRST_SCORER,
    MARKETS,
    NOW,
    OVER_UNDER,
    OVER_UNDER_3,
    RESULT,
    HandMade,
    MarketKey,
    hand_made,
    moment,
    outcomes,
)
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Answer, Cycle
from odds_pipeline_tests.database.rows import NOON, insert_current, insert_event, insert_listing, insert_market

BOOKMAKERS = {"betpawa": "p1", "sportybet": "s1", "bet9ja": "n1"}


@pytest.fixture(scope="module")
def world(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world, which these tests only read."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


def row(
    world: HandMade,
    market: MarketKey,
    bookmaker: str,
    updated_in: int | None = None,
    confirmed_in: int | None = None,
    prices: list[dict[str, Any]] | None = None,
    *,
    is_stale: bool | None = None,
    gone_in: int | None = None,
) -> dict[str, Any]:
    """A row of ``EVENT_MARKETS`` of the derby; without the cycle that changed it, of what was never offered."""
    market_id, line = market
    name, groups, handicap_type, _ = MARKETS[market]
    was_offered = updated_in is not None
    return {
        "market_groups": groups,
        "betpawa_market_id": market_id,
        "betpawa_market_name": name,
        "line": line,
        "handicap_type": handicap_type,
        "bookmaker_slug": bookmaker,
        "state": "never_offered" if not was_offered else "available" if gone_in is None else "unavailable",
        "unavailable_at": None if gone_in is None else moment(gone_in, bookmaker),
        "last_updated_at": None if updated_in is None else moment(updated_in, bookmaker),
        "last_confirmed_at": None if confirmed_in is None else moment(confirmed_in, bookmaker),
        "is_stale": is_stale,
        "outcomes": prices or [],
        "source_market_id": f"{BOOKMAKERS[bookmaker][0]}-{market_id}" if was_offered else None,
        "source_specifier": f"total={line}" if was_offered and line is not None else None,
        "market_id": world.market_id(BOOKMAKERS[bookmaker], market) if was_offered else None,
    }


def test_an_event_is_every_market_of_every_bookmaker_that_lists_it(world: HandMade) -> None:
    found = event(world.source, world.events["derby"], now=NOW)
    require_schema(found.event, EVENTS, source="the event")
    require_schema(found.markets, EVENT_MARKETS, source="its markets")
    suspended = outcomes(BOTH_TO_SCORE, "1.75", "2.10", suspended=("No",))
    fresh, stale = {"is_stale": False}, {"is_stale": True}
    assert found.markets.to_dicts() == [
        row(world, BOTH_TO_SCORE, "betpawa", 4, 6, suspended, **fresh),
        row(world, BOTH_TO_SCORE, "sportybet", 1, 6, outcomes(BOTH_TO_SCORE, "1.72", "2.05"), **fresh),
        row(world, BOTH_TO_SCORE, "bet9ja"),
        row(world, OVER_UNDER, "betpawa", 1, 6, outcomes(OVER_UNDER, "1.85", "1.95"), **fresh),
        row(world, OVER_UNDER, "sportybet", 1, 6, outcomes(OVER_UNDER, "1.83", "1.97"), **fresh),
        # Gone in the third cycle, last seen in the second.
        row(world, OVER_UNDER, "bet9ja", 3, 2, outcomes(OVER_UNDER, "1.80", "2.00"), **stale, gone_in=3),
        row(world, OVER_UNDER_3, "betpawa", 5, 6, outcomes(OVER_UNDER_3, "2.60", "1.45"), **fresh),
        row(world, OVER_UNDER_3, "sportybet"),
        row(world, OVER_UNDER_3, "bet9ja"),
        row(world, RESULT, "betpawa", 3, 6, outcomes(RESULT, "1.90", "3.50", "4.10"), **fresh),
        row(world, RESULT, "sportybet", 4, 6, outcomes(RESULT, "1.92", "3.40", "4.00"), **fresh),
        row(world, RESULT, "bet9ja", 2, 3, outcomes(RESULT, "1.88", "3.45", "4.05"), **stale),
        row(world, DOUBLE_CHANCE, "betpawa", 1, 6, outcomes(DOUBLE_CHANCE, "1.25", "1.75", "1.30"), **fresh),
        row(world, DOUBLE_CHANCE, "sportybet"),
        row(world, DOUBLE_CHANCE, "bet9ja"),
        row(world, FIRST_SCORER, "betpawa"),
        row(world, FIRST_SCORER, "sportybet", 1, 6, outcomes(FIRST_SCORER, "5.50"), **fresh),
        row(world, FIRST_SCORER, "bet9ja"),
    ]


def test_the_event_is_its_row_of_the_list(world: HandMade) -> None:
    listed = events(world.source, now=NOW).rows
    for event_id in world.events.values():
        assert event(world.source, event_id, now=NOW).event.equals(listed.filter(event_id=event_id))


def test_choosing_bookmakers_leaves_out_the_rows_of_others_and_changes_nothing_else(world: HandMade) -> None:
    derby = world.events["derby"]
    whole = event(world.source, derby, now=NOW)
    theirs = event(world.source, derby, now=NOW, bookmakers=["bet9ja"])
    assert theirs.event.equals(whole.event)
    assert theirs.markets.equals(whole.markets.filter(bookmaker_slug="bet9ja"))
    assert theirs.markets["state"].to_list().count("never_offered") == 4
    assert event(world.source, world.events["away"], now=NOW, bookmakers=["betpawa"]).markets.is_empty()


def test_markets_stand_in_each_of_their_groups_with_every_offer(world: HandMade) -> None:
    markets = event(world.source, world.events["derby"], now=NOW).markets
    groups = by_group(markets)
    require_schema(groups, MARKETS_BY_GROUP, source="markets by group")
    short = {
        group["market_group"]: [
            (
                market["betpawa_market_name"],
                market["line"],
                [f"{offer['bookmaker_slug']} {offer['state']}" for offer in market["offers"]],
            )
            for market in group["markets"]
        ]
        for group in groups.to_dicts()
    }
    one, never = "available", "never_offered"
    both = ("Both Teams To Score - FT", None, [f"betpawa {one}", f"sportybet {one}", f"bet9ja {never}"])
    total = "Total Score Over/Under - FT"
    over = (total, Decimal("2.5"), [f"betpawa {one}", f"sportybet {one}", "bet9ja unavailable"])
    over_3 = (total, Decimal("3.5"), [f"betpawa {one}", f"sportybet {never}", f"bet9ja {never}"])
    result = ("1X2 - FT", None, [f"betpawa {one}", f"sportybet {one}", f"bet9ja {one}"])
    double = ("Double Chance - FT", None, [f"betpawa {one}", f"sportybet {never}", f"bet9ja {never}"])
    assert list(short) == ["goals", "popular", "ungrouped"]
    assert short == {
        "goals": [both, over, over_3],
        "popular": [both, over, over_3, result, double],
        "ungrouped": [("First scorer", None, [f"betpawa {never}", f"sportybet {one}", f"bet9ja {never}"])],
    }
    (first,) = groups.filter(market_group="ungrouped")["markets"].explode().to_list()
    assert first["offers"][1] == {
        "bookmaker_slug": "sportybet",
        "state": "available",
        "unavailable_at": None,
        "last_updated_at": moment(1, "sportybet"),
        "last_confirmed_at": moment(6, "sportybet"),
        "is_stale": False,
        "outcomes": outcomes(FIRST_SCORER, "5.50"),
    }


def test_a_market_that_one_bookmaker_shows_in_another_group_has_all_offers_there(database: Database) -> None:
    world = hand_made(database)
    with database.connect() as connection:
        label = connection.execute(
            """
            INSERT INTO market_labels (name, market_groups, digest) VALUES ('1X2 - FT', '["specials"]', 1) RETURNING id
            """
        ).fetchone()
        assert label is not None
        theirs = world.market_id("s1", RESULT)
        connection.execute("UPDATE markets SET label_id = %s WHERE id = %s", [label[0], theirs])
    groups = by_group(event(world.source, world.events["derby"], now=NOW).markets)
    for name in ("popular", "specials"):
        markets = groups.filter(market_group=name)["markets"].explode().struct.unnest()
        (offers,) = markets.filter(betpawa_market_id="3743")["offers"].to_list()
        assert [offer["bookmaker_slug"] for offer in offers] == ["betpawa", "sportybet", "bet9ja"]


def test_an_event_without_markets_has_none(database: Database) -> None:
    with database.connect() as connection:
        event_id = insert_event(connection)
        insert_listing(connection, event_id, "betpawa", "1")
    found = event(source_of(database), event_id, now=NOW)
    require_schema(found.markets, EVENT_MARKETS, source="its markets")
    assert found.markets.is_empty()
    groups = by_group(found.markets)
    require_schema(groups, MARKETS_BY_GROUP, source="markets by group")
    assert groups.is_empty()


def test_what_is_not_there_or_makes_no_sense_is_refused(world: HandMade) -> None:
    for unknown in (0, -1, 2**31, 2**70):
        with pytest.raises(NotFound, match=f"no event {unknown}; the event list has the ids"):
            event(world.source, unknown, now=NOW)
    with pytest.raises(BadQuestion, match="no bookmaker is called 'bet365'; known are betpawa, sportybet, bet9ja"):
        event(world.source, world.events["derby"], now=NOW, bookmakers=["bet365"])
    with pytest.raises(ValueError, match="has no time zone"):
        event(world.source, world.events["derby"], now=datetime(2026, 11, 20))  # noqa: DTZ001


def test_a_secondary_listing_is_left_out(database: Database) -> None:
    world = hand_made(database)
    before = event(world.source, world.events["away"], now=NOW)
    with database.connect() as connection:
        listing = insert_listing(connection, world.events["away"], "bet9ja", "second n3", is_primary=False)
        insert_current(connection, insert_market(connection, listing, "9999"))
    after = event(world.source, world.events["away"], now=NOW)
    assert after.markets.equals(before.markets)
    assert after.event.equals(before.event)


def test_what_an_import_alone_has_told_is_as_old_as_its_last_change(database: Database) -> None:
    with database.connect() as connection:
        event_id = insert_event(connection)
        market = insert_market(connection, insert_listing(connection, event_id, "betpawa", "1"))
        insert_current(connection, market, captured_at=NOON)
    for late, is_stale in ((timedelta(), False), (timedelta(days=1), True)):
        assert_is_the_view(database, event_id, NOON + late)
        (shown,) = event(source_of(database), event_id, now=NOON + late).markets.to_dicts()
        assert (shown["last_confirmed_at"], shown["is_stale"]) == (NOON, is_stale)


@pytest.mark.parametrize("seed", range(3))
def test_every_market_is_as_fresh_as_the_view_says(database: Database, seed: int) -> None:
    random = Random(seed)
    start = datetime(2026, 11, 20, 12, tzinfo=UTC)
    listings = [(slug, f"{slug} {number}") for slug in ("betpawa", "sportybet", "bet9ja") for number in range(2)]
    kinds: set[tuple[str, bool]] = set()
    for number in range(6):
        asked = start + timedelta(minutes=5) * number
        commit(database, Cycle(asked, _discoveries(random, asked), _answers(random, asked, listings, start)))
        # Before, at and after the age from which on answers are too old.
        for late in (timedelta(seconds=30), timedelta(minutes=11), timedelta(minutes=16)):
            for event_id in _event_ids(database):
                markets = assert_is_the_view(database, event_id, asked + late)
                kinds |= set(markets.select("state", "is_stale").iter_rows())
    assert kinds == {(state, is_stale) for state in ("available", "unavailable") for is_stale in (False, True)}


def _discoveries(random: Random, asked: datetime) -> dict[str, tuple[datetime, bool]]:
    return {slug: (asked, random.random() < 0.8) for slug in ("betpawa", "sportybet", "bet9ja")}


def _answers(random: Random, asked: datetime, listings: list[tuple[str, str]], start: datetime) -> list[Answer]:
    """Of most listings an answer of some kind; of the others the discovery says nothing."""
    found: list[Answer] = []
    for slug, listing in listings:
        if random.random() < 0.15:
            continue
        status = random.choices(["complete", "failed", "started", "not_asked"], [6, 4, 1, 1])[0]
        markets: dict[MarketKey, dict[str, str | None]] = {}
        refused: set[MarketKey] = set()
        if status in ("complete", "failed"):
            for market in (("1", None), ("2", Decimal("0")), ("2", Decimal("2.5")), ("2", None)):
                match random.choice(["offered", "offered", "absent", "refused"]):
                    case "offered":
                        markets[market] = {"a": random.choice(["1.5", "2.25", None]), "b": "200"}
                    case "refused":
                        refused.add(market)
                    case _:
                        pass
        at = asked + timedelta(seconds=random.randint(1, 9))
        kickoff = start + timedelta(minutes=12 if listing.endswith("1") else 500)
        found.append(answer(slug, listing, at, markets, status=status, kickoff=kickoff, refused=refused))
    return found


def source_of(database: Database) -> OddsSource:
    return OddsSource(database, archive_of(database), lambda since, until: [])


def _event_ids(database: Database) -> list[int]:
    with database.connect() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM events ORDER BY id")]


def assert_is_the_view(database: Database, event_id: int, now: datetime) -> pl.DataFrame:
    """What was ever offered, which must be what ``market_odds_current`` says when it is asked at the same time."""
    columns = [name for name in EVENT_MARKETS if name != "state"]
    with database.connect() as connection:
        # The view's time is the server's; its own offset makes it the wanted one for this transaction.
        connection.execute("UPDATE pipeline_settings SET clock_offset = %s - now()", [now])
        view = connection.execute(
            f"""
            SELECT {", ".join(columns)} FROM market_odds_current WHERE event_id = %s ORDER BY market_id
            """.encode(),
            [event_id],
        ).fetchall()
        connection.rollback()
    markets = event(source_of(database), event_id, now=now).markets.filter(pl.col("state") != "never_offered")
    assert [_plain(told) for told in markets.sort("market_id").select(columns).to_dicts()] == [
        _plain(dict(zip(columns, told, strict=True))) for told in view
    ]
    is_available = dict(markets.select("market_id", pl.col("unavailable_at").is_null()).iter_rows())
    assert dict(markets.select("market_id", pl.col("state") == "available").iter_rows()) == is_available
    return markets


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """A row with its prices as numbers: JSON's are floats, the frame's are decimals."""
    prices = [
        outcome | {"odds": None if outcome["odds"] is None else float(outcome["odds"])} for outcome in told["outcomes"]
    ]
    return told | {"outcomes": prices}
