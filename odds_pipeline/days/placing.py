"""Archived observations placed at the markets that the database has today.

A file names markets as the catalogue did when it was written. Where the catalogue has learnt more since, an observation
belongs where ``remap`` moved the market: under other outcome keys, or in several parts. Where it joined the market with
another, what was observed at the former place counts up to the seam alone (``odds/timeline.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.markets.mapper import CANONICAL, Mapper, UnidentifiedMarket
from odds_pipeline.markets.remap import Move, moves
from odds_pipeline.odds.fold import STEPS
from odds_pipeline.odds.observation import LINE, OUTCOME_FIELDS

#: What is read of an observation file.
COLUMNS = (
    "captured_at",
    "bookmaker",
    "external_event_id",
    "betpawa_market_id",
    "line",
    "source_market_id",
    "source_specifier",
    "outcomes",
)
_LISTING = ["bookmaker", "external_event_id"]
_SOURCE = ["source_market_id", "source_specifier"]
_PLACE = ["betpawa_market_id", "line"]
_KIND = ["bookmaker", *_PLACE, *_SOURCE]
"""What tells markets apart that the catalogue judges alike."""

_MARKETS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "bookmaker": pl.String,
    "external_event_id": pl.String,
    "betpawa_market_id": pl.String,
    "line": pl.String,
    "source_market_id": pl.String,
    "source_specifier": pl.String,
}


_SEAMS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "betpawa_market_id": pl.String,
    "line": LINE,
    "until": STEPS["captured_at"],
}


class MarketUnknown(ValueError):
    """An archived observation cannot be placed at any market of the database, which knows its listing."""


class Placing:
    """Places observations; remembers the markets of every listing that it has met, as ``connection`` sees them."""

    def __init__(self, connection: psycopg.Connection, mapper: Mapper | None = None) -> None:
        self._connection = connection
        self._given = mapper
        row = connection.execute("SELECT catalogue_version FROM pipeline_settings").fetchone()
        assert row is not None
        self.version: str | None = row[0]
        """The catalogue that the stored markets are named by."""
        self._listings = pl.DataFrame(schema=dict.fromkeys(_LISTING, pl.String))
        self._markets = pl.DataFrame(schema={**_MARKETS, "line": LINE})
        self._seams = pl.DataFrame(schema=dict(_SEAMS))

    @cached_property
    def _mapper(self) -> Mapper:
        return self._given or Mapper.load()

    def steps(self, observations: pl.DataFrame) -> pl.DataFrame:
        """The steps (STEPS, in the observations' order; one of a market and moment) that observations make.

        ``observations``: ``COLUMNS``, ``run_id``, and ``is_as_stored``, whether today's catalogue wrote them. Those of
        listings that were deleted make none. Raises ``MarketUnknown``.
        """
        self._meet(observations)
        rows = observations.with_row_index("row")
        direct = rows.filter("is_as_stored").join(
            self._markets.select("market_id", *_LISTING, *_PLACE),
            on=[*_LISTING, *_PLACE],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        placed = direct.filter(pl.col("market_id").is_not_null())
        others = pl.concat(
            [rows.filter(~pl.col("is_as_stored")), direct.filter(pl.col("market_id").is_null()).select(rows.columns)]
        )
        found = [placed.select("row", *STEPS, is_own=True)]
        if not others.is_empty():
            moved = self._moved(others).select("row", *STEPS).join(others.select("row", *_PLACE), on="row")
            found.append(self._before_seams(moved).select(found[0].columns))
        return _told_once(pl.concat(found)).select(*STEPS)

    def _meet(self, observations: pl.DataFrame) -> None:
        """Read the markets of the listings that are new to us."""
        listings = observations.select(_LISTING).unique().join(self._listings, on=_LISTING, how="anti")
        if listings.is_empty():
            return
        query = sql.SQL(
            """
            SELECT market.id, bookmaker.slug, listing.external_event_id, type.betpawa_market_id, market.line::text,
                   source.source_market_id, source.source_specifier
            FROM unnest({}::text[], {}::text[]) AS met (slug, external_event_id)
            JOIN bookmakers AS bookmaker ON bookmaker.slug = met.slug
            JOIN event_bookmakers AS listing
              ON listing.bookmaker_id = bookmaker.id AND listing.external_event_id = met.external_event_id
            JOIN markets AS market ON market.event_bookmaker_id = listing.id
            JOIN market_types AS type ON type.id = market.market_type_id
            JOIN market_sources AS source ON source.id = market.source_id
            """
        ).format(*(sql.Literal(listings[name].to_list()) for name in _LISTING))
        rows = self._connection.execute(query).fetchall()
        markets = pl.DataFrame(rows, schema=dict(_MARKETS), orient="row").with_columns(pl.col("line").cast(LINE))
        self._markets = pl.concat([self._markets, markets])
        places = self._connection.execute(
            "SELECT market_id, betpawa_market_id, line, until FROM former_places "
            "WHERE until IS NOT NULL AND market_id = ANY (%s)",
            [markets["market_id"].to_list()],
        )
        self._seams = pl.concat([self._seams, pl.DataFrame(places.fetchall(), schema=dict(_SEAMS), orient="row")])
        self._listings = pl.concat([self._listings, listings])

    def _before_seams(self, steps: pl.DataFrame) -> pl.DataFrame:
        """Without those of a former place after the seam; ``is_own``, whether the market is still at the step's place.

        ``steps``: STEPS with the place that the file names.
        """
        own = self._markets.select("market_id", *_PLACE, is_own=True)
        on = ["market_id", *_PLACE]
        seams = steps.join(self._seams, on=on, how="left", nulls_equal=True).join(
            own, on=on, how="left", nulls_equal=True
        )
        is_before = (pl.col("captured_at") < pl.col("until")).fill_null(value=True)
        return seams.filter(is_before).with_columns(pl.col("is_own").fill_null(value=False))

    def _moved(self, rows: pl.DataFrame) -> pl.DataFrame:
        """STEPS with ``row``, of rows that the catalogue may place elsewhere today."""
        if self._mapper.version != self.version and not rows["is_as_stored"].all():
            raise MarketUnknown(
                f"stored markets are named by the catalogue {self.version}, not {self._mapper.version}: run "
                "odds-pipeline remap first"
            )
        kinds = rows.group_by(_KIND).agg(pl.col("outcomes").explode().drop_nulls().unique()).with_row_index("kind")
        told, parts = self._judged(kinds)
        rows = rows.join(kinds.drop("outcomes"), on=_KIND, nulls_equal=True, maintain_order="left")
        elsewhere = rows.drop(_PLACE)
        named = self._places(elsewhere.join(told.select("kind", *_PLACE).unique(), on="kind"))
        # Parts that the observation says nothing of are not offered.
        silent = self._places(elsewhere.join(parts, on="kind"), same_source=True)
        offered = (
            elsewhere.select("row", "kind", "outcomes")
            .explode("outcomes")
            .unnest("outcomes")
            .join(told, on=["kind", "key"])
            .with_columns(key="new_key")
            .group_by("row", *_PLACE, maintain_order=True)
            .agg(outcomes=pl.struct(*OUTCOME_FIELDS))
        )
        moved = (
            pl.concat([named, silent.join(named, on=["row", "market_id"], how="anti")])
            .join(offered, on=["row", *_PLACE], how="left", nulls_equal=True)
            .with_columns(pl.col("outcomes").fill_null([]))
            .join(rows.select("row", "captured_at", "run_id"), on="row")
        )
        # Stored after the remap, by a replay of older files, a market still is where the file says.
        partly = told.join(kinds, on=["kind", *_PLACE], how="semi", nulls_equal=True).select("kind").unique()
        lost = offered.join(named, on=["row", *_PLACE], how="anti", nulls_equal=True).select("row")
        may_stay = pl.concat([rows.join(partly, on="kind", how="anti").select("row"), lost]).unique()
        stays = rows.join(may_stay, on="row", how="semi").join(self._places(rows), on="row")
        moved = moved.join(pl.concat([stays.select("row"), lost]), on="row", how="anti")
        placed = pl.concat([each.select("row", *STEPS) for each in (moved, stays)])
        self._require_all(rows.join(placed, on="row", how="anti"))
        return placed

    def _judged(self, kinds: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Where the outcomes of each kind belong, and which other parts its market may have been split into."""
        told: list[tuple[Any, ...]] = []
        parts: list[tuple[Any, ...]] = []
        for kind in kinds.iter_rows(named=True):
            found = self._moves(kind)
            told += [
                (kind["kind"], key, move.target.market_id, move.target.line, new_key)
                for move in found or []
                for key, (new_key, _) in move.outcomes.items()
            ]
            if found is not None or not kind["outcomes"]:
                parts += [(kind["kind"], *place) for place in self._places_of(kind)]
        schema = {"kind": pl.UInt32, "key": pl.String, "betpawa_market_id": pl.String, "line": LINE}
        return (
            pl.DataFrame(told, schema={**schema, "new_key": pl.String}, orient="row"),
            pl.DataFrame(parts, schema={name: schema[name] for name in ("kind", *_PLACE)}, orient="row"),
        )

    def _moves(self, kind: Mapping[str, Any]) -> list[Move] | None:
        return moves(
            self._mapper,
            bookmaker=kind["bookmaker"],
            source_market_id=kind["source_market_id"],
            source_specifier=kind["source_specifier"],
            market_id=kind["betpawa_market_id"],
            line=kind["line"],
            outcomes={outcome["key"]: outcome["name"] for outcome in kind["outcomes"]},
        )

    def _places_of(self, kind: Mapping[str, Any]) -> set[tuple[str, Decimal | None]]:
        """Every market that the catalogue makes of the kind's source."""
        if kind["bookmaker"] == CANONICAL:
            return set()
        try:
            place = self._mapper.place(kind["bookmaker"], kind["source_market_id"], kind["source_specifier"])
        except UnidentifiedMarket:
            return set()
        targets = [place.target, *(target for target, _, _ in place.outcomes.values())]
        return {(target.market_id, target.line) for target in targets}

    def _places(self, rows: pl.DataFrame, *, same_source: bool = False) -> pl.DataFrame:
        """(row, the place, market_id) of the rows whose place, with ``same_source`` of their own source, is there."""
        on = [*_LISTING, *_PLACE, *(_SOURCE if same_source else ())]
        there = rows.join(self._markets, on=on, nulls_equal=True, suffix="_there")
        return there.select("row", *_PLACE, "market_id").unique(["row", "market_id"], maintain_order=True)

    def _require_all(self, lost: pl.DataFrame) -> None:
        """Of rows that were not placed, only those are in order that offer nothing, or whose listing was deleted."""
        known = self._markets.select(_LISTING).unique()
        lost = lost.filter(pl.col("outcomes").list.len() > 0).join(known, on=_LISTING, how="semi")
        if not lost.is_empty():
            row = lost.row(0, named=True)
            raise MarketUnknown(
                f"market {row['betpawa_market_id']} (line {row['line']}) of {row['bookmaker']} "
                f"{row['external_event_id']}, which the archive has, is not in the table markets"
            )


def _told_once(steps: pl.DataFrame) -> pl.DataFrame:
    """The steps by row, of several of a market and moment one: rather seen than vanished, rather its own.

    A market that moved vanishes under the one id when it is first seen under the other. Where it was seen under both,
    and no seam is known, because it was joined before seams were remembered, its own place counts.
    """
    rank = (pl.col("outcomes").list.len() > 0).cast(pl.Int8) * 2 + pl.col("is_own").cast(pl.Int8)
    ranked = steps.with_columns(rank=rank).sort("rank", "row", maintain_order=True)
    return ranked.unique(["market_id", "captured_at"], keep="last").sort("row", maintain_order=True)
