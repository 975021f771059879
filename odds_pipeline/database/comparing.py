"""The comparison of a cycle's answers with current, part by part, and what of it may become history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from odds_pipeline.database.current_keys import CurrentPart
from odds_pipeline.odds.diff import HISTORY_CHANGES, Diff, diff


class Proof(NamedTuple):
    """What the answers say of markets that they do not offer, in the core's terms (``odds/diff.py``)."""

    absence: pl.DataFrame
    refused: pl.DataFrame
    vanished: pl.DataFrame


def compared(current: list[CurrentPart], keys: pl.DataFrame, proof: Proof) -> Iterator[Diff]:
    """What the answers (``keys``: OBSERVED_KEYS) change in current, whose parts are let go when they are compared."""
    while current:
        part = current.pop(0)
        is_in_part = pl.col("listing_id").is_between(part.first_id, part.end_id, closed="left")
        yield diff(part.keys, keys.filter(is_in_part), *proof)


def without_repeats(found: Diff, answered: pl.DataFrame) -> tuple[Diff, int]:
    """Without the changes of answers as old as the last committed one, and how many answers had some.

    Such an answer may confirm, but cannot be a change of its own (I6).
    """
    repeated = answered.filter("has_observations", pl.col("captured_at") == pl.col("last_answer_at"))["listing_id"]
    if repeated.is_empty():
        return found, 0
    is_repeat = pl.col("listing_id").is_in(repeated.to_list()) & pl.col("change").is_in(
        [change.value for change in HISTORY_CHANGES]
    )
    dropped = found.changes.filter(is_repeat)
    return Diff(found.changes.filter(~is_repeat), found.confirmed), dropped["listing_id"].n_unique()


def with_times(changes: pl.DataFrame, answered: pl.DataFrame) -> pl.DataFrame:
    """The changes with ``captured_at``: their answer's arrival, or what proves that they are gone."""
    arrivals = answered.select("listing_id", "captured_at")
    return changes.join(arrivals, on="listing_id", how="left", maintain_order="left").with_columns(
        captured_at=pl.coalesce("gone_at", "captured_at")
    )
