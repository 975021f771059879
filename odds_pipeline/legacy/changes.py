"""A day of an earlier system as changes: what our history would hold had our pipeline seen the same.

Here: one day put together from its batches, in the form of observations, with the counts that say what became of every
row. How rows become changes is in ``timeline.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from odds_pipeline.legacy.offers import EVENT_UNKNOWN, OfferReader
from odds_pipeline.legacy.reading import read_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.timeline import timeline_of
from odds_pipeline.legacy.wording import worded
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA

#: ``OBSERVATION_SCHEMA`` with how far a change is to be trusted; ``distrust`` says why it is not.
CHANGE_SCHEMA = {**OBSERVATION_SCHEMA, "is_trusted": pl.Boolean, "distrust": pl.String}

_REASONS = pl.List(pl.Struct({"reason": pl.String, "rows": pl.Int64}))
#: Per table: rows = duplicates + merged + refused + unchanged + changed; changes = changed + gone.
#: ``duplicates``: said twice of one moment; ``merged``: further rows of a market split over several; ``gone``:
#: disappearances, which no row states; ``untrusted``: of the changes.
COUNT_SCHEMA = {
    "table": pl.String,
    "rows": pl.Int64,
    "duplicates": pl.Int64,
    "merged": pl.Int64,
    "refused": pl.Int64,
    "unchanged": pl.Int64,
    "changed": pl.Int64,
    "gone": pl.Int64,
    "untrusted": pl.Int64,
    "refusals": _REASONS,
    "distrusts": _REASONS,
}
#: Column of ``COUNT_SCHEMA`` to what ``timeline.py`` calls it.
_COLUMNS = {
    "duplicates": "duplicate",
    "merged": "merged",
    "refused": "refused",
    "unchanged": "unchanged",
    "changed": "changed",
    "gone": "gone",
}
_ORDER = ["captured_at", "bookmaker", "external_event_id", "betpawa_market_id", "line"]


@dataclass(frozen=True)
class DayChanges:
    """``observations`` in ``CHANGE_SCHEMA``, in time order; a market that went has no outcomes. ``counts`` in
    ``COUNT_SCHEMA``, one row per table of odds that the earlier system has."""

    day: date
    observations: pl.DataFrame
    counts: pl.DataFrame

    @property
    def refusals(self) -> dict[str, int]:
        """Reason to the number of rows that were refused for it, over all tables."""
        by_reason: Counter[str] = Counter()
        for reasons in self.counts["refusals"]:
            for refusal in reasons.to_list():
                by_reason[refusal["reason"]] += refusal["rows"]
        return dict(sorted(by_reason.items()))


def changes_of_day(source: LegacySource, day: date, *, mapper: Mapper | None = None) -> DayChanges:
    """The changes of one UTC day, a pure function of what the source holds; a day without data has none.

    Raises ``EarlierSystemMissing`` when the source has no tables of odds.
    """
    mapper = mapper or Mapper.load()
    reader = OfferReader(mapper.catalogue)
    reading = read_day(source, day)
    bookmakers = reading.listings.select("listing", "bookmaker")
    is_of_day = pl.col("at").is_between(reading.since, reading.until, closed="left")
    observations: list[pl.DataFrame] = []
    fates: list[pl.DataFrame] = []
    for batch in reading.batches:
        timeline = timeline_of(batch, bookmakers, mapper, reader)
        observations.append(worded(timeline.changes.filter(is_of_day), reading.listings, mapper))
        fates.append(_summed(timeline.fates.filter(is_of_day)))
    changes = pl.concat([pl.DataFrame(schema=CHANGE_SCHEMA), *observations])
    return DayChanges(day, changes.sort(_ORDER), _counts(fates, reading.unknown, source.tables.readable))


def _summed(fates: pl.DataFrame) -> pl.DataFrame:
    return fates.group_by("table", "fate", "reason").agg(pl.col("rows").sum())


def _counts(fates: Sequence[pl.DataFrame], unknown: Mapping[str, int], tables: Sequence[str]) -> pl.DataFrame:
    """What became of every row, in ``COUNT_SCHEMA``: one row per table."""
    refused = [(table, "refused", EVENT_UNKNOWN, rows) for table, rows in unknown.items() if rows]
    schema = {"table": pl.String, "fate": pl.String, "reason": pl.String, "rows": pl.Int64}
    found = _summed(pl.concat([pl.DataFrame(refused, schema=schema, orient="row"), *fates]))

    def of(table: str, fate: str) -> pl.DataFrame:
        return found.filter(table=table, fate=fate)

    def reasons(frame: pl.DataFrame) -> list[dict[str, object]]:
        by_reason = frame.drop_nulls("reason").group_by("reason").agg(pl.col("rows").sum())
        return by_reason.sort("reason").to_dicts()

    lines: list[dict[str, object]] = []
    for table in tables:
        line: dict[str, object] = {"table": table}
        for column, fate in _COLUMNS.items():
            line[column] = of(table, fate)["rows"].sum()
        distrusted = found.filter(pl.col("table") == table, pl.col("fate").is_in(["changed", "gone"]))
        distrusted = distrusted.drop_nulls("reason")
        stated = found.filter(pl.col("table") == table, pl.col("fate") != "gone")
        line |= {
            "rows": stated["rows"].sum(),
            "untrusted": distrusted["rows"].sum(),
            "refusals": reasons(of(table, "refused")),
            "distrusts": reasons(distrusted),
        }
        lines.append(line)
    return pl.DataFrame(lines, schema=COUNT_SCHEMA)
