"""What values out of line take: what the rows seen need, against the exact size of the TOAST table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from odds_pipeline.storage.estimates import mean_and_error
from odds_pipeline.storage.relations import Relation
from odds_pipeline.storage.sampling import RowSample

_PAGE = 8192
_USABLE = 8168
"""Of a page, for rows and their line pointers."""
_CHUNK = 1996
"""Bytes of a value in each row of a TOAST table, but for its last."""
_CHUNKS_OF_PAGE = 4
_HEADER, _LINE_POINTER, _ALIGNED = 36, 4, 8
"""What such a row costs beside: its header and its key before, its pointer behind, and whole units."""
_CATEGORY = 32
"""Bytes by which PostgreSQL notes how much of a page is free."""
_VALUES = 8_000
"""How many values, about, are packed to see how well they pack."""
_PRECISE = 0.02
"""Relative error of what is reckoned to be needed, whatever the sample."""


@dataclass(frozen=True, slots=True)
class OutOfLine:
    """``corrections``: bytes by which what a sample extrapolates to is to be corrected, by column."""

    bloat_bytes: int = 0
    corrections: Mapping[str, float] = field(default_factory=dict[str, float])


def out_of_line(relation: Relation, sample: RowSample, rows: int) -> OutOfLine:
    """Anchor a sample of values out of line on the TOAST table's size, which is known exactly.

    Needed = rows x bytes of chunks seen / rows seen x 8192 x pages that some of them fill (``pages_filled``) / bytes of
    these. Few huge values make that noisy. If it is, and differs from the size by no more than three standard errors,
    the size is right, and the difference is put on the columns whose values go along with it from page to page (a
    regression estimate: bytes + covariance of the column and the chunks / variance of the chunks x difference). Else
    what the table has beyond what a rewrite would fill (``pages_rewritten``) is bloat, as far as it is more than the
    reckoning may be wrong by: rests of pages in which no chunk fits are none, for no rewrite gives them back.
    """
    actual = relation.toast_pages * _PAGE
    if sample.rows == 0 or actual == 0:
        return OutOfLine()
    pages = sorted(sample.toasted_of_page)
    bytes_of_page = [sum(map(_bytes_in_chunks, sample.toasted_of_page[page])) for page in pages]
    mean, error = mean_and_error(bytes_of_page)
    if mean == 0:
        return OutOfLine(bloat_bytes=actual)
    filled, rewritten = _packed([sample.toasted_of_page[page] for page in pages])
    in_chunks = mean * len(pages) * rows / sample.rows
    needed = in_chunks * filled
    difference = actual - needed
    noise = 0.0 if sample.pages == relation.pages else error / mean
    if noise < _PRECISE or abs(difference) > 3 * noise * needed:
        bloat = actual - in_chunks * max(filled, rewritten)
        return OutOfLine(bloat_bytes=round(bloat) if bloat > max(_PRECISE, 3 * noise) * needed else 0)
    variance = sum((size - mean) ** 2 for size in bytes_of_page)
    corrections = dict[str, float]()
    for name, values in sample.values.items():
        middle = values.out_of_line_bytes / len(pages)
        together = sum(
            (values.out_of_line_of_page.get(page, 0) - middle) * (size - mean)
            for page, size in zip(pages, bytes_of_page, strict=True)
        )
        corrections[name] = together / variance * difference / filled if variance else 0.0
    return OutOfLine(corrections=corrections)


def _packed(values_of_page: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Bytes of pages for each byte of chunks, as they were written and as a rewrite would write them."""
    filled_pages = [values for values in values_of_page if values]
    count = sum(map(len, filled_pages))
    some = list(chain.from_iterable(filled_pages[:: -(-count // _VALUES)]))
    # Of a long value all but the last few chunks fill pages of their own, whatever is around them.
    whole = sum(max(0, value // _CHUNK // _CHUNKS_OF_PAGE - 1) for value in some)
    chunks = [chunk for value in some for chunk in _chunks(value)]
    in_chunks = sum(map(_bytes_in_chunks, some))
    filled, rewritten = whole + pages_filled(chunks), whole + pages_rewritten(chunks)
    return filled * _PAGE / in_chunks, rewritten * _PAGE / in_chunks


def pages_filled(chunks: Sequence[int]) -> float:
    """Pages that chunks fill when they are written one after another, the last one by its part.

    A chunk goes to the page that was written last, else to one that is known to have room, else to a new one.
    """
    pages, free = 0, 0
    pages_free = [0] * (_USABLE // _CATEGORY + 1)
    some_free = 0  # a bit for each category of which there is a page
    for chunk in chunks:
        if free < chunk:
            pages_free[free // _CATEGORY] += 1
            some_free |= 1 << free // _CATEGORY
            least = -(-chunk // _CATEGORY)
            if enough := some_free >> least:
                category = least + (enough & -enough).bit_length() - 1
                pages_free[category] -= 1
                some_free ^= (not pages_free[category]) << category
                free = category * _CATEGORY
            else:
                pages, free = pages + 1, _USABLE
        free -= chunk
    return pages - free / _USABLE


def pages_rewritten(chunks: Iterable[int]) -> float:
    """The same when the table is rewritten: room that was left behind is not looked for."""
    pages, free = 0, 0
    for chunk in chunks:
        if free < chunk:
            pages, free = pages + 1, _USABLE
        free -= chunk
    return pages - free / _USABLE


def _chunks(value: int) -> Iterator[int]:
    """What the rows of a value take of a page, but for those that fill pages of their own."""
    whole, rest = divmod(value, _CHUNK)
    if whole >= 2 * _CHUNKS_OF_PAGE:
        whole = _CHUNKS_OF_PAGE + whole % _CHUNKS_OF_PAGE
    yield from repeat(_row_bytes(_CHUNK), whole)
    if rest:
        yield _row_bytes(rest)


def _bytes_in_chunks(value: int) -> int:
    whole, rest = divmod(value, _CHUNK)
    return whole * _row_bytes(_CHUNK) + (_row_bytes(rest) if rest else 0)


def _row_bytes(chunk: int) -> int:
    return -(-(_HEADER + chunk) // _ALIGNED) * _ALIGNED + _LINE_POINTER
