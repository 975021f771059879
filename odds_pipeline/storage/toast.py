"""What values out of line take: what the rows seen need, against the exact size of the TOAST table."""

from __future__ import annotations

from dataclasses import dataclass

from odds_pipeline.storage.estimates import mean_and_error
from odds_pipeline.storage.relations import Relation
from odds_pipeline.storage.sampling import RowSample

_PAGE = 8192
_USABLE = 8168
_PRECISE = 0.03
"""Relative standard error below which a sample is better than the size, which holds dead and free space too."""


@dataclass(frozen=True, slots=True)
class OutOfLine:
    """``scale``: by what the bytes out of line that a sample extrapolates to are to be multiplied."""

    scale: float
    bloat_bytes: int


def out_of_line(relation: Relation, sample: RowSample, rows: int) -> OutOfLine:
    """Anchor a sample of values out of line on the TOAST table's size, which is known exactly.

    Needed = rows x (bytes of the values seen + 40 for each chunk of 1996) / rows seen x 8192 / 8168. Few huge values
    make that noisy: while it differs from the size by no more than three standard errors, the size is right, and the
    values take what it has room for. Else what the table has beyond the need is bloat; more than the size is never
    needed.
    """
    actual = relation.toast_pages * _PAGE
    if sample.rows == 0 or actual == 0:
        return OutOfLine(1.0, 0)
    order = sorted(sample.toast_of_page)
    seen = sum(sample.toast_of_page.values())
    mean, error = mean_and_error([sample.toast_of_page[page] for page in order])
    relative = error / mean if mean else 0.0
    needed = seen * rows / sample.rows * _PAGE / _USABLE
    if needed == 0:
        return OutOfLine(1.0, actual)
    is_whole = sample.pages == relation.pages
    if not is_whole and (needed > actual or (relative > _PRECISE and abs(needed - actual) <= 3 * relative * needed)):
        return OutOfLine(actual / needed, 0)
    return OutOfLine(1.0, max(0, round(actual - needed)))
