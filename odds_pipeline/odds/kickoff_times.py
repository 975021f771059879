"""The kick-off as known then, and the buckets of time before it.

Every moment is judged by the kick-off that was known then: at a time t the newest kick-off known since t or earlier;
before the first is known, the first. So a match that was postponed goes through a bucket twice, and one whose kick-off
is unknown is in no bucket, and has not begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from odds_pipeline.odds.observation import UTC_MICROSECONDS

BUCKETS = ("7d+", "3-7d", "24-72h", "6-24h", "1-6h", "<1h", "after")
"""Times before kick-off, the lower bound included: exactly 7 days is in ``7d+``, exactly the kick-off in ``after``."""

#: The kick-offs that were known of events, as ``event_kickoffs`` has them.
KICKOFFS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "event_id": pl.Int32,
    "known_since": UTC_MICROSECONDS,
    "kickoff": UTC_MICROSECONDS,
}

INSTANT = timedelta(microseconds=1)
"""The least time between two moments."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_KICKOFF = timedelta()
_LEAST = [timedelta(days=7), timedelta(days=3), timedelta(days=1), timedelta(hours=6), timedelta(hours=1)]
"""The least time before kick-off in each of the first buckets."""

#: A bucket's place in ``BUCKETS``, and where it begins and ends beside the kick-off (null: nowhere). Its end is
#: excluded; ``shown_end`` is the end that people read.
_BOUNDS = pl.DataFrame(
    {
        "bucket": range(len(BUCKETS)),
        "from": [None, *(INSTANT - least for least in _LEAST), _KICKOFF],
        "to": [*(INSTANT - least for least in _LEAST), _KICKOFF, None],
        "shown_end": [*(-least for least in _LEAST), _KICKOFF, None],
    },
    schema={
        "bucket": pl.UInt8,
        "from": pl.Duration("us"),
        "to": pl.Duration("us"),
        "shown_end": pl.Duration("us"),
    },
)


def known_kickoffs(kickoffs: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """(event_id, since, until, kickoff): which kick-off was known when, up to and with ``now``; the ends excluded."""
    is_first = pl.int_range(pl.len()).over("event_id") == 0
    known = (
        kickoffs.sort("event_id", "known_since")
        .with_columns(is_first=is_first)
        .filter(pl.col("is_first") | (pl.col("known_since") <= now))
    )
    return known.select(
        "event_id",
        since=pl.when("is_first").then(time_of(_BEGINNING)).otherwise("known_since"),
        until=pl.col("known_since").shift(-1).over("event_id").fill_null(time_of(now + INSTANT)),
        kickoff="kickoff",
    )


def bucket_times(known: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """(event_id, bucket, start, end, bucket_end, kickoff): the times of each bucket up to ``now``, the ends excluded.

    ``known`` as ``known_kickoffs`` has it; ``bucket`` is the place in ``BUCKETS``.
    """
    kickoff = pl.col("kickoff")
    return (
        known.filter(kickoff.is_not_null())
        .join(_BOUNDS, how="cross")
        .select(
            "event_id",
            "bucket",
            "kickoff",
            start=pl.max_horizontal("since", kickoff + pl.col("from")),
            end=pl.min_horizontal("until", kickoff + pl.col("to")),
            bucket_end=pl.min_horizontal("until", kickoff + pl.col("shown_end"), time_of(now)),
        )
        .filter(pl.col("start") < pl.col("end"))
    )


def time_of(moment: datetime) -> pl.Expr:
    """The moment beside columns of times."""
    return pl.lit(moment, dtype=UTC_MICROSECONDS)
