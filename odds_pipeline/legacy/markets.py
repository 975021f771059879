"""Where imported changes belong: their listings and markets in our database, made where they are unknown.

Words of an earlier system never replace words that are stored; of a market that is known only its outcome set grows.
Runs inside the import's transaction.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.apply import apply_changes
from odds_pipeline.database.dictionaries import OutcomeSet, market_type_ids, outcome_set_ids
from odds_pipeline.database.engine import Database
from odds_pipeline.database.listings import choose_primaries, find_listings, resolve_listings
from odds_pipeline.database.states import changed_rows
from odds_pipeline.odds.answers import with_comparison_columns
from odds_pipeline.odds.diff import Change
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA

_LISTING = ["bookmaker", "external_event_id"]
_KEY = ["listing_id", "type_id", "line"]
_WORDS = ["sportradar_id", "sport", "country", "tournament", "home_team", "away_team", "kickoff"]
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Placed(NamedTuple):
    """The given changes with their ``market_id``, and which of the markets are new."""

    changes: pl.DataFrame
    new_markets: pl.Series


def place_listings(connection: psycopg.Connection, changes: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """The listings of the changes: (bookmaker, external_event_id, listing_id, first_confirmed_at).

    A listing joins its event by SportRadar id, so a competitor's meets betPawa's also where the earlier system had not
    linked them. Raises ``UnknownBookmaker``.
    """
    words = changes.group_by(_LISTING, maintain_order=True).agg(pl.col(_WORDS).last())
    # Words of long ago: whatever is stored of a listing that has ever answered, or was imported, is newer.
    told = words.with_columns(captured_at=pl.lit(_LONG_AGO, dtype=OBSERVATION_SCHEMA["captured_at"]))
    stored = find_listings(connection, told)
    listings = resolve_listings(connection, told, stored, now=now, as_of=now)
    choose_primaries(connection, stored["event_id"], listings["event_id"])
    rows = connection.execute(
        """
        SELECT event_bookmaker_id, first_confirmed_at FROM listing_state
        WHERE event_bookmaker_id = ANY(%s) AND first_confirmed_at IS NOT NULL
        """,
        [listings["listing_id"].to_list()],
    ).fetchall()
    moment = OBSERVATION_SCHEMA["captured_at"]
    known = pl.DataFrame(rows, schema={"listing_id": pl.Int32, "first_confirmed_at": moment}, orient="row")
    return listings.drop("event_id").join(known, on="listing_id", how="left", maintain_order="left")


def place_markets(database: Database, connection: psycopg.Connection, changes: pl.DataFrame) -> Placed:
    """The markets of the changes, which bear their ``listing_id``; what is new is inserted, sets grow at their end.

    A market that is only ever gone in ``changes`` and unknown here has nothing to say: its changes are dropped.
    """
    types = market_type_ids(connection, changes["betpawa_market_id"].unique().to_list())
    type_ids = pl.DataFrame(
        {"betpawa_market_id": list(types), "type_id": list(types.values())},
        schema={"betpawa_market_id": pl.String, "type_id": pl.Int32},
    )
    changes = changes.join(type_ids, on="betpawa_market_id", how="left", maintain_order="left")
    offered = _offered(changes)
    stored = _stored(database, changes["listing_id"].unique().to_list())
    _grow(connection, offered.join(stored, on=_KEY, how="inner", nulls_equal=True))
    made = _make(database, connection, offered.join(stored, on=_KEY, how="anti", nulls_equal=True))
    markets = pl.concat([stored.select(made.columns), made])
    placed = changes.join(markets, on=_KEY, how="inner", nulls_equal=True, maintain_order="left").drop("type_id")
    return Placed(placed, made["market_id"])


def _offered(changes: pl.DataFrame) -> pl.DataFrame:
    """One row per market that is offered at all: its newest words, and every outcome it had (newest name last seen)."""
    seen = changes.filter(pl.col("outcomes").list.len() > 0)
    outcomes = (
        seen.select(*_KEY, "outcomes")
        .explode("outcomes")
        .with_columns(outcome_key=pl.col("outcomes").struct.field("key"))
        .unique([*_KEY, "outcome_key"], keep="last", maintain_order=True)
        .group_by(_KEY, maintain_order=True)
        .agg("outcomes")
    )
    newest = seen.unique(_KEY, keep="last", maintain_order=True).drop("outcomes")
    return newest.join(outcomes, on=_KEY, how="left", nulls_equal=True, maintain_order="left")


def _stored(database: Database, listing_ids: list[int]) -> pl.DataFrame:
    """(listing_id, type_id, line, market_id, keys, names) of every market of the listings."""
    markets = database.read_frame(
        sql.SQL(
            """
            SELECT event_bookmaker_id AS listing_id, market_type_id AS type_id, line, id AS market_id, outcome_set_id
            FROM markets WHERE event_bookmaker_id = ANY ({})
            """
        ).format(sql.Literal(listing_ids))
    )
    sets = database.read_frame(
        sql.SQL("SELECT id AS outcome_set_id, keys, names FROM outcome_sets WHERE id = ANY ({})").format(
            sql.Literal(markets["outcome_set_id"].unique().to_list())
        )
    )
    return markets.join(sets, on="outcome_set_id", how="left").select(
        pl.col("listing_id", "type_id").cast(pl.Int32),
        pl.col("line").cast(OBSERVATION_SCHEMA["line"]),
        pl.col("market_id").cast(pl.Int32),
        pl.col("keys", "names").cast(pl.List(pl.String)),
    )


def _grow(connection: psycopg.Connection, known: pl.DataFrame) -> None:
    """Append the outcomes that stored sets lack."""
    new = (
        known.select("market_id", "keys", "outcomes")
        .explode("outcomes")
        .with_columns(
            key=pl.col("outcomes").struct.field("key"),
            name=pl.coalesce(pl.col("outcomes").struct.field("name"), pl.col("outcomes").struct.field("key")),
        )
        .filter(~pl.col("key").is_in(pl.col("keys")))
        .group_by("market_id", maintain_order=True)
        .agg(new_keys="key", new_names="name")
    )
    grown = known.join(new, on="market_id", how="inner").with_columns(
        keys=pl.col("keys").list.concat("new_keys"), names=pl.col("names").list.concat("new_names")
    )
    sets = [OutcomeSet(tuple(keys), tuple(names)) for keys, names in grown.select("keys", "names").iter_rows()]
    ids = outcome_set_ids(connection, sets)
    connection.execute(
        """
        UPDATE markets AS market SET outcome_set_id = grown.set_id
        FROM unnest(%s::int[], %s::int[]) AS grown (market_id, set_id) WHERE market.id = grown.market_id
        """,
        [grown["market_id"].to_list(), [ids[each] for each in sets]],
    )


def _make(database: Database, connection: psycopg.Connection, unknown: pl.DataFrame) -> pl.DataFrame:
    """Insert markets with their words; (listing_id, type_id, line, market_id) of them.

    The writer's own way from changes to rows, but only the markets are written: their states come from the fold.
    """
    observations = with_comparison_columns(unknown.select(*OBSERVATION_SCHEMA))
    changes = unknown.with_row_index("row").select(
        pl.lit(None, dtype=pl.Int32).alias("market_id"),
        "listing_id",
        "type_id",
        pl.col("line").mul(1000).cast(pl.Int32),
        "row",
        observations["fingerprint"],
        observations["label_fingerprint"],
        "captured_at",
        change=pl.lit(Change.NEW.value),
        is_relabelled=pl.lit(value=False),
    )
    made = [pl.DataFrame(schema={**unknown.select(_KEY).schema, "market_id": pl.Int32})]
    for rows, _ in changed_rows(database, connection, changes, observations.lazy()):
        nothing = rows.new_states.clear()
        apply_changes(connection, rows._replace(new_states=nothing, changed_states=nothing), run_id=0)
        made.append(
            rows.new_markets.select(
                pl.col("event_bookmaker_id").alias("listing_id"),
                pl.col("market_type_id").alias("type_id"),
                "line",
                pl.col("id").alias("market_id"),
            )
        )
    return pl.concat(made)
