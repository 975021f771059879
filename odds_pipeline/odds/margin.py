"""The bookmaker's margin of a market, and why it has none where none can be worked out."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

#: What ``with_margin`` adds: the margin in percent, null when there is none, and then the reason why.
MARGIN_COLUMNS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "margin": pl.Float64,
    "margin_missing": pl.String,
}


def with_margin(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, in their order, with ``margin`` and ``margin_missing`` (``MARGIN_COLUMNS``).

    margin = (sum of 1/odds over the active outcomes - 1) x 100, in percent. The rows need ``outcomes`` and
    ``is_unavailable`` as ``ODDS_ROWS`` has them. The reason why there is none is the first of these that holds: the
    market is ``unavailable``; it is ``one_sided``, with fewer than two outcomes; it has an ``inactive_outcome``; an
    outcome has ``no_price``; one has a ``price_not_above_one``.
    """
    outcome = pl.element().struct
    odds, is_active = outcome.field("odds"), outcome.field("is_active")
    outcomes = pl.col("outcomes")
    reasons = [
        ("unavailable", pl.col("is_unavailable")),
        ("one_sided", outcomes.list.len().fill_null(0) < 2),
        ("inactive_outcome", outcomes.list.eval(~is_active).list.any()),
        ("no_price", outcomes.list.eval(odds.is_null()).list.any()),
        ("price_not_above_one", outcomes.list.eval(odds <= 1).list.any()),
    ]
    # No market without a reason has an inactive outcome: the sum over all is the sum over the active ones.
    margin = (outcomes.list.eval(1 / odds.cast(pl.Float64)).list.sum() - 1) * 100
    first = pl.coalesce(pl.when(holds).then(pl.lit(reason)) for reason, holds in reasons)
    return (
        rows.with_columns(margin_missing=first)
        .with_columns(margin=pl.when(pl.col("margin_missing").is_null()).then(margin).cast(MARGIN_COLUMNS["margin"]))
        .select(*rows.columns, *MARGIN_COLUMNS)
    )
