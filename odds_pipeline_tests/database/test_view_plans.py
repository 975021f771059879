"""The plans behind the views: filters reach the keys and the partitions, and nothing is joined for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest

from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline_tests.database.rows import NOON, insert_event, insert_listing, insert_market


@pytest.fixture(scope="module")
def many(shared_migrated_database: str) -> Iterator[psycopg.Connection]:
    """60 events at three bookmakers, 40 markets each (10 of them with a line), ten days of one change a day."""
    with psycopg.connect(shared_migrated_database, autocommit=True) as connection:
        insert_event(connection)
        connection.execute(
            """
            INSERT INTO events (tournament_id, name, home_team, away_team)
            SELECT tournament_id, name, home_team, away_team FROM events, generate_series(2, 60)
            """
        )
        connection.execute(
            """
            INSERT INTO event_bookmakers
                (event_id, bookmaker_id, external_event_id, home_team, away_team, tournament_id)
            SELECT e.id, b.id, e.id, e.home_team, e.away_team, e.tournament_id FROM events AS e, bookmakers AS b
            """
        )
        listing = insert_listing(connection, insert_event(connection), "betpawa", "other")
        market = insert_market(connection, listing, "0")
        connection.execute("INSERT INTO market_types (betpawa_market_id) SELECT n FROM generate_series(1, 40) AS n")
        connection.execute(
            """
            INSERT INTO markets (event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id,
                                 label_fingerprint, line)
            SELECT listing.id, type.id, template.label_id, template.source_id, template.outcome_set_id, 0,
                   CASE WHEN type.betpawa_market_id::int > 30 THEN 2.5 END
            FROM event_bookmakers AS listing, market_types AS type, markets AS template
            WHERE type.betpawa_market_id <> '0' AND template.id = %s
            ORDER BY listing.id
            """,
            [market],
        )
        ensure_partitions(connection, date(2026, 11, 11), date(2026, 11, 20))
        connection.execute("INSERT INTO current_odds SELECT 0, %s, NULL, NULL, id, 1, '\\x0000fa' FROM markets", [NOON])
        connection.execute(
            """
            INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes)
            SELECT day + mod(event_bookmaker_id, 1440) * interval '1 minute', event_bookmaker_id, 1,
                   odds_pack(array_agg(id), array_agg('\\x0000fa'::bytea))
            FROM markets, generate_series(timestamptz '2026-11-11 00:00+00', '2026-11-20 00:00+00', '1 day') AS day
            GROUP BY day, event_bookmaker_id
            """
        )
        connection.execute("VACUUM ANALYZE")
        assert connection.execute("SELECT count(*) FROM odds_history").fetchone() == (181 * 10,)
        assert connection.execute("SELECT count(*) FROM market_odds_history").fetchone() == (7_241 * 10,)
        yield connection


def plan_nodes(connection: psycopg.Connection, query: str) -> list[dict[str, Any]]:
    """All nodes of the plan that PostgreSQL chooses."""
    row = connection.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchone()
    assert row is not None

    def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in node.get("Plans", ()):
            yield from walk(child)

    return list(walk(row[0][0]["Plan"]))


def test_history_of_a_market_reads_only_the_days_asked_for_by_key(many: psycopg.Connection) -> None:
    """R4: filters on event, market, line and time reach the partitions and their index."""
    nodes = plan_nodes(
        many,
        """
        SELECT * FROM market_odds_history
        WHERE event_id = 17 AND bookmaker_slug = 'betpawa' AND betpawa_market_id = '35' AND line = 2.5
          AND captured_at >= '2026-11-15 00:00+00' AND captured_at < '2026-11-17 00:00+00'
        ORDER BY captured_at DESC
        """,
    )
    history = [node for node in nodes if node.get("Alias", "").startswith("history")]
    assert sorted(node["Relation Name"] for node in history) == ["odds_history_20261115", "odds_history_20261116"]
    for node in history:
        assert node["Node Type"].startswith("Index"), node
        assert node["Index Name"].endswith("_pkey")
        assert "event_bookmaker_id" in node["Index Cond"]
        assert "captured_at" in node["Index Cond"]
    (markets,) = [node for node in nodes if node.get("Relation Name") == "markets"]
    assert markets["Index Name"] == "uq_markets_event_bookmaker_id_market_type_id_line"
    assert "line" in markets["Index Cond"]


def test_history_of_an_event_reads_every_partition_by_key(many: psycopg.Connection) -> None:
    nodes = plan_nodes(many, "SELECT * FROM market_odds_history WHERE event_id = 17")
    history = [node for node in nodes if node.get("Alias", "").startswith("history")]
    assert len(history) == 10
    assert not [node for node in history if node["Node Type"] == "Seq Scan"]


def test_what_history_is_joined_to_leads_to_its_markets(many: psycopg.Connection) -> None:
    """However many relations the view joins itself: PostgreSQL orders eight, and takes others last."""
    nodes = plan_nodes(
        many, "SELECT h.* FROM market_odds_history AS h JOIN (VALUES (170), (1200)) AS own (id) ON h.market_id = own.id"
    )
    history = [node for node in nodes if node.get("Alias", "").startswith("history")]
    assert len(history) == 10
    assert all("event_bookmaker_id" in node["Index Cond"] for node in history)


def test_a_slice_of_time_is_found_by_its_partition(many: psycopg.Connection) -> None:
    nodes = plan_nodes(
        many,
        "SELECT market_id, captured_at FROM market_odds_history "
        "WHERE captured_at BETWEEN '2026-11-15 10:00+00' AND '2026-11-15 10:05+00'",
    )
    assert {node["Relation Name"] for node in nodes if node.get("Alias", "").startswith("history")} == {
        "odds_history_20261115"
    }


def test_a_column_that_is_not_asked_for_costs_no_join(many: psycopg.Connection) -> None:
    nodes = plan_nodes(many, "SELECT event_id, bookmaker_slug, line FROM market_odds_current WHERE event_id = 17")
    read = {node["Relation Name"] for node in nodes if "Relation Name" in node}
    assert read.isdisjoint({"market_labels", "market_sources", "outcome_sets", "listing_state", "pipeline_settings"})


def test_current_odds_of_an_event_are_read_by_key(many: psycopg.Connection) -> None:
    nodes = plan_nodes(many, "SELECT * FROM market_odds_current WHERE event_id = 17")
    scans = {node["Relation Name"]: node["Node Type"] for node in nodes if "Relation Name" in node}
    assert scans["current_odds"].startswith("Index")
    assert scans["markets"] != "Seq Scan"
