"""Which pages are looked at: few, different, spread over the table in every lot, the same ones each time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.storage.pages import LOT, lots_of_pages

pages = st.integers(min_value=0, max_value=10_000_000)
most = st.integers(min_value=1, max_value=2000)


@given(pages, most)
def test_pages_are_different_ones_of_the_table_and_no_more_than_may_be(pages: int, most: int) -> None:
    lots = lots_of_pages(pages, most)
    chosen = [page for lot in lots for page in lot]
    assert len(chosen) == len(set(chosen)) == min(pages, most)
    assert all(0 <= page < pages for page in chosen)
    assert all(0 < len(lot) <= LOT + 1 for lot in lots)
    assert lots == lots_of_pages(pages, most)


@given(pages.filter(bool), most)
def test_the_first_lot_has_the_first_page_and_the_last(pages: int, most: int) -> None:
    first = lots_of_pages(pages, most)[0]
    assert 0 in first or most == 1
    assert pages - 1 in first


@given(st.integers(min_value=1000, max_value=10_000_000), st.integers(min_value=128, max_value=2000))
def test_every_lot_is_spread_over_the_whole_table(pages: int, most: int) -> None:
    for lot in lots_of_pages(pages, most):
        ends = [-1, *sorted(lot), pages]
        widest = max(after - before for before, after in pairwise(ends))
        assert widest <= 4 * pages / len(lot) + 2
