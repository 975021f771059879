# pyright: basic, reportAttributeAccessIssue=false
"""The pack: all changes that one answer made, as the bytes of one history row.

An answer's changes share their bookmaker event, their time and their run, so these are stored once, and one entry of an
index leads to all of them. Where an import or a repair wrote into a moment of another run's, the pack is mixed: each
change in it says its own run. A pack is, big-endian throughout:

- the number n of changes, 2 bytes, their top bit set if it is mixed;
- n market ids, ascending, 4 bytes each;
- n lengths of states, 2 bytes each;
- the n states (``packed.py``), back to back;
- n runs, 4 bytes each, only if it is mixed.

The SQL functions ``odds_pack``, ``odds_changes``, ``odds_count`` and ``odds_is_mixed`` write and read the same layout.
(Arrow's Python package carries no types.)
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from odds_pipeline.odds.observation import UTC_MICROSECONDS
from odds_pipeline.odds.replay import HISTORY_ROWS

#: Changes with the bookmaker event that they are of: what a pack is made of.
CHANGES: Mapping[str, pl.DataType | type[pl.DataType]] = {"event_bookmaker_id": pl.Int32, **HISTORY_ROWS}

#: Rows of ``odds_history``: one per answer that changed something.
PACKS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "captured_at": UTC_MICROSECONDS,
    "event_bookmaker_id": pl.Int32,
    "run_id": pl.Int32,
    "changes": pl.Binary,
}

LARGEST_NUMBER = (1 << 15) - 1
"""Changes in a pack, and bytes of a state."""

_MIXED = 1 << 15
"""The bit beside the number of changes that says that each has its own run."""

_ANSWER = ("event_bookmaker_id", "captured_at")


class PackTooLarge(ValueError):
    """An answer has more changes than a pack can count, or a state that is longer than one."""


class ChangedTwice(ValueError):
    """An answer has two changes of one market."""


def packs_of(changes: pl.DataFrame) -> pl.DataFrame:
    """The packs (PACKS, by bookmaker event and time) of ``changes`` (CHANGES, no two of one market and time).

    The run of a mixed pack is the latest in it. Raises ``PackTooLarge`` and ``ChangedTwice``.
    """
    if changes.is_empty():
        return pl.DataFrame(schema=dict(PACKS))
    ordered = changes.sort(*_ANSWER, "market_id").with_columns(length=pl.col("state").bin.size())
    is_again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in ("market_id", *_ANSWER))
    if not (again := ordered.filter(is_again)).is_empty():
        twice = again.row(0, named=True)
        raise ChangedTwice(
            f"two changes of market {twice['market_id']} at {twice['captured_at']} (bookmaker event "
            f"{twice['event_bookmaker_id']}): a pack takes one of each market"
        )
    answers = ordered.group_by(*_ANSWER, maintain_order=True).agg(
        pl.col("run_id").max(),
        is_mixed=pl.col("run_id").min() != pl.col("run_id").max(),
        count=pl.len(),
        longest=pl.col("length").max(),
    )
    largest = answers.select(pl.max_horizontal(pl.col("count", "longest").max().cast(pl.Int64))).item()
    if largest > LARGEST_NUMBER:
        worst = answers.filter(pl.max_horizontal("count", "longest") > LARGEST_NUMBER).row(0, named=True)
        raise PackTooLarge(
            f"bookmaker event {worst['event_bookmaker_id']} at {worst['captured_at']}: {worst['count']:,} changes, the "
            f"longest of {worst['longest']:,} bytes; a pack takes {LARGEST_NUMBER:,} of each"
        )
    parts = (
        ordered.select(
            *_ANSWER,
            market_id=_hex(ordered["market_id"]),
            length=_hex(ordered["length"].cast(pl.Int16)),
            state=pl.col("state").bin.encode("hex"),
            run_id=_hex(ordered["run_id"]),
        )
        .group_by(*_ANSWER, maintain_order=True)
        .agg(pl.col("market_id", "length", "state", "run_id").str.join(""))
    )
    first = answers.select(pl.col("count").cast(pl.Int32) - pl.when("is_mixed").then(_MIXED).otherwise(0))
    count, is_mixed = _hex(first["count"].cast(pl.Int16)), answers["is_mixed"]
    runs = pl.when(is_mixed).then("run_id").otherwise(pl.lit(""))
    together = parts.select(changes=pl.concat_str(count, "market_id", "length", "state", runs).str.decode("hex"))
    packs = answers.with_columns(together)
    return packs.select(pl.col(name).cast(kind) for name, kind in PACKS.items())


def changes_in(packs: pl.DataFrame) -> pl.DataFrame:
    """The changes of packs: their other columns, ``market_id`` and ``state``; in the packs' order, then by market.

    ``run_id``, where it is among the columns, is each change's own.
    """
    others = [name for name in packs.columns if name != "changes"]
    if packs.is_empty():
        return packs.select(*others, market_id=pl.lit(None, pl.Int32), state=pl.lit(None, pl.Binary))
    packed = packs["changes"].rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    bounds = pa.Array.from_buffers(pa.int64(), len(packed) + 1, [None, packed.buffers()[1]], offset=packed.offset)
    data = pa.Array.from_buffers(pa.uint8(), packed.buffers()[2].size, [None, packed.buffers()[2]])
    begin = bounds.slice(0, len(packed))
    heads = _number(data, begin, 2)
    counts = pc.bit_wise_and(heads, LARGEST_NUMBER)
    firsts = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(counts)])
    changes = firsts[-1].as_py()
    pack = pc.list_parent_indices(pa.LargeListArray.from_arrays(firsts, pa.nulls(changes)))
    place = pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), changes), start=-1), firsts.take(pack))
    ids_at, count = pc.add(begin, 2).take(pack), counts.take(pack)
    market_ids = _number(data, pc.add(ids_at, pc.multiply(place, 4)), 4)
    lengths = _number(data, pc.add(ids_at, pc.add(pc.multiply(count, 4), pc.multiply(place, 2))), 2)
    ends = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    before = pc.subtract(ends.slice(0, changes), ends.take(firsts.take(pack)))
    rows = packs[pl.Series(pack.cast(pa.uint32()))].with_columns(
        market_id=pl.Series(market_ids.cast(pa.int32())),
        at=pl.Series(pc.add(pc.add(pc.multiply(count, 6), 2), before)),
        length=pl.Series(lengths),
    )
    if "run_id" in others and pc.any(is_mixed := pc.greater_equal(heads, _MIXED)).as_py():
        runs_at = pc.subtract(bounds.slice(1), pc.multiply(counts, 4))
        own = pc.indices_nonzero(is_mixed.take(pack))
        runs = _number(data, pc.add(runs_at.take(pack), pc.multiply(place, 4)).take(own), 4)
        run_ids = rows["run_id"].scatter(pl.Series(own), pl.Series(runs.cast(pa.int32())).cast(rows["run_id"].dtype))
        rows = rows.with_columns(run_ids)
    return rows.select(*others, "market_id", state=pl.col("changes").bin.slice("at", "length"))


def _number(data: pa.Array, at: pa.Array, width: int) -> pa.Array:
    """The numbers of so many bytes that begin at these places."""
    number = data.take(at).cast(pa.int64())
    for byte in range(1, width):
        number = pc.bit_wise_or(pc.multiply(number, 256), data.take(pc.add(at, byte)).cast(pa.int64()))
    return number


def _hex(numbers: pl.Series) -> pl.Series:
    """Each number as its bytes, in hexadecimal."""
    values = array("h" if numbers.dtype == pl.Int16 else "i")
    values.frombytes(numbers.rechunk().to_arrow().buffers()[1][: len(numbers) * values.itemsize])
    if sys.byteorder == "little":
        values.byteswap()
    each = pa.Array.from_buffers(pa.binary(values.itemsize), len(values), [None, pa.py_buffer(values)])
    return pl.Series(each.cast(pa.large_binary())).bin.encode("hex")
