"""From the rows that were seen to all rows: how many there are, and how far a sample can be believed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import sqrt

from odds_pipeline.storage.measured import RowsFrom
from odds_pipeline.storage.relations import Relation
from odds_pipeline.storage.sampling import RowSample

_ALWAYS_FORGIVEN = 0.02
"""Share by which statistics may differ from a sample without being disbelieved."""


def estimate_rows(relation: Relation, sample: RowSample | None) -> tuple[int, RowsFrom]:
    """How many rows a table has, and who says so.

    All pages were looked at: as many as were seen. Else what PostgreSQL reckons when it plans, rows per page at the
    last VACUUM or ANALYZE x present pages; unless there was none, or the sample contradicts it (by more than three
    standard errors and a fiftieth): then rows per page looked at x present pages.
    """
    by_statistics = None if relation.density is None else relation.density * relation.pages
    if relation.pages == 0:
        return 0, "counted"
    if sample is None or sample.pages == 0:
        return round(by_statistics or 0), "statistics"
    if sample.pages == relation.pages:
        return sample.rows, "counted"
    first, *middle, last = (sample.rows_of_page[page] for page in sorted(sample.rows_of_page))
    # The ends are always looked at, and the last page is seldom full: they stand for themselves alone.
    mean, error = mean_and_error(middle)
    by_sample, error = first + last + mean * (relation.pages - 2), error * (relation.pages - 2)
    if by_statistics is None or abs(by_statistics - by_sample) > 3 * error + _ALWAYS_FORGIVEN * by_sample:
        return round(by_sample), "sampled"
    return round(by_statistics), "statistics"


def mean_and_error(values: Sequence[int]) -> tuple[float, float]:
    """The mean of values drawn one from each of equal stretches, in their order, and its standard error.

    By the differences of neighbours, which leave out what changes slowly from beginning to end: such a change is no
    error of a sample that has its share of every part.
    """
    count = len(values)
    if count < 2:
        return (float(values[0]), float(values[0])) if values else (0.0, 0.0)
    squares = sum((after - before) ** 2 for before, after in itertools.pairwise(values))
    return sum(values) / count, sqrt(squares / (2 * (count - 1)) / count)


def joined(sources: Sequence[RowsFrom]) -> RowsFrom:
    """Who said how many rows the partitions have together."""
    if "sampled" in sources:
        return "sampled"
    return "statistics" if "statistics" in sources else "counted"
