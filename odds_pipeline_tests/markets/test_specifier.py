"""Specifiers of all three bookmakers, read by one grammar."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.markets.specifier import (
    Specifier,
    SpecifierError,
    own_pairs,
    read_line,
    read_specifier,
    without_match,
)


@pytest.mark.parametrize(
    ("text", "line", "kind", "pairs"),
    [
        (None, None, None, {}),
        ("", None, None, {}),
        ("total=2.5", "2.5", "over_under", {}),
        ("total=2.50", "2.5", "over_under", {}),
        ("hcp=-0.5", "-0.5", "asian", {}),
        ("hcp=0:1", "-1", "european", {}),
        ("hcp=2:0", "2", "european", {}),
        ("goalnr=1|type=prematch", "1", "number", {"type": "prematch"}),
        ("type=prematch|goalnr=1", "1", "number", {"type": "prematch"}),
        ("minsnr=10|total=1.5", "1.5", "over_under", {"minsnr": "10"}),
        ("variant=sr:exact_goals:6+", None, None, {"variant": "sr:exact_goals:6+"}),
        ("a=b=c", None, None, {"a": "b=c"}),
        ("2.5", "2.5", None, {}),
        ("-1", "-1", None, {}),
        ("-0", "0", None, {}),
    ],
)
def test_a_specifier_is_taken_apart(
    text: str | None, line: str | None, kind: str | None, pairs: dict[str, str]
) -> None:
    """B-20, B-21."""
    assert read_specifier(text) == Specifier(None if line is None else Decimal(line), kind, pairs)


@pytest.mark.parametrize(
    "text", ["x", "total=", "total=2,5", "total=1e3", "a=1|a=2", "a=1|", "=1", "12345678", "0.0001", "hcp=1:2:3"]
)
def test_an_unreadable_one_is_an_error(text: str) -> None:
    with pytest.raises(SpecifierError):
        read_specifier(text)


@given(st.decimals(min_value=-9999, max_value=9999, places=3))
def test_every_line_of_three_decimals_is_read_exactly(line: Decimal) -> None:
    assert read_line(format(line, "f")) == line


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.from_regex(r"[a-z0-9:+.-]{1,8}", fullmatch=True))
)
def test_the_order_of_pairs_means_nothing_in_an_own_id(pairs: dict[str, str]) -> None:
    assert own_pairs(pairs) == own_pairs(dict(reversed(list(pairs.items()))))


def test_the_match_is_no_part_of_an_own_id() -> None:
    assert own_pairs({"variant": "pre:playerprops:71:2534"}) == "[variant=pre:playerprops:2534]"
    assert without_match("pre:playerprops:71:2534:1") == "pre:playerprops:2534:1"
    assert without_match("sr:player:10") == "sr:player:10"
    assert without_match("pre:playerprops:71") == "pre:playerprops:71"
