"""The tables around the made-up history: the offer's words, and where every market stands now.

All inside a transaction of the caller's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.copying import copy_rows
from odds_pipeline.database.dictionaries import (
    Label,
    OutcomeSet,
    Source,
    label_ids,
    market_type_ids,
    outcome_set_ids,
    source_ids,
)
from odds_pipeline.odds.fingerprint import with_fingerprints
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.odds.replay import fingerprint_of

from .questions_history import LAST_CYCLE, NOW, Walks, cycle_at, events
from .questions_offer import BOOKMAKERS, MARKETS_OF_EVENT, Template, templates

_TOURNAMENTS, _COUNTRIES = 300, 90
_MOVED = timedelta(hours=2)
"""How far the kick-off of one match in ten was moved, six cycles after it was first seen."""


def write_offer(connection: psycopg.Connection, walks: Walks) -> None:
    """Tournaments, events, listings, kick-offs and markets, with the words that they share."""
    connection.execute("UPDATE pipeline_settings SET clock_offset = %s - now()", [NOW])
    tournament = pl.int_range(_TOURNAMENTS, eager=True)
    tournaments = pl.select(
        id=tournament + 1,
        sport_id=1,
        name=pl.format("League {}", tournament),
        country=pl.format("Country {}", tournament % _COUNTRIES),
    )
    copy_rows(connection, "tournaments", tournaments)
    number = pl.col("event")
    start = pl.lit(cycle_at(0)).dt.cast_time_unit("us")
    played = events().with_columns(created_at=start + pl.col("first_cycle") * timedelta(minutes=5))
    words = played.select(
        tournament_id=number % _TOURNAMENTS + 1,
        home_team=pl.format("Home Town {} FC", number),
        away_team=pl.format("Away City {} FC", number),
        kickoff="kickoff",
        sportradar_id=pl.format("{}", number + 60_000_000),
        created_at="created_at",
        id=number + 1,
    )
    copy_rows(connection, "events", words.with_columns(name=pl.format("{} - {}", "home_team", "away_team")))
    for bookmaker, _ in enumerate(BOOKMAKERS):
        listings = words.rename({"id": "event_id"}).with_columns(
            id=(pl.col("event_id") - 1) * len(BOOKMAKERS) + bookmaker + 1,
            bookmaker_id=pl.lit(bookmaker + 1),
            external_event_id=pl.format("{}", pl.col("event_id") + 40_000_000),
        )
        copy_rows(connection, "event_bookmakers", listings)
    is_moved = pl.col("event_id") % 10 == 0
    before = words.select(
        event_id="id",
        known_since="created_at",
        kickoff=pl.col("kickoff") - pl.when(pl.col("id") % 10 == 0).then(_MOVED).otherwise(timedelta()),
    )
    after = words.select(event_id="id", known_since=pl.col("created_at") + timedelta(minutes=30), kickoff="kickoff")
    copy_rows(connection, "event_kickoffs", pl.concat([before, after.filter(is_moved)]))
    _write_markets(connection, walks)
    for table in ("tournaments", "events", "event_bookmakers", "markets"):
        continue_ids(connection, table)


def _write_markets(connection: psycopg.Connection, walks: Walks) -> None:
    offered = [
        (bookmaker, number, template)
        for bookmaker, slug in enumerate(BOOKMAKERS)
        for number, template in enumerate(templates()[: MARKETS_OF_EVENT[slug]])
    ]
    types = market_type_ids(connection, sorted({template.market.market_id for template in templates()}))
    labels = label_ids(connection, [_label(template) for template in templates()])
    sets = outcome_set_ids(connection, [_outcome_set(template) for template in templates()])
    sources = source_ids(connection, [_source(bookmaker, template) for bookmaker, _, template in offered])
    observed = pl.DataFrame(
        [_observed(bookmaker, template) for bookmaker, _, template in offered], schema=dict(OBSERVATION_SCHEMA)
    )
    words = pl.DataFrame(
        [
            {
                "bookmaker": bookmaker,
                "template": number,
                "market_type_id": types[template.market.market_id],
                "label_id": labels[_label(template)],
                "source_id": sources[_source(bookmaker, template)],
                "outcome_set_id": sets[_outcome_set(template)],
                "line": template.line,
            }
            for bookmaker, number, template in offered
        ],
        schema_overrides={"line": OBSERVATION_SCHEMA["line"]},
    ).with_columns(with_fingerprints(observed)["label_fingerprint"])
    markets = walks.markets.join(words, on=["bookmaker", "template"], maintain_order="left")
    copy_rows(
        connection,
        "markets",
        markets.select(
            *(name for name in words.columns if name not in ("bookmaker", "template")),
            id="market_id",
            event_bookmaker_id="listing_id",
        ),
    )


def write_state(connection: psycopg.Connection, walks: Walks) -> None:
    """Current odds and how fresh each listing is, as the last cycle left them."""
    listings = _listing_state(walks)
    copy_rows(connection, "listing_state", listings)
    sized = walks.last.join(walks.markets.select("market_id", "template", "listing_id"), on="market_id")
    keys = [list(template.market.outcomes) for template in templates()]
    fingerprints = [
        fingerprint_of(bytes.fromhex(state[2:]), keys[template])
        for state, template in sized.select("state", "template").iter_rows()
    ]
    seen = listings.select("last_confirmed_at", listing_id="event_bookmaker_id")
    current = sized.join(seen, on="listing_id", maintain_order="left").select(
        "market_id",
        "captured_at",
        "run_id",
        "state",
        fingerprint=pl.Series(fingerprints, dtype=pl.Int64),
        unavailable_at=pl.when("is_gone").then("captured_at"),
        # A market that was gone before its match began was last seen in the answer before.
        last_seen_at=pl.when("is_gone").then(
            pl.min_horizontal("last_confirmed_at", pl.col("captured_at") - timedelta(minutes=5))
        ),
    )
    copy_rows(connection, "current_odds", current)
    connection.execute("UPDATE bookmakers SET last_discovery_at = %s", [cycle_at(LAST_CYCLE) + timedelta(seconds=17)])


def _listing_state(walks: Walks) -> pl.DataFrame:
    """Each listing's freshness: answered by the last cycle, or the last one before its kick-off, that did not fail."""
    listings = walks.markets.unique("listing_id").select("listing_id", "first_cycle", "kickoff", "delay")
    start = pl.lit(cycle_at(0)).dt.cast_time_unit("us")
    until_kickoff = (pl.col("kickoff") - start).dt.total_microseconds() - pl.col("delay") - 1
    cycle_us = timedelta(minutes=5) // timedelta(microseconds=1)
    newest = pl.min_horizontal(pl.lit(LAST_CYCLE), until_kickoff // cycle_us).cast(pl.Int32)
    failed = walks.failures.rename({"cycle": "newest"}).with_columns(failed=pl.lit(1, dtype=pl.Int32))
    answered = listings.with_columns(newest=newest).join(failed, on=["newest", "listing_id"], how="left")
    answered = answered.with_columns(pl.col("newest") - pl.col("failed").fill_null(0))
    is_over = pl.col("kickoff") <= NOW
    arrival = pl.duration(microseconds=pl.col("delay"))
    confirmed = start + pl.col("newest") * timedelta(minutes=5) + arrival
    return answered.select(
        event_bookmaker_id="listing_id",
        last_answer_at=pl.when(is_over).then("kickoff").otherwise(confirmed),
        last_confirmed_at=confirmed,
        unlisted_at=pl.when(is_over).then("kickoff"),
        first_confirmed_at=start + pl.col("first_cycle") * timedelta(minutes=5) + arrival,
    )


def continue_ids(connection: psycopg.Connection, table: str) -> None:
    """Let ids that the database gives follow those that were written."""
    query = sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), (SELECT max(id) FROM {}))")
    connection.execute(query.format(sql.Literal(table), sql.Identifier(table)))


def _label(template: Template) -> Label:
    return Label(template.market.name, template.market.handicap_type, template.market.groups)


def _outcome_set(template: Template) -> OutcomeSet:
    return OutcomeSet(tuple(template.market.outcomes), tuple(template.market.outcomes.values()))


def _source(bookmaker: int, template: Template) -> Source:
    specifier = None if template.line is None else f"total={template.line}"
    return Source(f"{BOOKMAKERS[bookmaker]}-{template.market.market_id}", specifier)


def _observed(bookmaker: int, template: Template) -> dict[str, Any]:
    source = _source(bookmaker, template)
    outcomes = [
        {"key": key, "name": name, "odds": None, "is_active": True} for key, name in template.market.outcomes.items()
    ]
    return {
        **dict.fromkeys(OBSERVATION_SCHEMA),
        "betpawa_market_name": template.market.name,
        "source_market_id": source.source_market_id,
        "source_specifier": source.source_specifier,
        "line": template.line,
        "handicap_type": template.market.handicap_type,
        "outcomes": outcomes,
        "market_groups": list(template.market.groups),
    }
