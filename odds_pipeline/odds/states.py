"""New states of many markets at once: what they offer now, built on the states that are stored.

A market's outcome set keeps its order and grows at its end; an outcome that is inactive or gone keeps the last price
that it had while active. The bytes are those of ``packed.py``, which says the same of one state at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import polars as pl

from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.odds.packed import NARROW_LIMIT, NARROW_STATUS_SHIFT, WIDE, WIDE_STATUS_SHIFT, OutcomeStatus

#: What a market offers now; ``row`` is any number that tells the markets of one call apart.
OFFERED: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.UInt32,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
}

#: What is stored of a market: its packed state and its outcome set.
STORED: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.UInt32,
    "state": pl.Binary,
    "keys": pl.List(pl.String),
    "names": pl.List(pl.String),
}


class States(NamedTuple):
    """New states, sorted by ``row``.

    ``packed``: (row, state) of every market. ``sets``: (row, keys, names) of those whose outcome set is not the stored
    one: new markets, and those with a new outcome or name.
    """

    packed: pl.DataFrame
    sets: pl.DataFrame


def new_states(offered: pl.DataFrame, stored: pl.DataFrame) -> States:
    """The states of available markets that offer what ``offered`` (OFFERED) says.

    ``stored`` (STORED) has the markets among them that are stored already.
    """
    now = (
        offered.select("row", "outcomes")
        .explode("outcomes")
        .unnest("outcomes")
        .with_row_index("seen")
        .with_columns(price=(pl.col("odds") * 1000).cast(pl.Int64))
    )
    was_offered, is_active = pl.col("is_active").is_not_null(), pl.col("is_active").fill_null(value=False)
    is_renamed = (pl.col("name") != pl.col("name_stored")).fill_null(value=False)
    outcomes = (
        now.join(_stored_outcomes(stored), on=["row", "key"], how="full", coalesce=True)
        .sort("row", "place", "seen", nulls_last=True)
        .select(
            "row",
            "key",
            name=pl.coalesce("name", "name_stored", "key"),
            is_of_new_set=pl.col("place").is_null() | is_renamed,
            status=pl.when(is_active)
            .then(OutcomeStatus.ACTIVE.value)
            .when(was_offered)
            .then(OutcomeStatus.INACTIVE.value)
            .otherwise(OutcomeStatus.ABSENT.value)
            .cast(pl.UInt32),
            price=pl.when(is_active).then("price").otherwise("price_stored").fill_null(0).cast(pl.UInt32),
        )
    )
    sets = (
        outcomes.filter(pl.col("is_of_new_set").any().over("row"))
        .group_by("row", maintain_order=True)
        .agg(keys="key", names="name")
    )
    return States(packed_states(outcomes), sets)


def _stored_outcomes(stored: pl.DataFrame) -> pl.DataFrame:
    """One row per outcome of the sets: its place, and the last price that it had while active."""
    return unpacked_outcomes(stored).select("row", "key", name_stored="name", place="place", price_stored="price")


def unpacked_outcomes(states: pl.DataFrame) -> pl.DataFrame:
    """One row per outcome of the sets, of states given as row, state, keys and, if wanted, names.

    Besides row, key (and name): ``place`` in the set, ``status`` (``OutcomeStatus``), and ``price``, in thousandths the
    last one while active, null beyond the end of the state.
    """
    header = pl.col("state").bin.slice(0, 1).bin.reinterpret(dtype=pl.UInt8)
    lists = {"key": "keys"} | ({"name": "names"} if "names" in states.columns else {})
    outcomes = (
        states.select(
            "row", "state", place=pl.int_ranges(pl.col("keys").list.len()), is_wide=header & WIDE != 0, **lists
        )
        .explode(*lists, "place")
        .filter(pl.col("key").is_not_null())
    )
    narrow = pl.col("state").bin.slice(1 + 2 * pl.col("place"), 2).bin.reinterpret(dtype=pl.UInt16, endianness="big")
    wide = pl.col("state").bin.slice(1 + 4 * pl.col("place"), 4).bin.reinterpret(dtype=pl.UInt32, endianness="big")
    price = (
        pl.when("is_wide")
        .then(wide & ((1 << WIDE_STATUS_SHIFT) - 1))
        .otherwise((narrow & (NARROW_LIMIT - 1)).cast(pl.UInt32) * 10)
    )
    status = (
        pl.when("is_wide")
        .then(wide // (1 << WIDE_STATUS_SHIFT))
        .otherwise(narrow.cast(pl.UInt32) // (1 << NARROW_STATUS_SHIFT))
        .fill_null(OutcomeStatus.ABSENT.value)
    )
    return outcomes.select("row", *lists, "place", status=status, price=price)


def packed_states(outcomes: pl.DataFrame) -> pl.DataFrame:
    """(row, state) from (row, status, price), which are sorted by row and stand in the order of the set."""
    needs_wide = (pl.col("price") >= NARROW_LIMIT * 10) | (pl.col("price") % 10 != 0)
    narrow = (pl.col("status") * (1 << NARROW_STATUS_SHIFT)) + pl.col("price") // 10
    wide = (pl.col("status") * (1 << WIDE_STATUS_SHIFT)) + pl.col("price")
    is_left_out = (pl.col("status") == OutcomeStatus.ABSENT.value) & (pl.col("price") == 0)
    words = outcomes.select(
        "row", "status", "price", is_wide=needs_wide.any().over("row"), is_kept=~is_left_out
    ).with_columns(is_kept=pl.col("is_kept").reverse().cum_max().reverse().over("row"))
    wide_header = f"{WIDE:02x}"
    return (
        words.filter("is_kept")
        .select(
            "row",
            "is_wide",
            word=pl.when("is_wide").then(_hex(wide // 65_536) + _hex(wide % 65_536)).otherwise(_hex(narrow % 65_536)),
        )
        .group_by("row", maintain_order=True)
        .agg(pl.col("is_wide").first(), "word")
        .select(
            "row",
            state=(pl.when("is_wide").then(pl.lit(wide_header)).otherwise(pl.lit("00")) + pl.col("word").list.join(""))
            .str.decode("hex"),
        )
    )  # fmt: skip


def _hex(word: pl.Expr) -> pl.Expr:
    """A number below 65,536 as four hexadecimal digits."""
    return pl.lit(_hex_words()).gather(word)


@cache
def _hex_words() -> pl.Series:
    return pl.Series([f"{word:04x}" for word in range(1 << 16)])
