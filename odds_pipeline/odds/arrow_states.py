# pyright: basic, reportAttributeAccessIssue=false
"""The outcomes of packed states, read through Arrow, whose Python package carries no types.

All states together are one run of bytes, of which each outcome takes its own: a few passes over plain numbers, where
polars' lists and groups take several times as long. The layout is that of ``packed.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.odds.packed import (
    NARROW_LIMIT,
    NARROW_STATUS_SHIFT,
    UNAVAILABLE,
    WIDE,
    WIDE_STATUS_SHIFT,
    OutcomeStatus,
)


class ShownStates(NamedTuple):
    """Of each state: ``outcomes`` (a list of ``OUTCOME_FIELDS``) and ``is_unavailable``."""

    outcomes: pl.Series
    is_unavailable: pl.Series


def shown_states(states: pl.Series, keys: pl.Series, names: pl.Series) -> ShownStates:
    """What packed states say; ``keys`` and ``names`` are the outcome set of each, null like an empty one.

    An absent outcome is left out; an inactive one has the last price that it had while active, null if it never had
    one.
    """
    if states.is_empty():
        return ShownStates(
            pl.Series("outcomes", dtype=OBSERVATION_SCHEMA["outcomes"]), pl.Series("is_unavailable", dtype=pl.Boolean)
        )
    packed = _arrow(states)
    bounds = pa.Array.from_buffers(pa.int64(), len(packed) + 1, [None, packed.buffers()[1]], offset=packed.offset)
    data = pa.Array.from_buffers(pa.uint8(), packed.buffers()[2].size, [None, packed.buffers()[2]])
    begin, end = bounds.slice(0, len(packed)), bounds.slice(1)
    header = data.take(begin)
    is_wide, is_unavailable = (pc.not_equal(pc.bit_wise_and(header, bit), 0) for bit in (WIDE, UNAVAILABLE))

    key_lists, name_lists = _arrow(keys), _arrow(names)
    row, first = pc.list_parent_indices(key_lists), key_lists.offsets
    place = pc.subtract(_count_from(first[0].as_py(), len(row)), first.take(row))
    width = pc.if_else(is_wide, pa.scalar(4, pa.int64()), pa.scalar(2, pa.int64()))
    at = pc.add(pc.add(begin, 1).take(row), pc.multiply(place, width.take(row)))
    is_within = pc.less(at, end.take(row))  # beyond the end of its state an outcome is absent
    price, status = _words(data, pc.if_else(is_within, at, 0), is_wide.take(row))
    is_shown = pc.and_(is_within, pc.not_equal(status, OutcomeStatus.ABSENT.value))

    shown_before = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(is_shown.cast(pa.int64()))])
    fields = {
        "key": key_lists.flatten(),
        "name": name_lists.flatten(),
        "odds": _odds(price),
        "is_active": pc.equal(status, OutcomeStatus.ACTIVE.value),
    }
    outcomes = pa.StructArray.from_arrays([each.filter(is_shown) for each in fields.values()], names=list(fields))
    lists = pa.LargeListArray.from_arrays(shown_before.take(pc.subtract(first, first[0])), outcomes)
    return ShownStates(pl.Series("outcomes", lists), pl.Series("is_unavailable", is_unavailable))


def _words(data: pa.Array, at: pa.Array, is_wide: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Price in thousandths and status of the outcomes whose bytes begin ``at`` these places."""
    last = len(data) - 1

    def byte(number: int) -> pa.Array:
        return data.take(pc.min_element_wise(pc.add(at, number), last)).cast(pa.uint32())

    narrow = _joined(byte(0), byte(1), 8)
    price = pc.multiply(pc.bit_wise_and(narrow, _u32(NARROW_LIMIT - 1)), _u32(10))
    status = pc.shift_right(narrow, _u32(NARROW_STATUS_SHIFT))
    if pc.any(is_wide).as_py():
        wide = _joined(narrow, _joined(byte(2), byte(3), 8), 16)
        price = pc.if_else(is_wide, pc.bit_wise_and(wide, _u32((1 << WIDE_STATUS_SHIFT) - 1)), price)
        status = pc.if_else(is_wide, pc.shift_right(wide, _u32(WIDE_STATUS_SHIFT)), status)
    return price, status


def _odds(price: pa.Array) -> pa.Array:
    """Prices in thousandths as decimals; 0 is none."""
    known = pc.if_else(pc.greater(price, 0), price, pa.scalar(None, pa.uint32()))
    return known.cast(pa.decimal128(10, 0)).view(pa.decimal128(12, 3))


def _joined(high: pa.Array, low: pa.Array, bits: int) -> pa.Array:
    return pc.bit_wise_or(pc.shift_left(high, _u32(bits)), low)


def _u32(number: int) -> pa.Scalar:
    return pa.scalar(number, pa.uint32())


def _count_from(first: int, count: int) -> pa.Array:
    return pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), count), start=first - 1)


def _arrow(series: pl.Series) -> pa.Array:
    """One array with 64-bit offsets, of lists without nulls."""
    if series.has_nulls():
        series = series.fill_null([])
    return series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
