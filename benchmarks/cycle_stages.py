"""Processor seconds of a cycle by stage, measured around functions of the pipeline while a benchmark runs it.

Every second that the process computes belongs to exactly one stage, so the stages add up to the whole:

- ``fetch``: what the scrape computes beside the stages below: HTTP, the event loop, handing answers to the worker;
- ``decode``: decompressing bodies and decoding JSON (twice: once to know that a body is JSON, once to read it);
- ``map``: finding where a competitor's market belongs in the taxonomy (betPawa's ids are the taxonomy);
- ``parse``: reading the fields of an answer, and its rows as frames;
- ``match``: listings paired by match before they are asked, and joined with what the database knows of them;
- ``diff``: fingerprints and checks of every market, reading current, the comparison;
- ``write``: staging files, and all that the write does otherwise.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import msgspec

from odds_pipeline.bookmakers.bet9ja.protocol import Bet9ja
from odds_pipeline.bookmakers.betpawa.protocol import BetPawa
from odds_pipeline.bookmakers.sportybet.protocol import SportyBet
from odds_pipeline.database import comparing, write
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.scrape import collect, cycle, recording
from odds_pipeline.scrape.staging import StagedBookmaker

STAGES = ("fetch", "decode", "parse", "map", "match", "diff", "write")

#: The mapper is asked for every market: only in one answer of so many is it measured, or measuring would weigh more.
_MAPPED_EVERY = 16

Clock = Callable[[], float]


class Stages:
    """What each stage has computed, in seconds. One ``measured`` inside another is taken out of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._inner = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def measured(self, stage: str, clock: Clock = time.thread_time) -> Iterator[None]:
        outer, self._inner.seconds = getattr(self._inner, "seconds", 0.0), 0.0
        began = clock()
        try:
            yield
        finally:
            whole = clock() - began
            self._book(stage, whole - self._inner.seconds)
            self._inner.seconds = outer + whole

    @contextmanager
    def remaining(self, stage: str) -> Iterator[None]:
        """Book what this process computes meanwhile and no other stage claims."""
        began, claimed = time.process_time(), sum(self.seconds.values())
        yield
        self._book(stage, time.process_time() - began - (sum(self.seconds.values()) - claimed))

    def wrap(self, function: Callable[..., Any], stage: str, clock: Clock = time.thread_time) -> Callable[..., Any]:
        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.measured(stage, clock):
                return function(*args, **kwargs)

        return measured

    def _book(self, stage: str, seconds: float) -> None:
        with self._lock:
            self.seconds[stage] += seconds


@contextmanager
def staged() -> Iterator[Stages]:
    """Measure what a cycle run inside the block computes. The two halves are told by ``Stages.remaining``."""
    stages = Stages()
    main = time.pthread_getcpuclockid(threading.main_thread().ident or 0)

    def beside_main() -> float:
        """Of the scrape's worker with the threads of polars, while the main thread runs the event loop."""
        return time.process_time() - time.clock_gettime(main)

    functions: Mapping[tuple[object, str], tuple[str, Clock]] = {
        (msgspec.json, "decode"): ("decode", time.thread_time),
        (collect, "matches_in_order"): ("match", time.thread_time),
        (recording, "observations_frame"): ("parse", beside_main),
        (recording, "with_comparison_columns"): ("diff", beside_main),
        (StagedBookmaker, "add_observations"): ("write", beside_main),
        (StagedBookmaker, "add_coverage"): ("write", beside_main),
        (cycle, "prepare"): ("diff", time.process_time),
        (write, "resolve_listings"): ("match", time.thread_time),
        (comparing, "diff"): ("diff", time.process_time),
        (write, "read_current_keys"): ("diff", time.thread_time),
    }
    with ExitStack() as stack:
        for (owner, name), (stage, clock) in functions.items():
            wrapped = stages.wrap(getattr(owner, name), stage, clock)
            stack.enter_context(mock.patch.object(owner, name, wrapped))
        stack.enter_context(mock.patch.object(zlib, "decompressobj", _decompressors(stages)))
        for parser in (BetPawa, SportyBet, Bet9ja):
            stack.enter_context(mock.patch.object(parser, "parse_event", _parsing(parser.parse_event, stages)))
        yield stages


def _decompressors(stages: Stages) -> Callable[..., Any]:
    """``zlib.decompressobj`` whose objects are measured."""
    made = zlib.decompressobj

    class Decompressor:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._real = made(*args, **kwargs)
            self.decompress = stages.wrap(self._real.decompress, "decode")
            self.flush = stages.wrap(self._real.flush, "decode")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    return Decompressor


def _parsing(parse_event: Callable[..., Any], stages: Stages) -> Callable[..., Any]:
    """A parser that is measured, of some answers with a mapper that is."""
    answers = itertools.count()

    def parse(self: Any, body: bytes, mapper: Mapper, listing: Any = None) -> Any:
        if next(answers) % _MAPPED_EVERY:
            with stages.measured("parse"):
                return parse_event(self, body, mapper, listing)
        alone = Stages()
        asked = copy.copy(mapper)
        asked.place = alone.wrap(mapper.place, "map")  # type: ignore[assignment]
        with stages.measured("parse"):
            answer = parse_event(self, body, asked, listing)
        stages.seconds["map"] += alone.seconds["map"] * _MAPPED_EVERY
        stages.seconds["parse"] -= alone.seconds["map"] * _MAPPED_EVERY
        return answer

    return parse
