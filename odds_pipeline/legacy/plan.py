"""The dry run of an import: what each day of each table would become, counted by the very function that imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl

from odds_pipeline.legacy.changes import COUNT_SCHEMA, changes_of_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.markets.mapper import Mapper

#: ``COUNT_SCHEMA`` by day.
PLAN_SCHEMA = {"day": pl.Date, **COUNT_SCHEMA}


def plan(
    source: LegacySource, first: date, last: date, *, progress: Callable[[date], None] | None = None
) -> pl.DataFrame:
    """What would be imported of the days from ``first`` to ``last`` that have data, in ``PLAN_SCHEMA``.

    One row per day and table; see ``COUNT_SCHEMA`` for how the numbers add up. ``progress`` is called before each day.
    Raises ``EarlierSystemMissing`` when there is nothing to read.
    """
    source.require_tables()
    mapper = Mapper.load()
    days: list[pl.DataFrame] = [pl.DataFrame(schema=PLAN_SCHEMA)]
    for day in source.days():
        if first <= day <= last:
            if progress is not None:
                progress(day)
            counts = changes_of_day(source, day, mapper=mapper).counts
            days.append(counts.select(pl.lit(day).alias("day"), pl.all()))
    return pl.concat(days)
