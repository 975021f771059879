"""Numbers in words: units of 1000, three digits, nothing that rounding makes look like something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.storage.words import in_bytes, in_count, in_days, in_percent, in_rows


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "not known"),
        (0, "0 B"),
        (-0.2, "0 B"),
        (999, "999 B"),
        (999.6, "1.00 kB"),
        (1_234, "1.23 kB"),
        (9_996, "10.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (62_000_000, "62.0 MB"),
        (-62_000_000, "-62.0 MB"),
        (63_000_000_000, "63.0 GB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_bytes_are_told_in_units_of_1000(number: float | None, words: str):
    assert in_bytes(number) == words


@given(st.integers(0, 10**17))
def test_bytes_in_words_are_off_by_half_a_percent_at_most(number: int):
    figure, unit = in_bytes(number).split()
    told = float(figure) * 1000 ** ("B", "kB", "MB", "GB", "TB", "PB").index(unit)
    assert abs(told - number) <= 0.005 * number
    assert float(figure) < 1000


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "not known"),
        (0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.523, "52.3 %"),
        (0.9999, "> 99.9 %"),
        (1, "100 %"),
        (12, "1,200.0 %"),
        (-0.1, "-10.0 %"),
    ],
)
def test_shares_that_are_neither_nothing_nor_all_do_not_look_it(share: float | None, words: str):
    assert in_percent(share) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (None, "not known"),
        (0, "0 minutes"),
        (1 / 24, "1 hour"),
        (0.375, "9 hours"),
        (12.2, "12 days"),
        (729, "729 days"),
        (1_242, "3.4 years"),
        (2_066_000, "more than 100 years"),
    ],
)
def test_lengths_of_time_are_told_in_the_unit_that_fits(days: float | None, words: str):
    assert in_days(days) == words


def test_counts_have_their_thousands_apart():
    assert (in_count(85_408_740), in_count(7.6), in_count(None)) == ("85,408,740", "8", "not known")


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (7, "7"), (12, "≈12"), (7_511, "≈7,500"), (9_960, "≈10,000"), (85_408_740, "≈85,000,000")],
)
def test_a_sample_tells_no_more_digits_than_it_knows(number: int, words: str):
    assert in_rows(number, "sampled") == words
    assert in_rows(number, "counted") == in_rows(number, "statistics") == in_count(number)
