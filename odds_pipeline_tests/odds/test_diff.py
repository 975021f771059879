"""The diff: new, changed, back, gone, relabelled, sighted, refused, or merely confirmed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from odds_pipeline.odds.diff import (
    CURRENT_KEYS,
    OBSERVED_KEYS,
    PROVEN_ABSENCE,
    REFUSED_KEYS,
    VANISHED_KEYS,
    Diff,
    diff,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def current(market_id: int, line: int | None = None, **state: Any) -> dict[str, Any]:
    return {
        "market_id": market_id,
        "listing_id": 1,
        "type_id": 7,
        "line": line,
        "fingerprint": 100,
        "label_fingerprint": 5,
        "is_available": True,
        "has_own_sighting": False,
    } | state


def seen(line: int | None = None, **state: Any) -> dict[str, Any]:
    return {"row": 0, "listing_id": 1, "type_id": 7, "line": line, "fingerprint": 100, "label_fingerprint": 5} | state


def compared(
    stored: list[dict[str, Any]],
    observed: list[dict[str, Any]],
    *,
    complete: tuple[int, ...] = (1,),
    refused: list[dict[str, Any]] | None = None,
    vanished: list[dict[str, Any]] | None = None,
) -> Diff:
    return diff(
        pl.DataFrame(stored, schema=dict(CURRENT_KEYS)),
        pl.DataFrame(observed, schema=dict(OBSERVED_KEYS)),
        pl.DataFrame([{"listing_id": each, "gone_at": NOON} for each in complete], schema=dict(PROVEN_ABSENCE)),
        pl.DataFrame(refused or [], schema=dict(REFUSED_KEYS)),
        pl.DataFrame(vanished or [], schema=dict(VANISHED_KEYS)),
    )


def verdicts(found: Diff) -> list[tuple[int | None, str]]:
    return found.changes.select("market_id", "change").rows()


def test_an_unknown_market_is_new() -> None:
    assert verdicts(compared([], [seen()])) == [(None, "new")]


def test_line_zero_and_no_line_are_different_markets() -> None:
    """B-26."""
    found = compared([current(1, line=0)], [seen(line=0), seen(line=None, row=1)])
    assert verdicts(found) == [(None, "new")]
    assert found.confirmed == 1


def test_the_same_offer_is_confirmed_and_touched_by_nothing() -> None:
    found = compared([current(1), current(2, line=2500)], [seen(), seen(line=2500)])
    assert (verdicts(found), found.confirmed) == ([], 2)


def test_only_the_market_that_moved_is_changed() -> None:
    """B-05."""
    found = compared([current(1), current(2, line=2500)], [seen(fingerprint=101), seen(line=2500)])
    assert (verdicts(found), found.confirmed) == ([(1, "changed")], 1)


def test_a_market_that_is_back_has_returned_even_at_the_old_price() -> None:
    """B-11."""
    assert verdicts(compared([current(1, is_available=False)], [seen()])) == [(1, "returned")]


def test_a_market_that_a_complete_answer_lacks_is_unavailable_since_its_arrival() -> None:
    found = compared([current(1)], [])
    assert verdicts(found) == [(1, "unavailable")]
    assert found.changes["gone_at"].to_list() == [NOON]


def test_a_market_that_an_incomplete_answer_lacks_stays() -> None:
    assert verdicts(compared([current(1)], [], complete=())) == []


def test_a_market_that_is_gone_already_is_not_gone_again() -> None:
    """B-14."""
    assert verdicts(compared([current(1, is_available=False)], [])) == []


def test_a_refused_market_is_neither_confirmed_nor_gone() -> None:
    key = {"listing_id": 1, "type_id": 7, "line": None}
    found = compared([current(1), current(2, line=0)], [seen(line=0)], refused=[key])
    assert (verdicts(found), found.confirmed) == ([(1, "refused")], 1)


def test_a_market_refused_once_more_is_not_touched_and_is_sighted_when_it_is_read_again() -> None:
    key = {"listing_id": 1, "type_id": 7, "line": None}
    stored = [current(1, has_own_sighting=True)]
    assert verdicts(compared(stored, [], refused=[key])) == []
    assert verdicts(compared(stored, [seen()])) == [(1, "sighted")]


def test_new_words_alone_are_relabelled_and_beside_a_change_they_go_with_it() -> None:
    found = compared([current(1)], [seen(label_fingerprint=6)])
    assert found.changes.select("change", "is_relabelled").rows() == [("relabelled", True)]
    found = compared([current(1)], [seen(fingerprint=101, label_fingerprint=6)])
    assert found.changes.select("change", "is_relabelled").rows() == [("changed", True)]


def test_an_archive_names_the_markets_that_vanished_and_no_others_are_gone() -> None:
    key = {"listing_id": 1, "type_id": 7, "line": None, "gone_at": NOON}
    found = compared([current(1), current(2, line=0)], [], complete=(), vanished=[key])
    assert verdicts(found) == [(1, "unavailable")]
