"""Fingerprints: one integer that stands for what a market offers, and one for the words around it.

``fingerprint`` covers exactly what counts as a change (design of change detection): the set of (outcome key, is active,
odds while active). Order, representation, names and the price of an inactive outcome do not count. Availability is
compared apart. ``label_fingerprint`` covers names, groups, handicap words and source ids, whose change updates current
and writes no history.

Both are 64-bit xxhashes (xxh3, signed) of a canonical text, because polars' own hash is not stable across versions
while these are stored.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import xxhash

FINGERPRINTS = ("fingerprint", "label_fingerprint")

_FIELD, _ITEM, _NONE = "\x1f", "\x1e", "\x00"
_SIGNED = 1 << 63
_WRAP = 1 << 64


def hash_text(text: str) -> int:
    """Signed 64-bit xxh3 of a text."""
    digest = xxhash.xxh3_64_intdigest(text.encode())
    return digest - _WRAP if digest >= _SIGNED else digest


def with_fingerprints(observations: pl.DataFrame) -> pl.DataFrame:
    """Add ``fingerprint`` and ``label_fingerprint`` (Int64) to frames in ``OBSERVATION_SCHEMA`` that lack them."""
    if all(name in observations.columns for name in FINGERPRINTS):
        return observations
    texts = observations.select(offer=_offer_text(), label=_label_text())
    return observations.with_columns(
        _hashed(texts["offer"]).alias("fingerprint"), _hashed(texts["label"]).alias("label_fingerprint")
    )


def state_fingerprint(outcomes: Iterable[tuple[str, bool, int]]) -> int:
    """The ``fingerprint`` of (key, is active, price in thousandths) triples: the same as the frame's."""
    items = sorted(f"{key}{_FIELD}{_price_text(price) if active else _NONE}" for key, active, price in outcomes)
    return hash_text(_ITEM.join(items))


def _price_text(price: int) -> str:
    return f"{price // 1000}.{price % 1000:03d}" if price else ""


def _offer_text() -> pl.Expr:
    outcome = pl.element().struct
    price = (
        pl.when(outcome.field("is_active"))
        .then(outcome.field("odds").cast(pl.Decimal(12, 3)).cast(pl.String).fill_null(""))
        .otherwise(pl.lit(_NONE))
    )
    return (
        pl.col("outcomes")
        .list.eval(pl.concat_str(outcome.field("key"), price, separator=_FIELD))
        .list.sort()
        .list.join(_ITEM)
    )


def _label_text() -> pl.Expr:
    outcome = pl.element().struct
    names = pl.col("outcomes").list.eval(pl.concat_str(outcome.field("key"), outcome.field("name"), separator=_FIELD))
    return pl.concat_str(
        *(
            pl.col(name).cast(pl.String).fill_null(_NONE)
            for name in (
                "betpawa_market_name",
                "source_market_id",
                "source_specifier",
                "handicap_type",
                "handicap_home",
                "handicap_away",
            )
        ),
        pl.col("market_groups").list.join(_ITEM).fill_null(_NONE),
        names.list.sort().list.join(_ITEM),
        separator=_FIELD,
    )


def _hashed(texts: pl.Series) -> pl.Series:
    return pl.Series([hash_text(text) for text in texts], dtype=pl.Int64)
