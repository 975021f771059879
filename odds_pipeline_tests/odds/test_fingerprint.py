"""Fingerprints: what counts as a change, and what does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.fingerprint import hash_text, state_fingerprint, with_fingerprints
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA


def outcome(key: str, odds: str | None, is_active: bool = True, name: str = "n") -> dict[str, Any]:
    return {"key": key, "name": name, "odds": None if odds is None else Decimal(odds), "is_active": is_active}


def row(*outcomes: dict[str, Any], **words: Any) -> dict[str, Any]:
    return {"betpawa_market_name": "Winner", "source_market_id": "1", "outcomes": list(outcomes), **words}


def fingerprints(*rows: dict[str, Any]) -> tuple[list[int], list[int]]:
    frame = with_fingerprints(pl.DataFrame(list(rows), schema=dict(OBSERVATION_SCHEMA)))
    return frame["fingerprint"].to_list(), frame["label_fingerprint"].to_list()


ONE = row(outcome("1", "2.5"), outcome("X", "3.10"))


@pytest.mark.parametrize(
    "same",
    [
        row(outcome("X", "3.1"), outcome("1", "2.500")),
        row(outcome("1", "2.5", name="Home"), outcome("X", "3.10", name="Draw")),
        row(outcome("1", "2.5"), outcome("X", "3.10"), betpawa_market_name="1X2", market_groups=["popular"]),
    ],
    ids=["order and representation", "outcome names", "words of the market"],
)
def test_order_representation_and_words_are_no_change(same: dict[str, Any]) -> None:
    """B-07."""
    (before, after), _ = fingerprints(ONE, same)
    assert before == after


@pytest.mark.parametrize(
    "other",
    [
        row(outcome("1", "2.501"), outcome("X", "3.10")),
        row(outcome("1", "2.5"), outcome("X", "3.10", is_active=False)),
        row(outcome("1", "2.5")),
        row(outcome("1", "2.5"), outcome("X", "3.10"), outcome("2", "4")),
        row(outcome("1", "3.10"), outcome("X", "2.5")),
    ],
    ids=["a price", "a suspension", "an outcome fewer", "an outcome more", "prices swapped"],
)
def test_prices_suspensions_and_the_set_of_outcomes_are_a_change(other: dict[str, Any]) -> None:
    """B-08."""
    (before, after), _ = fingerprints(ONE, other)
    assert before != after


def test_the_price_of_a_suspended_outcome_is_no_change() -> None:
    """B-17."""
    offers = [row(outcome("1", odds, is_active=False)) for odds in ("2.5", "100", "0", None)]
    assert len(set(fingerprints(*offers)[0])) == 1


@pytest.mark.parametrize(
    "words",
    [
        {"betpawa_market_name": "1X2"},
        {"market_groups": ["goals"]},
        {"handicap_type": "asian"},
        {"handicap_home": Decimal("0.5")},
        {"source_specifier": "total=2.5"},
    ],
    ids=lambda words: next(iter(words)),
)
def test_every_word_shows_in_the_label(words: dict[str, Any]) -> None:
    _, (before, after) = fingerprints(ONE, ONE | words)
    assert before != after


def test_the_fingerprint_of_a_packed_state_is_that_of_the_observation() -> None:
    (observed,), _ = fingerprints(
        row(outcome("1", "2.505"), outcome("X", "9", is_active=False), outcome("2", "1000000"))
    )
    assert observed == state_fingerprint([("2", True, 1_000_000_000), ("X", False, 3_100), ("1", True, 2_505)])


def test_a_stored_fingerprint_stays_comparable_for_ever() -> None:
    assert hash_text("1\x1f2.500") == 6_862_823_446_970_298_859
