"""From answers to staged rows: parse, count, batch, write. The one place that touches the staging files (B-55).

A ``Recorder`` belongs to one bookmaker and one thread; the loop in ``collect.py`` hands it what arrived.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from odds_pipeline.bookmakers.base import Answer, Bookmaker, Discovery, GivenUp, ScrapeFailure
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.answers import with_comparison_columns
from odds_pipeline.odds.frames import coverage_frame, coverage_row, discovery_row, observations_frame
from odds_pipeline.odds.observation import AnswerStatus, Listing, ParsedAnswer
from odds_pipeline.scrape.staging import StagedBookmaker

_logger = logging.getLogger(__name__)

#: Observations in a batch: large enough for polars, small enough that three bookmakers' batches stay below 100 MB.
_BATCH = 8_000

_MESSAGE_LENGTH = 1_000


@dataclass(slots=True)
class Tally:
    """What became of one bookmaker's answers. ``outcomes_*`` count as in ``ParsedAnswer``."""

    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    observations: int = 0
    outcomes_stored: int = 0
    outcomes_not_offered: int = 0
    outcomes_refused: int = 0


class Recorder:
    """Turns one bookmaker's answers into staged observations and coverage, and counts them."""

    def __init__(
        self,
        bookmaker: Bookmaker,
        staged: StagedBookmaker,
        *,
        mapper: Mapper,
        run_id: int,
        cycle_at: datetime,
    ) -> None:
        self.tally = Tally()
        self._bookmaker = bookmaker
        self._staged = staged
        self._mapper = mapper
        self._run: dict[str, Any] = {"run_id": run_id, "cycle_at": cycle_at}
        self._answers: list[tuple[ParsedAnswer, datetime]] = []
        self._observations = 0
        self._coverage: list[dict[str, Any]] = []

    def discovered(self, discovery: Discovery) -> None:
        """Note a discovery; an incomplete one says what failed."""
        if discovery.is_complete:
            self._add_discovery(discovery.captured_at, AnswerStatus.COMPLETE)
        else:
            self._count_failures(discovery.failures)
            first = discovery.failures[0]
            more = f" (and {len(discovery.failures) - 1} more)" if len(discovery.failures) > 1 else ""
            self._add_discovery(discovery.captured_at, AnswerStatus.FAILED, first.error_type, f"{first}{more}")

    def discovery_failed(self, failure: Exception, at: datetime) -> None:
        """Note that nothing could be discovered."""
        self._count_failures((failure,))
        self._add_discovery(at, AnswerStatus.FAILED, error_type(failure), describe(failure))

    def answered(self, listing: Listing, answer: Answer) -> Listing:
        """Parse an answer and note it; return the listing as the answer completes it."""
        try:
            parsed = self._bookmaker.parse_event(answer.body, self._mapper, listing)
        except Exception as failure:
            # A parser's own mistake about one answer must not cost the others (B-43).
            self.failed(listing, failure, answer.captured_at)
            return listing
        message = None
        if parsed.status is AnswerStatus.FAILED:
            self.tally.failures[parsed.reason or ScrapeFailure.error_type] += 1
            message = (
                f"{parsed.outcomes_in_answer} outcomes in {len(answer.body):,} bytes, {parsed.outcomes_stored} stored, "
                f"{parsed.outcomes_refused.total()} refused; the answer proves nothing absent"
            )
        self._add_coverage(
            parsed.listing, answer.captured_at, parsed.status, reason=parsed.reason, message=message, answer=parsed
        )
        self.tally.observations += len(parsed.observations)
        self.tally.outcomes_stored += parsed.outcomes_stored
        self.tally.outcomes_not_offered += parsed.outcomes_not_offered.total()
        self.tally.outcomes_refused += parsed.outcomes_refused.total()
        if parsed.observations:
            self._answers.append((parsed, answer.captured_at))
            self._observations += len(parsed.observations)
            if self._observations >= _BATCH:
                self._flush_observations()
        return parsed.listing

    def failed(self, listing: Listing, failure: Exception, at: datetime) -> None:
        """Note that one event's answer could not be had or read, or was not asked for."""
        if isinstance(failure, GivenUp):
            status = AnswerStatus.NOT_ASKED
        else:
            status = AnswerStatus.FAILED
            self._count_failures((failure,))
        self._add_coverage(listing, at, status, reason=error_type(failure), message=describe(failure))

    def finish(self) -> None:
        """Write what is still held back; the files then have all columns even without a row."""
        self._flush_observations()
        self._staged.add_coverage(coverage_frame(self._coverage))

    def _flush_observations(self) -> None:
        frame = observations_frame(self._answers, cycle_at=self._run["cycle_at"])
        self._staged.add_observations(with_comparison_columns(frame))
        self._answers.clear()
        self._observations = 0

    def _add_discovery(
        self, at: datetime, status: AnswerStatus, reason: str | None = None, message: str | None = None
    ) -> None:
        self._coverage.append(
            discovery_row(
                self._bookmaker.slug,
                captured_at=at,
                status=status,
                reason=reason,
                message=message and message[:_MESSAGE_LENGTH],
                **self._run,
            )
        )

    def _add_coverage(
        self,
        listing: Listing,
        at: datetime,
        status: AnswerStatus,
        *,
        reason: str | None,
        message: str | None = None,
        answer: ParsedAnswer | None = None,
    ) -> None:
        self.tally.statuses[status] += 1
        self._coverage.append(
            coverage_row(
                listing,
                captured_at=at,
                status=status,
                reason=reason,
                message=message and message[:_MESSAGE_LENGTH],
                answer=answer,
                **self._run,
            )
        )

    def _count_failures(self, failures: tuple[Exception, ...]) -> None:
        for failure in failures:
            self.tally.failures[error_type(failure)] += 1
            if not isinstance(failure, ScrapeFailure):
                _logger.error("%s: unforeseen failure", self._bookmaker.slug, exc_info=failure)


def error_type(failure: Exception) -> str:
    """What ``scrape_errors`` stores as the type; a failure that nobody foresaw is ``internal_error``."""
    return failure.error_type if isinstance(failure, ScrapeFailure) else "internal_error"


def describe(failure: Exception) -> str:
    """The failure in words."""
    return str(failure) if isinstance(failure, ScrapeFailure) else f"{type(failure).__name__}: {failure}"
