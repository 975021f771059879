"""What it means that a listing is absent: the guard against mass disappearance, and events that kick off.

Pure decisions on one bookmaker's listings. ``diff.py`` then compares the markets of those that remain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

#: One bookmaker's listings that have not been unlisted, and what this cycle heard of each: whether its discovery lists
#: it, whether an answer still offers it (also one that was read only in part), and when an answer said "in play".
LISTED: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "listing_id": pl.Int32,
    "kickoff": pl.Datetime("us", "UTC"),
    "last_answer_at": pl.Datetime("us", "UTC"),
    "missing_since": pl.Datetime("us", "UTC"),
    "is_discovered": pl.Boolean,
    "is_offered": pl.Boolean,
    "started_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class Absence:
    """What one bookmaker's offer says about whole listings.

    ``ended``: (listing_id, gone_at) whose markets are all gone. ``missing``: listings to remember as missed once,
    because the guard does not believe their disappearance yet.
    """

    ended: pl.DataFrame
    missing: pl.Series
    guard_held: bool


def judge(
    listed: pl.DataFrame,
    *,
    as_of: datetime,
    discovery_at: datetime | None,
    guard_share: float,
    guard_least_events: int,
    guarded: bool = True,
) -> Absence:
    """Decide which of one bookmaker's listings have ended, by kick-off or by absence from a complete discovery.

    ``as_of`` is the cycle's time, against which kick-offs count; ``discovery_at`` the arrival of a complete discovery,
    None when there was none (then only kick-offs and ``started`` answers end anything). A match that the bookmaker
    still offered after its announced kick-off is late: it ends by a ``started`` answer or by absence, not by the clock.
    The guard: more than ``guard_share`` of at least ``guard_least_events`` listings before their kick-off are newly
    absent; those end only when the next complete discovery lacks them too.
    """
    is_lost = ~pl.col("is_discovered") if discovery_at is not None else pl.lit(value=False)
    was_offered_since = (pl.col("last_answer_at") >= pl.col("kickoff")).fill_null(value=False)
    is_past_kickoff = (pl.col("kickoff") <= as_of).fill_null(value=False)
    has_started = pl.col("started_at").is_not_null() | (is_past_kickoff & (is_lost | ~was_offered_since))
    upcoming = listed.filter(~has_started)
    absent = upcoming.filter(~pl.col("is_discovered")) if discovery_at is not None else upcoming.clear()
    newly_absent = absent.filter(pl.col("missing_since").is_null())
    guard_held = (
        guarded and upcoming.height >= guard_least_events and newly_absent.height > guard_share * upcoming.height
    )
    believed = absent.filter(pl.col("missing_since").is_not_null()) if guard_held else absent
    gone = believed.select("listing_id", "last_answer_at", gone_at=pl.lit(discovery_at, dtype=LISTED["kickoff"]))
    started = listed.filter(has_started & ~pl.col("is_offered")).select(
        "listing_id", "last_answer_at", gone_at=_kickoff_moment(as_of, discovery_at)
    )
    answered_since = pl.col("last_answer_at") >= pl.col("gone_at")
    ended = pl.concat([gone, started]).filter(~answered_since.fill_null(value=False))
    return Absence(
        ended=ended.select("listing_id", "gone_at"),
        missing=newly_absent["listing_id"] if guard_held else newly_absent["listing_id"].clear(),
        guard_held=guard_held,
    )


def _kickoff_moment(as_of: datetime, discovery_at: datetime | None) -> pl.Expr:
    """The kick-off, unless the bookmaker still offered the match after it: then what proved the end."""
    was_offered_before = (pl.col("last_answer_at") < pl.col("kickoff")).fill_null(value=True)
    proof = pl.coalesce(
        "started_at",
        pl.when(~pl.col("is_discovered")).then(pl.lit(discovery_at, dtype=LISTED["kickoff"])),
        pl.lit(as_of, dtype=LISTED["kickoff"]),
    )
    return pl.when((pl.col("kickoff") <= proof) & was_offered_before).then(pl.col("kickoff")).otherwise(proof)
