"""One pass over all bookmakers: discover, then ask for every event, paced by match; the rows end in staging files.

One asyncio loop asks; one worker thread parses and writes, so that a large answer delays no request and everything is
written in one place (B-55). A bookmaker or event that fails stands in the coverage and never stops another (B-43).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec, TypeVar

from odds_pipeline.bookmakers.base import Bookmaker, Discovery
from odds_pipeline.bookmakers.http import BookmakerHttp, open_http
from odds_pipeline.clock import Clock, require_utc
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import AnswerStatus, Listing
from odds_pipeline.scrape.garbage import give_back, seldom_looked_for
from odds_pipeline.scrape.pacing import Room, Spread, fullest_first, matches_in_order
from odds_pipeline.scrape.recording import Recorder
from odds_pipeline.scrape.staging import Staging
from odds_pipeline.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bookmaker is: events found so far, answered (whatever the answer), and failed among those."""

    bookmaker: str
    found: int
    answered: int
    failed: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What one pass brought from one bookmaker; its rows are in the staging files.

    ``discovery_complete`` is None where no discovery was asked for (the refresh of one event).
    ``answered_*``, ``failed`` and ``not_asked`` count events and add up to ``found``. ``failures`` counts failed events
    and failed parts of the discovery by ``error_type``. ``median_spread_s`` is that of the whole pass, the same for
    every bookmaker: how far apart the answers about one match lie (None: no match was answered by two).
    """

    bookmaker: str
    discovery_complete: bool | None
    found: int
    answered_complete: int
    answered_started: int
    failed: int
    not_asked: int
    failures: Counter[str]
    observations: int
    outcomes_stored: int
    outcomes_not_offered: int
    outcomes_refused: int
    requests: int
    retries: int
    request_seconds: float
    discovery_seconds: float
    answers_seconds: float
    median_spread_s: float | None

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for came: the whole offer, and an answer about every event."""
        return self.discovery_complete is not False and not self.failed and not self.not_asked

    @property
    def is_failed(self) -> bool:
        """Whether not one event was answered."""
        return self.answered_complete + self.answered_started == 0


@dataclass(slots=True)
class _Pass:
    """One bookmaker's part of the pass under way."""

    bookmaker: Bookmaker
    http: BookmakerHttp
    room: Room
    recorder: Recorder
    listings: Sequence[Listing] = ()
    discovery_complete: bool | None = None
    discovery_seconds: float = 0.0
    answers_seconds: float = 0.0


async def collect(
    bookmakers: Sequence[Bookmaker],
    *,
    run_id: int,
    cycle_at: datetime,
    settings: Settings,
    mapper: Mapper,
    clock: Clock,
    staging: Staging,
    only_event: Iterable[Listing] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Collected]:
    """Ask every bookmaker for its whole offer, nearest kick-off first, and stage what they answer.

    With ``only_event`` just these listings are asked and no discovery is made or recorded. ``progress`` is called in
    the event loop after each discovery and each event. Whatever a bookmaker does ends in its coverage; what is raised
    from here is a fault of this machine (a full disk) or of the settings (``ValueError``: no address for a bookmaker).
    """
    cycle_at = require_utc(cycle_at)
    async with AsyncExitStack() as stack:
        stack.callback(give_back)
        stack.enter_context(seldom_looked_for())
        passes: dict[str, _Pass] = {}
        for bookmaker in bookmakers:
            http = await stack.enter_async_context(open_http(bookmaker, settings, clock))
            staged = stack.enter_context(staging.write(bookmaker.slug))
            recorder = Recorder(bookmaker, staged, mapper=mapper, run_id=run_id, cycle_at=cycle_at)
            passes[bookmaker.slug] = _Pass(bookmaker, http, Room(http.limits.parallelism), recorder)
        # Entered last: on the way out it comes to rest before the files are finished or discarded.
        worker = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="parse"))
        collection = _Collection(passes, worker, clock, progress)
        try:
            if only_event is None:
                await collection.discover()
            else:
                collection.take(only_event)
            await collection.ask()
        except BaseExceptionGroup as group:
            # What stopped the pass, by its own name: a full disk, an interruption.
            raise group.exceptions[0] from None
        await collection.finish()
        return collection.result()


class _Collection:
    """The state of one ``collect``: who is asked, and what has arrived."""

    def __init__(
        self,
        passes: dict[str, _Pass],
        worker: ThreadPoolExecutor,
        clock: Clock,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._passes = passes
        self._worker = worker
        self._clock = clock
        self._progress = progress
        self._spread = Spread()

    async def discover(self) -> None:
        """Discover every bookmaker's offer, all at once."""
        async with asyncio.TaskGroup() as group:
            for part in self._passes.values():
                group.create_task(self._discover(part))

    def take(self, listings: Iterable[Listing]) -> None:
        """Ask for these listings only. Raises ``ValueError`` for one of a bookmaker that takes no part."""
        for listing in listings:
            if listing.bookmaker not in self._passes:
                raise ValueError(f"listing {listing.external_event_id} is of {listing.bookmaker}, which is not asked")
            part = self._passes[listing.bookmaker]
            part.listings = [*part.listings, listing]

    async def ask(self) -> None:
        """Ask for every listing, match by match."""
        rooms = {slug: part.room for slug, part in self._passes.items()}
        listings = [listing for part in self._passes.values() for listing in part.listings]
        started = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for match in matches_in_order(listings):
                for listing in fullest_first(match, rooms):
                    part = self._passes[listing.bookmaker]
                    await part.room.enter()
                    group.create_task(self._ask(part, listing, started))

    async def finish(self) -> None:
        """Write what the recorders still hold, and say aloud what failed (B-39)."""
        for part in self._passes.values():
            await self._in_worker(part.recorder.finish)
            tally = part.recorder.tally
            if tally.failures or tally.statuses[AnswerStatus.NOT_ASKED]:
                _logger.warning(
                    "%s: of %d events %d failed and %d were not asked for; failures: %s",
                    part.bookmaker.slug,
                    len(part.listings),
                    tally.statuses[AnswerStatus.FAILED],
                    tally.statuses[AnswerStatus.NOT_ASKED],
                    ", ".join(f"{error_type} {count}" for error_type, count in tally.failures.most_common()),
                )

    def result(self) -> dict[str, Collected]:
        """What the pass brought, by bookmaker."""
        median_spread_s = self._spread.median_s()
        return {slug: _collected(part, median_spread_s) for slug, part in self._passes.items()}

    async def _discover(self, part: _Pass) -> None:
        started = asyncio.get_running_loop().time()
        try:
            discovery: Discovery = await part.bookmaker.discover(part.http)
        except Exception as failure:
            # As text: the exception itself would keep the whole pass alive for as long as somebody keeps the record.
            _logger.error("%s: nothing could be discovered: %s", part.bookmaker.slug, str(failure))
            part.discovery_complete = False
            await self._in_worker(part.recorder.discovery_failed, failure, self._clock.now())
        else:
            part.listings = discovery.listings
            part.discovery_complete = discovery.is_complete
            await self._in_worker(part.recorder.discovered, discovery)
        part.discovery_seconds = asyncio.get_running_loop().time() - started
        self._report(part)

    async def _ask(self, part: _Pass, listing: Listing, started: float) -> None:
        try:
            answer = await part.bookmaker.fetch_event(part.http, listing)
        except Exception as failure:
            await self._in_worker(part.recorder.failed, listing, failure, self._clock.now())
        else:
            completed = await self._in_worker(part.recorder.answered, listing, answer)
            self._spread.arrived(completed, answer.captured_at)
        finally:
            part.room.leave()
        part.answers_seconds = asyncio.get_running_loop().time() - started
        self._report(part)

    async def _in_worker(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, lambda: function(*args, **kwargs))

    def _report(self, part: _Pass) -> None:
        if self._progress is not None:
            statuses = part.recorder.tally.statuses
            self._progress(
                Progress(part.bookmaker.slug, len(part.listings), statuses.total(), statuses[AnswerStatus.FAILED])
            )


def _collected(part: _Pass, median_spread_s: float | None) -> Collected:
    tally = part.recorder.tally
    return Collected(
        bookmaker=part.bookmaker.slug,
        discovery_complete=part.discovery_complete,
        found=len(part.listings),
        answered_complete=tally.statuses[AnswerStatus.COMPLETE],
        answered_started=tally.statuses[AnswerStatus.STARTED],
        failed=tally.statuses[AnswerStatus.FAILED],
        not_asked=tally.statuses[AnswerStatus.NOT_ASKED],
        failures=tally.failures,
        observations=tally.observations,
        outcomes_stored=tally.outcomes_stored,
        outcomes_not_offered=tally.outcomes_not_offered,
        outcomes_refused=tally.outcomes_refused,
        requests=part.http.counts.requests,
        retries=part.http.counts.retries,
        request_seconds=part.http.counts.seconds,
        discovery_seconds=part.discovery_seconds,
        answers_seconds=part.answers_seconds,
        median_spread_s=median_spread_s,
    )
