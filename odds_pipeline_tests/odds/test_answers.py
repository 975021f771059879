"""One cycle's rows made ready: what is refused before the writer sees it, and what an answer is worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from odds_pipeline.odds.answers import Answers, prepare
from odds_pipeline.odds.frames import SchemaMismatch, coverage_frame
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def outcome(key: str | None = "1", odds: str | None = "2.0", is_active: bool = True) -> dict[str, Any]:
    return {"key": key, "name": "n", "odds": None if odds is None else Decimal(odds), "is_active": is_active}


def row(market_id: str | None = "3743", *outcomes: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "cycle_at": NOON,
        "captured_at": NOON,
        "bookmaker": "betpawa",
        "external_event_id": "1",
        "betpawa_market_id": market_id,
        "betpawa_market_name": "Winner",
        "outcomes": list(outcomes) or [outcome()],
    } | other


def covered(status: str = "complete", **other: Any) -> dict[str, Any]:
    said = {"cycle_at": NOON, "captured_at": NOON, "bookmaker": "betpawa", "external_event_id": "1", "refused": []}
    return dict.fromkeys(COVERAGE_SCHEMA) | said | {"status": status} | other


def prepared(*rows: dict[str, Any], coverage: list[dict[str, Any]] | None = None, is_delta: bool = False) -> Answers:
    observations = pl.DataFrame(list(rows), schema=dict(OBSERVATION_SCHEMA))
    return prepare(observations.lazy(), coverage_frame(coverage or []), cycle_at=NOON, is_delta=is_delta)


def kept(answers: Answers) -> list[str]:
    """The market types of the keys."""
    return answers.types["betpawa_market_id"].gather(answers.keys["type"]).to_list()


def statuses(answers: Answers) -> list[tuple[str, str | None]]:
    return answers.answers.select("status", "reason").rows()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row("3743", outcome(odds=None)), "price_missing"),
        (row("3743", outcome(odds="1")), "price_too_low"),
        (row("3743", outcome(odds="0")), "price_too_low"),
        (row("3743", outcome(odds="-2")), "price_too_low"),
        (row("3743", outcome(odds="1000000.001")), "price_too_high"),
        (row("3743", outcome(), outcome()), "duplicate_outcome"),
        (row("3743", outcome(key=None)), "outcome_without_key"),
        (row("3743", outcome(key="a\x00")), "forbidden_character"),
        (row("3743", outcomes=[]), "no_outcomes"),
        (row("3743", line=Decimal("3000000")), "line_out_of_range"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_could_not_be_stored_is_refused_with_its_reason(bad: dict[str, Any], reason: str) -> None:
    answers = prepared(bad, row("5000"))
    assert answers.refused["reason"].to_list() == [reason]
    assert kept(answers) == ["5000"]
    assert statuses(answers) == [("complete", None)]


def test_outcomes_of_a_row_that_could_not_be_stored_are_counted_as_refused() -> None:
    """I7: the parser had counted them as stored."""
    bad = row("3743", outcome(), outcome("2"), line=Decimal("3000000"))
    said = covered(outcomes_stored=3, outcomes_not_offered=1, outcomes_refused=4)
    answers = prepared(bad, row("5000"), coverage=[said])
    counts = ["outcomes_stored", "outcomes_not_offered", "outcomes_refused"]
    assert answers.answers.select(counts).rows() == answers.coverage.select(counts).rows() == [(1, 1, 6)]


@pytest.mark.parametrize("odds", [None, "0", "1", "100"])
def test_the_price_of_a_suspended_outcome_is_never_a_reason_to_refuse(odds: str | None) -> None:
    """B-17."""
    assert prepared(row("3743", outcome(odds=odds, is_active=False))).refused.is_empty()


@pytest.mark.parametrize("market_id", [None, "37\x0043"])
def test_a_market_without_a_readable_identity_makes_its_answer_prove_nothing(market_id: str | None) -> None:
    answers = prepared(row(market_id), row("5000"))
    assert answers.refused["betpawa_market_id"].to_list() == [None]
    assert kept(answers) == ["5000"]
    assert statuses(answers) == [("failed", "unidentified_market")]


def test_a_market_that_stands_twice_is_taken_once_if_it_agrees_and_refused_if_not() -> None:
    same = prepared(row("3743"), row("3743"))
    assert (same.keys.height, same.refused.height) == (1, 0)
    other = prepared(row("3743"), row("3743", outcome(odds="3.0")))
    assert (other.keys.height, set(other.refused["reason"])) == (0, {"conflicting_duplicate"})


def test_of_two_answers_of_one_cycle_the_newer_one_counts() -> None:
    newer = row("3743", outcome(odds="3.0"), captured_at=NOON + timedelta(seconds=9))
    answers = prepared(row("3743"), newer)
    assert answers.keys["row"].to_list() == [1]
    assert answers.answers["captured_at"].to_list() == [NOON + timedelta(seconds=9)]


def test_an_event_without_coverage_counts_as_completely_answered() -> None:
    assert statuses(prepared(row("3743"))) == [("complete", None)]


def test_what_coverage_says_of_an_answer_holds() -> None:
    answers = prepared(row("3743"), coverage=[covered("failed", reason="timeout")])
    assert statuses(answers) == [("failed", "timeout")]
    assert answers.answers["has_observations"].to_list() == [True]


def test_the_words_of_a_listing_come_from_the_answer_and_else_from_discovery() -> None:
    said = covered(home_team="From discovery", sportradar_id="77")
    answers = prepared(row("3743", home_team="From the answer"), coverage=[said])
    assert answers.listings.select("home_team", "sportradar_id").rows() == [("From the answer", "77")]


def test_kickoffs_count_against_the_latest_moment_that_anything_speaks_of() -> None:
    late = NOON + timedelta(seconds=40)
    whole_offer = covered(external_event_id=None, captured_at=late)
    assert prepared(row("3743"), coverage=[whole_offer]).as_of == late
    assert prepared().as_of == NOON


def test_in_an_archive_a_row_without_outcomes_is_a_market_that_vanished() -> None:
    answers = prepared(row("3743", outcomes=[]), row("5000"), is_delta=True)
    assert answers.vanished["betpawa_market_id"].to_list() == ["3743"]
    assert answers.refused.is_empty()


def test_a_frame_that_breaks_the_contract_is_named_with_what_was_expected() -> None:
    with pytest.raises(SchemaMismatch, match="line: expected Decimal"):
        prepare(
            pl.DataFrame([row()], schema=dict(OBSERVATION_SCHEMA)).with_columns(line=pl.lit(2.5)).lazy(),
            coverage_frame([]),
            cycle_at=NOON,
        )
