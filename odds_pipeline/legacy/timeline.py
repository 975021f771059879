"""The statements of some listings in time order, and what becomes of each: a change, a repetition, a refusal.

A statement of a snapshot counts together with the snapshot's silence: a market that the listing's next snapshot lacks
is gone from then on. A row of the second generation speaks for its own market alone. A refused statement says nothing,
neither that its market is there nor that it went.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from odds_pipeline.legacy.lines import with_lines
from odds_pipeline.legacy.offers import LINE_UNREADABLE, SEPARATOR, Offer, OfferReader
from odds_pipeline.legacy.tables import COMPETITOR_MARKET_ODDS, MARKET_ODDS, MARKET_ODDS_CURRENT, ODDS_TABLES
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.arrow_columns import outcomes_column

_MARKET = ["listing", "market_id", "line"]
_SNAPSHOT_TABLES = (MARKET_ODDS, COMPETITOR_MARKET_ODDS)
#: In the column ``offer``: not offered. Offers themselves are numbered from 0; null is a refusal.
_GONE = -1

FATES = ("duplicate", "merged", "refused", "unchanged", "changed", "gone")


class Timeline(NamedTuple):
    """``changes``: the rows after which a market is another than before, with ``outcomes`` (empty: gone), ``distrust``
    and the words of its statement. ``fates``: table, at, fate (one of ``FATES``), reason (of a refusal, or why a
    change is not to be trusted) and rows, for all stored rows and each disappearance."""

    changes: pl.DataFrame
    fates: pl.DataFrame


def timeline_of(statements: pl.DataFrame, bookmakers: pl.DataFrame, mapper: Mapper, reader: OfferReader) -> Timeline:
    """The timeline of ``statements`` (``STATEMENT_SCHEMA``), whose listings' slugs are in ``bookmakers`` (listing,
    bookmaker). A market's first statement is a change."""
    rows = _with_distrust(with_lines(statements, mapper).join(bookmakers, on="listing"), reader)
    unreadable = rows.filter("is_unreadable")
    rows = rows.with_columns(is_repeat=_is_repeat() & ~pl.col("is_unreadable"))
    markets = _merged(rows.filter(~(pl.col("is_repeat") | pl.col("is_unreadable"))))
    markets = markets.with_columns(is_strongest=pl.col("rank") == pl.col("rank").min().over([*_MARKET, "at"]))
    spoken = _with_offers(markets.filter("is_strongest"), reader)
    marked = _marked(pl.concat([spoken, _disappearances(spoken, _complete(rows, unreadable))], how="diagonal"))
    stated = marked.filter(~pl.col("is_derived"))
    is_refused = pl.col("refusal").is_not_null()
    fates = [
        _fate(unreadable, "refused", pl.lit(LINE_UNREADABLE)),
        _fate(rows.filter("is_repeat"), "duplicate"),
        # A weaker table's word on the same moment, all its pieces.
        _fate(markets.filter(~pl.col("is_strongest")), "duplicate", rows=pl.col("pieces")),
        _fate(spoken.filter(pl.col("pieces") > 1), "merged", rows=pl.col("pieces") - 1),
        _fate(stated.filter(is_refused), "refused", pl.col("refusal")),
        _fate(stated.filter(~is_refused, ~pl.col("is_change")), "unchanged"),
        _fate(stated.filter("is_change"), "changed", pl.col("distrust")),
        _fate(marked.filter("is_change", "is_derived"), "gone", pl.col("distrust")),
    ]
    return Timeline(marked.filter("is_change"), pl.concat(fates))


def _fate(frame: pl.DataFrame, fate: str, reason: pl.Expr | None = None, rows: pl.Expr | None = None) -> pl.DataFrame:
    reason = pl.lit(None) if reason is None else reason
    rows = pl.lit(1) if rows is None else rows
    return frame.select("table", "at", fate=pl.lit(fate), reason=reason.cast(pl.String), rows=rows.cast(pl.Int64))


def _with_distrust(rows: pl.DataFrame, reader: OfferReader) -> pl.DataFrame:
    """Add ``market_distrust``: why nothing that is said of the market is to be trusted, whatever it offers."""
    columns = {
        "bookmaker": pl.col("bookmaker"),
        "market_id": pl.col("market_id"),
        "has_line": pl.col("line").is_not_null(),
        "needs_line": pl.col("kind").is_not_null(),
        "is_disputed": pl.col("is_disputed"),
    }
    kept = rows.with_columns(**columns)
    seen = kept.select(list(columns)).unique()
    reasons = [
        reader.market_distrust(
            row["bookmaker"],
            row["market_id"],
            has_line=row["has_line"],
            needs_line=row["needs_line"],
            is_disputed=row["is_disputed"],
        )
        for row in seen.iter_rows(named=True)
    ]
    seen = seen.with_columns(pl.Series("market_distrust", reasons, pl.String))
    return kept.join(seen, on=list(columns), how="left").drop("has_line", "needs_line", "is_disputed")


def _is_repeat() -> pl.Expr:
    """Whether a row says nothing that a row of its table does not say of the same moment too.

    A snapshot that was stored twice counts as stored last.
    """
    is_older = pl.col("snapshot_id") < pl.col("snapshot_id").max().over("listing", "at", "table")
    said = pl.struct(*_MARKET, "at", "table", "snapshot_id", "outcomes", "unavailable_at", "is_unreadable")
    return is_older.fill_null(False) | ~said.is_first_distinct()


def _merged(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per market, moment and table: the rows that a market was split into are one again (B-01).

    ``texts`` holds the ``outcomes`` of its ``pieces``; it went when all of them did.
    """
    gone_at = pl.col("unavailable_at")
    ranks = {table: rank for rank, table in enumerate(ODDS_TABLES)}
    return (
        rows.sort("row_id")
        .group_by([*_MARKET, "at", "table"], maintain_order=True)
        .agg(
            pl.col("outcomes").fill_null("null").str.join(SEPARATOR).alias("texts"),
            pl.len().cast(pl.Int64).alias("pieces"),
            pl.when(gone_at.is_null().any()).then(None).otherwise(gone_at.max()).alias("unavailable_at"),
            pl.col("bookmaker", "name", "handicap_type", "kind", "groups", "market_distrust").first(),
        )
        .with_columns(
            rank=pl.col("table").replace_strict(ranks, return_dtype=pl.Int8),
            # The current state alone tells when a market of the second generation ended, whatever was said before.
            ended_at=pl.col("unavailable_at").filter(pl.col("table") == MARKET_ODDS_CURRENT).max().over(_MARKET),
        )
    )


def _with_offers(markets: pl.DataFrame, reader: OfferReader) -> pl.DataFrame:
    """Add ``offer`` (equal numbers: equal offers of one market), ``outcomes``, ``refusal`` and ``distrust``."""
    identity = ["bookmaker", "market_id", "texts"]
    seen = markets.select(identity).unique()
    offers = [reader.read(*row) for row in seen.iter_rows()]
    numbers: dict[frozenset[object], int] = {}
    numbered = [None if offer.refusal else numbers.setdefault(_substance(offer), len(numbers)) for offer in offers]
    seen = seen.with_columns(
        pl.Series("offer", numbered, pl.Int64),
        outcomes_column([offer.outcomes for offer in offers]).alias("outcomes"),
        pl.Series("refusal", [offer.refusal for offer in offers], pl.String),
        pl.Series("offer_distrust", [offer.distrust for offer in offers], pl.String),
    )
    went = (pl.col("unavailable_at") <= pl.col("at")).fill_null(False)
    went |= (pl.col("ended_at") == pl.col("at")).fill_null(False)
    is_gone = pl.col("refusal").is_null() & (went | (pl.col("outcomes").list.len() == 0))
    return (
        markets.join(seen, on=identity, how="left")
        .drop("texts")
        .with_columns(
            offer=pl.when(is_gone).then(_GONE).otherwise("offer"),
            outcomes=pl.when(is_gone).then(pl.lit([], outcomes_column([]).dtype)).otherwise("outcomes"),
            distrust=pl.when(is_gone)
            .then("market_distrust")
            .otherwise(pl.coalesce("market_distrust", "offer_distrust")),
            is_derived=pl.lit(False),
        )
    )


def _substance(offer: Offer) -> frozenset[object]:
    """What counts when offers are compared: the outcomes, and the prices of those that can be bet on."""
    return frozenset((outcome.key, outcome.is_active, outcome.odds) for outcome in offer.outcomes)


def _complete(rows: pl.DataFrame, unreadable: pl.DataFrame) -> pl.DataFrame:
    """The moments (listing, complete_at) at which a listing's snapshot tells all of its markets."""
    snapshots = rows.filter(pl.col("table").is_in(_SNAPSHOT_TABLES)).select("listing", "at").unique()
    return snapshots.join(unreadable, on=["listing", "at"], how="anti").select("listing", complete_at="at")


def _disappearances(spoken: pl.DataFrame, complete: pl.DataFrame) -> pl.DataFrame:
    """Where a market is gone without a row that says so: the next snapshot lacks it, or its own row was marked."""
    following = (
        spoken.sort("at")
        .join_asof(
            complete.sort("complete_at"),
            left_on="at",
            right_on="complete_at",
            by="listing",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .sort(*_MARKET, "at")
        .with_columns(next_at=pl.col("at").shift(-1).over(_MARKET))
    )
    is_before_next = pl.col("next_at").is_null() | (pl.col("gone_at") < pl.col("next_at"))
    lacking = following.with_columns(gone_at="complete_at").filter(pl.col("gone_at").is_not_null(), is_before_next)
    ends = [following.with_columns(gone_at=end) for end in ("unavailable_at", "ended_at")]
    marked = [frame.filter(pl.col("gone_at") > pl.col("at"), is_before_next) for frame in ends]
    return (
        pl.concat([lacking, *marked])
        .unique([*_MARKET, "gone_at"], keep="first", maintain_order=True)
        .with_columns(
            at="gone_at",
            offer=pl.lit(_GONE, pl.Int64),
            outcomes=pl.lit([], outcomes_column([]).dtype),
            refusal=pl.lit(None, pl.String),
            distrust="market_distrust",
            is_derived=pl.lit(True),
        )
        .select(spoken.columns)
    )


def _marked(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``is_change``: whether a row differs from the last before it that was not refused.

    A market that was never there cannot go; after a refusal nobody knows whether it was there.
    """
    before = pl.col("offer").forward_fill().shift(1).over(_MARKET)
    nth = pl.int_range(pl.len()).over(_MARKET)
    is_other = before.is_null() | (pl.col("offer") != before)
    was_never_there = (pl.col("offer") == _GONE) & (nth == 0)
    return rows.sort(*_MARKET, "at").with_columns(
        is_change=(pl.col("offer").is_not_null() & is_other & ~was_never_there).fill_null(False)
    )
