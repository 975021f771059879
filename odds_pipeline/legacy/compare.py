"""An earlier system that runs beside ours on the same odds, compared with it row by row.

The two do not ask at the same moment, so a row of one agrees when the other showed the same offer at some time within
a tolerance of it. Compared are trusted markets of both sides, in the time in which both were at work; the offer is the
set of (outcome key, price while active), and availability.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import between, read_history
from odds_pipeline.days.opening import opening_state
from odds_pipeline.legacy.changes import changes_of_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.fold import SETS, steps_of
from odds_pipeline.odds.observation import LINE, UTC_MICROSECONDS

_LISTING = ["bookmaker", "external_event_id"]
_MARKET = [*_LISTING, "betpawa_market_id", "line"]

_GONE = "gone"
_NOTHING = "nothing"

#: A row of one side that the other does not bear out. ``side``: whose row it is; ``earlier`` and ``ours``: what either
#: shows at that moment (an offer in words, ``gone``, or ``nothing``: never had it).
DIFFERENCES = {
    "bookmaker": pl.String,
    "external_event_id": pl.String,
    "betpawa_market_id": pl.String,
    "line": LINE,
    "captured_at": UTC_MICROSECONDS,
    "side": pl.String,
    "earlier": pl.String,
    "ours": pl.String,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One UTC day: rows compared on each side, and those that the other side does not bear out (DIFFERENCES).

    ``not_compared``: rows of both sides outside the time in which both were at work, of untrusted markets, or of
    markets that only ours stores.
    """

    day: date
    earlier_rows: int
    our_rows: int
    not_compared: int
    differences: pl.DataFrame


def compare(
    database: Database, archive: Archive, source: LegacySource, first: date, last: date, *, tolerance: timedelta
) -> Iterator[Comparison]:
    """Compare each of the UTC days, both included, that the earlier system has odds of, oldest first.

    Raises what reading the source raises.
    """
    mapper = Mapper.load()
    for day in source.days():
        if first <= day <= last:
            earlier = changes_of_day(source, day, mapper=mapper).observations
            yield compare_day(day, earlier, _our_rows(database, archive, day), tolerance=tolerance)


def compare_day(day: date, earlier: pl.DataFrame, ours: pl.DataFrame, *, tolerance: timedelta) -> Comparison:
    """Compare one day. ``earlier``: its changes, with ``is_trusted``; ``ours``: the same columns but that, with the
    rows of before the day that were still in force at its beginning.
    """
    untrusted = earlier.filter(~pl.col("is_trusted")).select(_MARKET).unique()
    theirs = _spans(earlier.join(untrusted, on=_MARKET, how="anti", nulls_equal=True))
    mine = _spans(ours)
    midnight = pl.lit(day).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    today = mine.filter(pl.col("since") >= midnight)
    both_until = (
        _last(theirs)
        .join(_last(mine), on="bookmaker")
        .select("bookmaker", last=pl.min_horizontal("last", "last_right") + tolerance)
    )
    # Of the earlier system nothing is known from before the day; of ours all is.
    their_rows = _within(theirs, both_until, _first_heard(theirs, mine), tolerance)
    our_rows = _within(today, both_until, theirs.group_by(_MARKET).agg(first=pl.col("since").min()), tolerance)
    differences = [
        _differences(their_rows, mine, side="earlier", tolerance=tolerance),
        _differences(our_rows, theirs, side="ours", tolerance=tolerance),
    ]
    return Comparison(
        day=day,
        earlier_rows=their_rows.height,
        our_rows=our_rows.height,
        not_compared=earlier.height - their_rows.height + today.height - our_rows.height,
        differences=pl.concat(differences).sort("captured_at", *_MARKET),
    )


def _spans(rows: pl.DataFrame) -> pl.DataFrame:
    """(market, since, until, offer) of each row: the time in which it was in force (until null: no end yet)."""
    return (
        rows.select(*_MARKET, since="captured_at", offer=_offer())
        .sort("since", maintain_order=True)
        .with_columns(until=pl.col("since").shift(-1).over(_MARKET))
    )


def _offer() -> pl.Expr:
    """An offer in words that are equal when two offers are."""
    outcome = pl.element().struct
    price = (
        pl.when(outcome.field("is_active"))
        .then(outcome.field("odds").cast(LINE).cast(pl.String))
        .otherwise(pl.lit("suspended"))
    )
    words = pl.col("outcomes").list.eval(pl.concat_str(outcome.field("key"), price, separator=" ")).list.sort()
    return pl.when(pl.col("outcomes").list.len() > 0).then(words.list.join(", ")).otherwise(pl.lit(_GONE))


def _last(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.group_by("bookmaker").agg(last=pl.col("since").max())


def _first_heard(theirs: pl.DataFrame, mine: pl.DataFrame) -> pl.DataFrame:
    """From when on ours knows each listing of theirs: its first row, or, where it has none, its bookmaker's."""
    by_bookmaker = mine.group_by("bookmaker").agg(first_of_all=pl.col("since").min())
    by_listing = mine.group_by(_LISTING).agg(first=pl.col("since").min())
    listings = theirs.select(_LISTING).unique().join(by_bookmaker, on="bookmaker", how="inner")
    return listings.join(by_listing, on=_LISTING, how="left").select(
        *_LISTING, first=pl.coalesce("first", "first_of_all")
    )


def _within(rows: pl.DataFrame, until: pl.DataFrame, since: pl.DataFrame, tolerance: timedelta) -> pl.DataFrame:
    """The rows in the time that both sides cover."""
    key = [name for name in since.columns if name != "first"]
    return (
        rows.join(until, on="bookmaker", how="inner")
        .join(since, on=key, how="inner", nulls_equal=True)
        .filter(pl.col("since") >= pl.col("first") - tolerance, pl.col("since") <= pl.col("last"))
        .select(rows.columns)
    )


def _differences(rows: pl.DataFrame, others: pl.DataFrame, *, side: str, tolerance: timedelta) -> pl.DataFrame:
    """The rows whose offer the other side did not show within the tolerance, with what it did show."""
    numbered = rows.with_row_index("row")
    agreeing = (
        numbered.join(others, on=[*_MARKET, "offer"], how="inner", nulls_equal=True, suffix="_other")
        .filter(
            pl.col("since_other") <= pl.col("since") + tolerance,
            (pl.col("until_other") > pl.col("since") - tolerance).fill_null(value=True),
        )
        .select("row")
        .unique()
    )
    # To be gone and never to have been there is the same.
    alone = numbered.join(agreeing, on="row", how="anti")
    shown = (
        alone.join(others, on=_MARKET, how="inner", nulls_equal=True, suffix="_other")
        .filter(pl.col("since_other") <= pl.col("since"))
        .sort("since_other")
        .unique("row", keep="last", maintain_order=True)
        .select("row", "offer_other")
    )
    other = "ours" if side == "earlier" else "earlier"
    return (
        alone.join(shown, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("offer_other").fill_null(_NOTHING))
        .filter(~((pl.col("offer") == _GONE) & (pl.col("offer_other") == _NOTHING)))
        .rename({"since": "captured_at", "offer": side, "offer_other": other})
        .with_columns(side=pl.lit(side))
        .select(pl.col(name).cast(kind) for name, kind in DIFFERENCES.items())
    )


def _our_rows(database: Database, archive: Archive, day: date) -> pl.DataFrame:
    """Our history of the day, and the rows in force at its beginning: the market's key, captured_at, outcomes."""
    with database.connect() as connection:
        rows = read_history(connection, between(day, day + timedelta(days=1)))
        imports = [run_id for (run_id,) in connection.execute("SELECT run_id FROM imported_days")]
    history = pl.concat([opening_state(database, archive, day), rows]).filter(~pl.col("run_id").is_in(imports))
    markets = database.read_frame(
        """
        SELECT market.id AS market_id, bookmaker.slug AS bookmaker, listing.external_event_id, type.betpawa_market_id,
               market.line::text, outcome_set.keys
        FROM markets AS market
        JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN market_types AS type ON type.id = market.market_type_id
        JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
        """
    ).with_columns(pl.col("market_id").cast(pl.Int32), pl.col("line").cast(LINE))
    sets = markets.select(pl.col(name).cast(kind) for name, kind in SETS.items())
    steps = steps_of(history, sets)
    return steps.join(markets.drop("keys"), on="market_id", how="inner").select(*_MARKET, "captured_at", "outcomes")
