"""Change detection: which markets of the answered listings are new, changed, back, gone or merely confirmed.

A pure function on narrow integer frames: keys and fingerprints, no outcomes. Whoever calls it has resolved texts to
ids and decided which answers count; what an absence means for a whole listing (the guard, kick-off) is decided in
``absence.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

MARKET_KEY = ("listing_id", "type_id", "line")
"""A market's identity: its bookmaker event, its type and its line in thousandths (null, no line, is not line 0)."""

#: Current, as read for the answered listings.
CURRENT_KEYS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "listing_id": pl.Int32,
    "type_id": pl.Int32,
    "line": pl.Int32,
    "fingerprint": pl.Int64,
    "label_fingerprint": pl.Int64,
    "is_available": pl.Boolean,
    "has_own_sighting": pl.Boolean,
}

#: What the answers contain; ``row`` finds the observation again.
OBSERVED_KEYS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.UInt32,
    "listing_id": pl.Int32,
    "type_id": pl.Int32,
    "line": pl.Int32,
    "fingerprint": pl.Int64,
    "label_fingerprint": pl.Int64,
}

#: Listings whose absent markets are gone, and the moment that proves it: a complete answer's arrival, or the end.
PROVEN_ABSENCE: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "listing_id": pl.Int32,
    "gone_at": pl.Datetime("us", "UTC"),
}

#: Markets that an answer contained in a form that could not be read: neither confirmed nor gone.
REFUSED_KEYS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "listing_id": pl.Int32,
    "type_id": pl.Int32,
    "line": pl.Int32,
}


#: Markets that an answer says are gone, where it tells only what changed (archived observations).
VANISHED_KEYS: Mapping[str, pl.DataType | type[pl.DataType]] = {**REFUSED_KEYS, "gone_at": PROVEN_ABSENCE["gone_at"]}


class Change(StrEnum):
    """What an answer does to a market. The first four are changes (history); the last three touch current alone."""

    NEW = "new"
    CHANGED = "changed"
    RETURNED = "returned"
    UNAVAILABLE = "unavailable"
    RELABELLED = "relabelled"
    SIGHTED = "sighted"
    REFUSED = "refused"


OBSERVED_CHANGES = (Change.NEW, Change.CHANGED, Change.RETURNED)
HISTORY_CHANGES = (*OBSERVED_CHANGES, Change.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Diff:
    """The outcome of a comparison.

    ``changes`` has one row per market that must be touched: ``market_id`` (null: new), the key, ``row`` of the
    observation (null where there is none), both fingerprints (as they are to be), ``change``, ``is_relabelled`` and
    ``gone_at``. ``confirmed`` counts the observed markets in which nothing differs.
    """

    changes: pl.DataFrame
    confirmed: int

    def counts(self) -> Mapping[Change, int]:
        """How many markets the answers touched in each way."""
        counted = dict(self.changes["change"].value_counts().iter_rows())
        return {change: counted.get(change.value, 0) for change in Change}


def diff(
    current: pl.DataFrame,
    observed: pl.DataFrame,
    absence: pl.DataFrame,
    refused: pl.DataFrame,
    vanished: pl.DataFrame | None = None,
) -> Diff:
    """Compare what was observed with what is current.

    ``current`` (CURRENT_KEYS) must hold every market of the listings in the other frames; ``observed`` (OBSERVED_KEYS)
    has at most one row per market; ``absence`` (PROVEN_ABSENCE) one row per listing whose missing markets are gone;
    ``refused`` (REFUSED_KEYS) keeps its markets from being gone; ``vanished`` (VANISHED_KEYS) names single markets.
    """
    key = list(MARKET_KEY)
    # Only their places in current are joined; what it says of them is taken from there.
    places = observed.select(_identity()).join(
        current.select(_identity()).with_row_index("place"), on="identity", how="left", maintain_order="left"
    )["place"]
    stored = current.select(
        "market_id",
        "is_available",
        "has_own_sighting",
        fingerprint_current="fingerprint",
        label_fingerprint_current="label_fingerprint",
    )
    matched = observed.hstack(stored.select(pl.all().gather(places)))
    is_new = pl.col("market_id").is_null()
    differs = (pl.col("fingerprint") != pl.col("fingerprint_current")).fill_null(value=False)
    is_relabelled = (pl.col("label_fingerprint") != pl.col("label_fingerprint_current")).fill_null(value=False)
    # What changed is few: only of that is it worked out how.
    touched = matched.filter(is_new | ~pl.col("is_available") | differs | is_relabelled | pl.col("has_own_sighting"))
    verdict = (
        pl.when(is_new)
        .then(pl.lit(Change.NEW.value))
        .when(~pl.col("is_available"))
        .then(pl.lit(Change.RETURNED.value))
        .when(differs)
        .then(pl.lit(Change.CHANGED.value))
        .when(is_relabelled)
        .then(pl.lit(Change.RELABELLED.value))
        .otherwise(pl.lit(Change.SIGHTED.value))
    )
    judged = touched.select(
        "market_id",
        *key,
        "row",
        "fingerprint",
        "label_fingerprint",
        change=verdict,
        is_relabelled=is_relabelled,
        gone_at=pl.lit(None, dtype=PROVEN_ABSENCE["gone_at"]),
    )
    is_unseen = pl.repeat(value=True, n=current.height, dtype=pl.Boolean, eager=True)
    unseen = current.filter(is_unseen.scatter(places.drop_nulls(), values=False), pl.col("is_available"))
    changes = judged
    if not unseen.is_empty():
        changes = pl.concat([judged, _missing(unseen, absence, refused, vanished).select(judged.columns)])
    return Diff(changes=changes, confirmed=matched.height - judged.height)


def together(parts: Sequence[Diff]) -> Diff:
    """The outcome of comparisons of different listings as one."""
    return Diff(pl.concat([part.changes for part in parts]), sum(part.confirmed for part in parts))


def _identity() -> pl.Expr:
    """The market's identity as one number: joining on three columns takes twice as long."""
    listing_id, type_id, line = (pl.col(name).cast(pl.Int128) for name in MARKET_KEY)
    no_line = 1 << 32  # beyond all lines
    return ((listing_id * (1 << 66)) + (type_id * (1 << 34)) + line.fill_null(no_line)).alias("identity")


def _missing(
    unseen: pl.DataFrame, absence: pl.DataFrame, refused: pl.DataFrame, vanished: pl.DataFrame | None
) -> pl.DataFrame:
    """Available markets that were not observed, of covered listings or named: gone, or refused for now."""
    key = list(MARKET_KEY)
    absent = unseen.join(absence, on="listing_id", how="inner")
    if vanished is not None:
        named = unseen.join(absence, on="listing_id", how="anti").join(vanished, on=key, nulls_equal=True)
        absent = pl.concat([absent, named.select(absent.columns)])
    is_refused = pl.col("refused").fill_null(value=False)
    return (
        absent.join(refused.select(*key).unique().with_columns(refused=True), on=key, how="left", nulls_equal=True)
        .with_columns(
            change=pl.when(is_refused).then(pl.lit(Change.REFUSED.value)).otherwise(pl.lit(Change.UNAVAILABLE.value)),
            row=pl.lit(None, dtype=pl.UInt32),
            is_relabelled=pl.lit(value=False),
        )
        .filter(~(is_refused & pl.col("has_own_sighting")))
    )
