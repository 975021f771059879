"""How the event list and one event are read: markets and their odds by key, in few statements."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from odds_pipeline.analysis.event import event
from odds_pipeline.analysis.events import EventFilter, events
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline_tests.analysis.explaining import ExplainingDatabase
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.rows import NOON, insert_event, insert_listing, insert_market

EVENTS = 200
MARKETS_OF_A_LISTING = 40


@pytest.fixture(scope="module")
def many(shared_migrated_database: str) -> Iterator[ExplainingDatabase]:
    """200 events at three bookmakers, 40 markets each, 13 of them over/under with as many lines."""
    database = ExplainingDatabase(shared_migrated_database)
    with database.connect(autocommit=True) as connection:
        first = insert_event(connection)
        connection.execute(
            """
            INSERT INTO events (tournament_id, name, home_team, away_team, kickoff)
            SELECT tournament_id, name, home_team, away_team, kickoff + n * interval '1 minute'
            FROM events, generate_series(2, %s) AS n
            """,
            [EVENTS],
        )
        listing = insert_listing(connection, first, "betpawa", "first")
        market = insert_market(connection, listing, "3743")
        connection.execute(
            """
            INSERT INTO market_types (betpawa_market_id)
            SELECT unnest(ARRAY['5000', '3795', '4693'] || array_agg(n::text)) FROM generate_series(1, 24) AS n
            """
        )
        connection.execute(
            """
            INSERT INTO event_bookmakers
                (event_id, bookmaker_id, external_event_id, home_team, away_team, tournament_id)
            SELECT e.id, b.id, e.id, e.home_team, e.away_team, e.tournament_id FROM events AS e, bookmakers AS b
            WHERE (e.id, b.slug) <> (%s, 'betpawa')
            """,
            [first],
        )
        connection.execute(
            "INSERT INTO listing_state (event_bookmaker_id, last_answer_at) SELECT id, %s FROM event_bookmakers", [NOON]
        )
        connection.execute(
            """
            INSERT INTO markets (event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id,
                                 label_fingerprint, line)
            SELECT listing.id, type.id, template.label_id, template.source_id, template.outcome_set_id, 0, lines.line
            FROM event_bookmakers AS listing
            CROSS JOIN market_types AS type
            CROSS JOIN LATERAL generate_series(0, CASE WHEN betpawa_market_id = '5000' THEN 12 ELSE 0 END) AS n
            CROSS JOIN LATERAL (SELECT CASE WHEN betpawa_market_id = '5000' THEN n + 0.5 END AS line) AS lines
            CROSS JOIN markets AS template
            WHERE template.id = %s AND (listing.id, type.id) <> (template.event_bookmaker_id, template.market_type_id)
            ORDER BY listing.id
            """,
            [market],
        )
        connection.execute("INSERT INTO current_odds SELECT 0, %s, NULL, NULL, id, 1, '\\x0000fa' FROM markets", [NOON])
        connection.execute("VACUUM ANALYZE")
    yield database
    database.dispose()


@pytest.fixture
def source(many: ExplainingDatabase) -> OddsSource:
    many.nodes.clear()
    return OddsSource(many, archive_of(many), lambda since, until: [])


def test_the_events_of_a_page_read_their_headline_markets_by_key(many: ExplainingDatabase, source: OddsSource) -> None:
    rows = events(source, now=NOON, limit=100).rows
    assert rows.height == 100
    assert rows["headline"].list.len().to_list() == [12] * 100
    lines = rows["headline"].explode().struct.unnest().filter(betpawa_market_id="5000")
    assert lines["line"].unique().to_list() == [Decimal("2.5")]
    assert set(lines["state"]) == {"available"}
    for table, index in (("markets", "uq_markets_event_bookmaker_id_market_type_id_line"), ("current_odds", "pk_curr")):
        (scan,) = many.scans(table)
        assert scan["Node Type"] == "Index Scan", scan
        assert scan["Index Name"].startswith(index)
    (markets,) = many.scans("markets")
    assert "event_bookmaker_id" in markets["Index Cond"]
    assert "market_type_id" in markets["Index Cond"]


def test_a_page_of_events_is_looked_up_before_anything_is_read_of_them(
    many: ExplainingDatabase, source: OddsSource
) -> None:
    wanted = EventFilter(kickoff_since=NOON, bookmakers=["bet9ja"], is_available=True, is_started=False)
    assert events(source, wanted, now=NOON, limit=5).rows.height == 5
    (listed,) = [scan for scan in many.scans("event_bookmakers") if "page" in str(scan.get("Index Cond"))]
    assert listed["Node Type"] == "Index Scan"


def test_an_event_reads_its_own_markets_by_key(many: ExplainingDatabase, source: OddsSource) -> None:
    answer = event(source, 17, now=NOON)
    assert answer.markets.height == 3 * MARKETS_OF_A_LISTING
    for table in ("markets", "current_odds", "event_bookmakers", "listing_state"):
        scans = {scan["Node Type"] for scan in many.scans(table)}
        assert scans, table
        assert scans <= {"Index Scan", "Bitmap Heap Scan"}, table


def test_events_on_offer_are_not_looked_for_one_by_one_among_those_that_are_over(
    many: ExplainingDatabase, source: OddsSource
) -> None:
    assert events(source, EventFilter(is_available=True), now=NOON, limit=5).rows.height == 5
    offered = [scan for scan in many.scans("listing_state") if scan.get("Filter") or scan["Node Type"] == "Seq Scan"]
    assert [scan["Node Type"] for scan in offered] == ["Seq Scan"], "all listings once"
