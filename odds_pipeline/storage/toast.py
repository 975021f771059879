"""What values out of line take: what the rows seen need, against the exact size of the TOAST table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from odds_pipeline.storage.estimates import mean_and_error
from odds_pipeline.storage.relations import Relation
from odds_pipeline.storage.sampling import RowSample

_PAGE = 8192
_USABLE = 8168
_PRECISE = 0.02
"""Relative error of what is reckoned to be needed, whatever the sample."""


@dataclass(frozen=True, slots=True)
class OutOfLine:
    """``corrections``: bytes by which what a sample extrapolates to is to be corrected, by column."""

    bloat_bytes: int = 0
    corrections: Mapping[str, float] = field(default_factory=dict[str, float])


def out_of_line(relation: Relation, sample: RowSample, rows: int) -> OutOfLine:
    """Anchor a sample of values out of line on the TOAST table's size, which is known exactly.

    Needed = rows x (bytes of the values seen + 40 for each chunk of 1996 + 600 for each value) / rows seen x 8192 /
    8168. Few huge values make that noisy. If it is, and differs from the size by no more than three standard errors,
    the size is right, and the difference is put on the columns whose values go along with it from page to page (a
    regression estimate: bytes + covariance of the column and the need / variance of the need x difference). Else what
    the table has beyond the need is bloat, as far as it is more than the reckoning may be wrong by.
    """
    actual = relation.toast_pages * _PAGE
    if sample.rows == 0 or actual == 0:
        return OutOfLine()
    pages = sorted(sample.toast_of_page)
    mean, error = mean_and_error([sample.toast_of_page[page] for page in pages])
    needed = mean * len(pages) * rows / sample.rows * _PAGE / _USABLE
    if mean == 0:
        return OutOfLine(bloat_bytes=actual)
    difference = actual - needed
    noise = 0.0 if sample.pages == relation.pages else error / mean
    if noise < _PRECISE or abs(difference) > 3 * noise * needed:
        is_bloat = difference > max(_PRECISE, 3 * noise) * needed
        return OutOfLine(bloat_bytes=round(difference) if is_bloat else 0)
    variance = sum((sample.toast_of_page[page] - mean) ** 2 for page in pages)
    corrections = dict[str, float]()
    for name, values in sample.values.items():
        middle = values.out_of_line_bytes / len(pages)
        together = sum(
            (size - middle) * (sample.toast_of_page[page] - mean) for page, size in values.out_of_line_of_page.items()
        )
        corrections[name] = together / variance * difference * _USABLE / _PAGE if variance else 0.0
    return OutOfLine(corrections=corrections)
