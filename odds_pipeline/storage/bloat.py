"""How much of a heap its rows do not need: dead rows not yet cleaned away, and space left behind by them."""

from __future__ import annotations

from math import ceil

from odds_pipeline.storage.relations import Relation
from odds_pipeline.storage.sampling import POINTER, RowSample

_PAGE = 8192
_USABLE = 8168
"""Of a page, for rows and their line pointers."""
_HEADER, _LINE_POINTER = 23, 4
_ALIGNMENT = {"c": 1, "s": 2, "i": 4, "d": 8}


def heap_bloat(relation: Relation, sample: RowSample, rows: int) -> int:
    """Bytes of the heap beyond what its rows need.

    Needed = rows / rows per page, in whole pages of 8192; rows per page = (8168 x fillfactor - rest) / row, at least 1;
    row = header, null bitmap, columns by their mean size with their alignment, line pointer; rest = what is left of a
    page where the next row does not fit: half a row, where large rows count for more (E row^2 / 2 E row).
    """
    if sample.rows == 0:
        return relation.pages * _PAGE if rows == 0 else 0
    row = _row_bytes(relation, sample)
    stored = sum(
        values.bytes - values.out_of_line_bytes + POINTER * values.out_of_line for values in sample.values.values()
    )
    around = row - stored / sample.rows
    squares = sample.squares / sample.rows + 2 * around * stored / sample.rows + around**2
    per_page = max(1.0, (_USABLE * relation.fillfactor / 100 - squares / (2 * row)) / row)
    return max(0, relation.pages - ceil(rows / per_page)) * _PAGE


def _row_bytes(relation: Relation, sample: RowSample) -> float:
    stored = [each for each in relation.attributes if not each.is_virtual]
    has_nulls = any(sample.values[each.name].count < sample.rows for each in stored)
    offset = _aligned(_HEADER + (-(-len(stored) // 8) if has_nulls else 0), 8)
    is_exact = not has_nulls
    for each in stored:
        values = sample.values[each.name]
        if values.count == 0:
            continue
        share = values.count / sample.rows
        inline = (values.bytes - values.out_of_line_bytes + POINTER * values.out_of_line) / values.count
        # Short values of varying length have a header of one byte and stand anywhere.
        alignment = _ALIGNMENT[each.alignment] if each.length > 0 or inline > 126 else 1
        is_exact = is_exact and each.length > 0
        padding = _aligned(offset, alignment) - offset if is_exact else (alignment - 1) / 2
        offset += share * (padding + inline)
    return (_aligned(offset, 8) if is_exact else offset + 3.5) + _LINE_POINTER


def _aligned(offset: float, alignment: int) -> float:
    return -(-offset // alignment) * alignment
