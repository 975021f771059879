"""The checks of scraped observations, each with a frame that fails it and one that does not."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
import polars as pl
import pytest

from odds_pipeline.checks.observations import check_observations
from odds_pipeline.odds.frames import coverage_frame, coverage_row, discovery_row, observations_frame
from odds_pipeline.odds.observation import AnswerStatus, Listing, Observation, Outcome, ParsedAnswer

AT = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
KEY = dg.AssetKey(["bet9ja", "observations"])
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def listing(event: str) -> Listing:
    return Listing(
        bookmaker="bet9ja",
        external_event_id=event,
        sportradar_id=event,
        sport="football",
        country="Nigeria",
        tournament="NPFL",
        home_team="Home",
        away_team="Away",
        kickoff=AT,
    )


def market(line: str | None = None, odds: str = "1.85", *, is_active: bool = True) -> Observation:
    return Observation(
        betpawa_market_id="5000",
        betpawa_market_name="Total goals",
        source_market_id="S_OU",
        source_specifier=line,
        line=None if line is None else Decimal(line),
        outcomes=[Outcome("1", "Over", Decimal(odds), is_active), Outcome("2", "Under", Decimal("2.05"), True)],
    )


def observations(*markets: Observation) -> pl.LazyFrame:
    parsed = ParsedAnswer(
        listing=listing("1"),
        status=AnswerStatus.COMPLETE,
        reason=None,
        observations=list(markets),
        refused=[],
        outcomes_in_answer=0,
        outcomes_stored=0,
        outcomes_not_offered=Counter(),
        outcomes_refused=Counter(),
        content_hash="",
    )
    return observations_frame([(parsed, AT)], cycle_at=AT).lazy()


def coverage(
    *statuses: AnswerStatus, discovery: AnswerStatus = AnswerStatus.COMPLETE, outcomes: int = 100
) -> pl.DataFrame:
    times = {"cycle_at": AT, "captured_at": AT, "run_id": 1}
    rows = [
        coverage_row(listing(str(number)), status=status, reason=None if status == "complete" else "timeout", **times)
        for number, status in enumerate(statuses)
    ]
    frame = coverage_frame([discovery_row("bet9ja", status=discovery, **times), *rows])
    return frame.with_columns(outcomes_stored=pl.when(pl.int_range(pl.len()) == 0).then(outcomes).otherwise(0))


COMPLETE = coverage(*[AnswerStatus.COMPLETE] * 3)


def judged(
    rows: pl.LazyFrame | None = None, covered: pl.DataFrame = COMPLETE, before: int | None = None
) -> dict[str, dg.AssetCheckResult]:
    rows = observations(market("2.5"), market("3.5"), market()) if rows is None else rows
    found = check_observations(KEY, rows, covered, outcomes_before=before)
    return {result.check_name or "": result for result in found}


def test_good_observations_pass_every_check():
    found = judged()
    assert list(found) == ["schema", "unique", "coverage", "price_bounds", "row_count"]
    assert all(result.passed for result in found.values())


def test_a_wrong_column_is_named_with_what_was_expected_and_blocks():
    found = judged(observations(market("2.5")).with_columns(pl.col("line").cast(pl.Float64)).drop("sport"))
    assert (found["schema"].passed, found["schema"].severity) == (False, ERROR)
    reason = str(found["schema"].metadata["reason"].value)
    assert "line: expected Decimal(precision=10, scale=3), got Float64" in reason
    assert "sport: expected String, got no such column" in reason
    assert not found["unique"].passed, "what could not be examined did not pass"


def test_two_rows_of_one_market_and_line_block():
    """B-01: rows with the same identity were to be merged."""
    found = judged(observations(market("2.5"), market("2.5")))["unique"]
    assert (found.passed, found.severity) == (False, ERROR)
    assert found.metadata["repeated"].value == 1


def test_no_line_and_line_zero_are_not_the_same_market():
    """B-26"""
    assert judged(observations(market(), market("0")))["unique"].passed


def test_two_rows_without_a_line_are_the_same_market():
    assert not judged(observations(market(), market()))["unique"].passed


@pytest.mark.parametrize("failed", [1, 2])
def test_a_few_failed_events_are_tolerated(failed: int):
    statuses = [AnswerStatus.FAILED] * failed + [AnswerStatus.COMPLETE] * (100 - failed)
    assert judged(covered=coverage(*statuses))["coverage"].passed


@pytest.mark.parametrize("status", [AnswerStatus.FAILED, AnswerStatus.NOT_ASKED])
def test_many_events_without_an_answer_warn(status: AnswerStatus):
    found = judged(covered=coverage(*[status] * 3, *[AnswerStatus.COMPLETE] * 97))["coverage"]
    assert (found.passed, found.severity) == (False, WARN)
    assert found.metadata["reasons"].value == "timeout: 3"


def test_an_incomplete_discovery_warns():
    found = judged(covered=coverage(AnswerStatus.COMPLETE, discovery=AnswerStatus.FAILED))["coverage"]
    assert (found.passed, found.severity) == (False, WARN)


def test_a_bookmaker_without_a_single_answer_is_an_error():
    """B-39: a failure of 100 % is loud."""
    found = judged(covered=coverage(AnswerStatus.FAILED, AnswerStatus.FAILED))["coverage"]
    assert (found.passed, found.severity) == (False, ERROR)
    found = judged(covered=coverage(discovery=AnswerStatus.FAILED))["coverage"]
    assert (found.passed, found.severity) == (False, ERROR)


@pytest.mark.parametrize(("odds", "passes"), [("1.001", True), ("1001", True), ("1001.01", False), ("1", False)])
def test_implausible_prices_warn(odds: str, passes: bool):
    found = judged(observations(market("2.5", odds)))["price_bounds"]
    assert (found.passed, found.severity) == (passes, WARN)


def test_the_price_of_a_suspended_outcome_is_not_judged():
    assert judged(observations(market("2.5", "5000", is_active=False)))["price_bounds"].passed


@pytest.mark.parametrize(("before", "passes"), [(None, True), (100, True), (142, True), (150, False)])
def test_a_drop_of_the_row_count_warns(before: int | None, passes: bool):
    found = judged(before=before)["row_count"]
    assert (found.passed, found.severity) == (passes, WARN)
