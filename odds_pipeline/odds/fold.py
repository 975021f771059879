"""Folding: from the state before and what was seen of each market, in order, to the history rows that follow.

What the writer does with one cycle after another, said of any number of cycles at once: the rows are the writer's own,
byte for byte. ``steps_of`` is the way back, so that stored rows can be folded anew together with others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from odds_pipeline.odds.observation import OBSERVATION_SCHEMA, OUTCOME_FIELDS
from odds_pipeline.odds.packed import UNAVAILABLE, OutcomeStatus
from odds_pipeline.odds.replay import HISTORY_ROWS
from odds_pipeline.odds.states import packed_states, unpacked_outcomes

#: What was seen of markets. No outcomes: the market had vanished. Of several steps of a market at one moment the one
#: that stands last counts. The price of an inactive outcome means nothing.
STEPS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "captured_at": pl.Datetime("us", "UTC"),
    "run_id": pl.Int32,
    "outcomes": OBSERVATION_SCHEMA["outcomes"],
}

#: The outcome set of each market, as stored today: it has grown since, at its end.
SETS: Mapping[str, pl.DataType | type[pl.DataType]] = {"market_id": pl.Int32, "keys": pl.List(pl.String)}

_SLICE = 300_000
"""Outcomes (of all steps, absent ones included) folded at once: bounds the memory of a large day."""


class UnknownOutcome(ValueError):
    """A step names an outcome that its market's set lacks, or belongs to a market that has no set."""


def fold(opening: pl.DataFrame, steps: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """The history rows (``HISTORY_ROWS``, sorted by market and time, one of each) that ``steps`` (STEPS) make.

    ``opening`` (market_id, state) is the state before the first step, of the markets that have one; ``sets`` (SETS)
    must have every market of ``steps``. An outcome that is inactive or absent keeps the last price that it had while
    active; a market that vanished keeps its outcomes; what leaves a state as it was gives no row. Raises
    ``UnknownOutcome``.
    """
    rows = [_folded(opening, part, sets) for part in _slices(steps, sets)]
    return pl.concat([pl.DataFrame(schema=dict(HISTORY_ROWS)), *rows])


def steps_of(history: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """History rows (``HISTORY_ROWS``) as the steps (STEPS, in the rows' order) that make them again.

    Names of outcomes are null: ``sets`` (SETS) does not know them.
    """
    rows = history.with_row_index("row")
    keyed = rows.join(sets, on="market_id", how="left").select("row", "state", "keys")
    is_offered = (pl.col("status") != OutcomeStatus.ABSENT.value) & ~pl.col("is_unavailable")
    outcomes = (
        unpacked_outcomes(keyed)
        .join(rows.select("row", is_unavailable=_is_unavailable("state")), on="row", maintain_order="left")
        .filter(is_offered)
        .select(
            "row",
            outcome=pl.struct(
                "key",
                name=pl.lit(None, dtype=pl.String),
                odds=(pl.col("price").cast(pl.Decimal(18, 3)) / 1000).cast(OUTCOME_FIELDS["odds"]),
                is_active=pl.col("status") == OutcomeStatus.ACTIVE.value,
            ),
        )
        .group_by("row", maintain_order=True)
        .agg(outcomes="outcome")
    )
    return (
        rows.join(outcomes, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("outcomes").fill_null([]))
        .select(pl.col(name).cast(kind) for name, kind in STEPS.items())
    )


def _slices(steps: pl.DataFrame, sets: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The steps by market and time, one of each, cut between markets into parts of about ``_SLICE`` outcomes."""
    ordered = steps.sort("market_id", "captured_at", maintain_order=True)
    is_replaced = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in ("market_id", "captured_at"))
    steps = ordered.filter(~is_replaced.fill_null(value=False))
    outcomes = sets.select("market_id", outcomes_each=pl.col("keys").list.len())
    markets = (
        steps.group_by("market_id")
        .len("steps")
        .join(outcomes, on="market_id", how="left")
        .sort("market_id")
        .with_columns(part=(pl.col("steps") * pl.col("outcomes_each")).cast(pl.Int64).cum_sum() // _SLICE)
    )
    if markets["part"].null_count():
        strangers = markets.filter(pl.col("part").is_null())["market_id"].to_list()
        raise UnknownOutcome(f"no outcome set is known of market {strangers[0]}, nor of {len(strangers) - 1} others")
    first = 0
    for number in markets.group_by("part", maintain_order=True).agg(pl.col("steps").sum())["steps"]:
        yield steps.slice(first, number)
        first += number


def _folded(opening: pl.DataFrame, steps: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """The history rows of steps that are sorted by market and time."""
    sets = sets.join(steps.select("market_id").unique(), on="market_id", how="semi")
    opening = opening.select("market_id", "state").join(sets, on="market_id", how="inner").with_row_index("row")
    # The openings come first in each market's sequence: their rows are numbered before those of the steps.
    steps = steps.with_row_index("row", offset=opening.height)
    is_seen = pl.col("outcomes").list.len() > 0
    states = packed_states(_outcomes(opening, steps.filter(is_seen), sets))
    sequence = (
        pl.concat(
            [
                opening.select("row", "market_id", "state", is_vanished=False, is_opening=True),
                steps.join(states, on="row", how="left", maintain_order="left").select(
                    "row", "market_id", "state", is_vanished=~is_seen, is_opening=False
                ),
            ]
        )
        .sort("market_id", "row")
        .with_columns(pl.col("state").forward_fill().over("market_id"))
        .with_columns(state=pl.when("is_vanished").then(_unavailable("state")).otherwise("state"))
    )
    before = pl.col("state").shift(1).over("market_id")
    written = sequence.filter(
        ~pl.col("is_opening") & pl.col("state").is_not_null() & pl.col("state").ne_missing(before)
    ).select("row", "state")
    return steps.join(written, on="row", how="inner", maintain_order="left").select(*HISTORY_ROWS)


def _outcomes(opening: pl.DataFrame, steps: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    """(row, status, price) of every outcome of the set at every step, sorted by row and place; prices carried."""
    places = sets.select("market_id", key="keys", place=pl.int_ranges(pl.col("keys").list.len())).explode(
        "key", "place"
    )
    seen = (
        steps.select("row", "market_id", "outcomes")
        .explode("outcomes")
        .unnest("outcomes")
        .join(places, on=["market_id", "key"], how="left", maintain_order="left")
        .select("row", "market_id", "key", "place", "is_active", price=(pl.col("odds") * 1000).cast(pl.UInt32))
    )
    if seen["place"].null_count():
        stranger = seen.filter(pl.col("place").is_null()).row(0, named=True)
        raise UnknownOutcome(f"outcome {stranger['key']!r} is not in the outcome set of market {stranger['market_id']}")
    before = (
        unpacked_outcomes(opening.select("row", "state", "keys"))
        .join(opening.select("row", "market_id"), on="row")
        .select("market_id", "place", "row", status=pl.lit(None, dtype=pl.UInt32), price="price")
    )
    each = (
        steps.select("row", "market_id")
        .join(sets.select("market_id", place=pl.int_ranges(pl.col("keys").list.len())), on="market_id")
        .explode("place")
        .join(seen.select("row", "place", "is_active", "price"), on=["row", "place"], how="left")
        .select(
            "market_id",
            "place",
            "row",
            status=pl.when("is_active")
            .then(OutcomeStatus.ACTIVE.value)
            .when(pl.col("is_active").is_not_null())
            .then(OutcomeStatus.INACTIVE.value)
            .otherwise(OutcomeStatus.ABSENT.value)
            .cast(pl.UInt32),
            price=pl.when("is_active").then("price"),
        )
    )
    return (
        pl.concat([before, each])
        .sort("market_id", "place", "row")
        .with_columns(pl.col("price").forward_fill().over("market_id", "place").fill_null(0))
        .filter(pl.col("status").is_not_null())
        .sort("row", "place")
        .select("row", "status", "price")
    )


def _is_unavailable(state: str) -> pl.Expr:
    return _header(state) & UNAVAILABLE != 0


def _header(state: str) -> pl.Expr:
    return pl.col(state).bin.slice(0, 1).bin.reinterpret(dtype=pl.UInt8)


def _unavailable(state: str) -> pl.Expr:
    """The state with the bit set that says that the market is unavailable."""
    header = pl.lit("0") + (_header(state) | UNAVAILABLE).cast(pl.String)
    return (header + pl.col(state).bin.encode("hex").str.slice(2)).str.decode("hex")
