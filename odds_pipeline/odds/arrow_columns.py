# pyright: basic
"""Columns built through Arrow, whose Python package carries no types: decimals and lists of outcomes.

About ten times faster than handing polars Python rows of dictionaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate, chain

import polars as pl
import pyarrow as pa

from odds_pipeline.odds.observation import Outcome


def decimal_column(values: Sequence[Decimal | None], *, precision: int) -> pl.Series:
    """Exact decimals with three places. Raises ``pyarrow.ArrowInvalid`` rather than round."""
    return _series(pa.array(values, type=pa.decimal128(precision, 3)))


def outcomes_column(rows: Sequence[Sequence[Outcome]]) -> pl.Series:
    """One list of ``OUTCOME_FIELDS`` structs per row."""
    outcomes = list(chain.from_iterable(rows))
    offsets = [0, *accumulate(map(len, rows))]
    fields = pa.StructArray.from_arrays(
        [
            pa.array([o.key for o in outcomes], type=pa.string()),
            pa.array([o.name for o in outcomes], type=pa.string()),
            pa.array([o.odds for o in outcomes], type=pa.decimal128(12, 3)),
            pa.array([o.is_active for o in outcomes], type=pa.bool_()),
        ],
        names=["key", "name", "odds", "is_active"],
    )
    return _series(pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), fields))


def _series(array: pa.Array) -> pl.Series:
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series
