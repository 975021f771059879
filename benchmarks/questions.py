"""Questions over two weeks of history: how long each takes, warm and cold, beside a floor, and how PostgreSQL answers.

Twenty million rows of 1,300 events at three bookmakers (``questions_data.py``). *Warm*: one process asks again and
again, each time of another subject; all files are in the system's cache, of which the server's own holds an eighth.
*Cold*: the server has just started, its files and the archive's are out of the system's cache, and the process asks for
the first time, connecting included.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import httpx

from odds_pipeline.analysis.source import OddsSource

from .measure import median, say, timed
from .questions_asked import QUESTIONS, Question, Subject
from .questions_cold import cold_seconds, remember
from .questions_data import questions_database
from .questions_http import HTTP_QUESTIONS, HttpQuestion, http_client
from .questions_plans import explain
from .scratch import scratch_directory

_UNMEASURED = 12
"""Askings before the first that counts: connections, statements that are prepared."""


def run(keep: Path | None = None) -> None:
    """Make the database, or use the one that is kept at ``keep``; ask; print."""
    with nullcontext(keep) if keep else scratch_directory() as directory:
        with questions_database(directory) as source:
            _say_size(source)
            remember(directory)
            say(f"{'':40}{'rows':>8}{'p50':>10}{'p95':>10}{'aim':>10}{'floor':>10}{'ratio':>8}   (ms, warm)")
            for question in QUESTIONS:
                _say_in_python(source, question)
            say(f"{'':40}{'bytes':>8}")
            with http_client(directory) as client:
                for question in HTTP_QUESTIONS:
                    _say_over_http(client, source, question)
            for question in QUESTIONS:
                explain(source.database, question.name, lambda question=question: question.ask(source, Subject.draw(0)))
        say(f"\n{'':40}{'median':>10}{'worst':>10}   (ms, cold)")
        for number, question in enumerate(QUESTIONS):
            cold = cold_seconds(directory, number)
            say(f"{question.name:40}{1000 * median(cold):10.1f}{1000 * max(cold):10.1f}   of {len(cold)}")


def _say_size(source: OddsSource) -> None:
    with source.database.connect() as connection:
        row = connection.execute(
            """
            SELECT count(*), sum(odds_count(changes)), (SELECT count(*) FROM current_odds),
                   pg_database_size(current_database())
            FROM odds_history
            """
        ).fetchone()
    assert row is not None
    rows, changes, markets, size = row
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"{changes:,} changes of {markets:,} markets in {rows:,} rows, {size / 1e9:.1f} GB; machine's load {load}\n")


def _say_in_python(source: OddsSource, question: Question) -> None:
    with source.database.connect(autocommit=True) as connection:
        _say_warm(
            question.name,
            lambda about: question.ask(source, about).height,
            lambda about: question.floor(connection, about),
            question.times[0],
            question.aim,
        )


def _say_over_http(client: httpx.Client, source: OddsSource, question: HttpQuestion) -> None:
    _say_warm(
        question.name,
        lambda about: question.ask(client, about),
        lambda about: question.in_python.ask(source, about),
        question.in_python.times[0],
        None,
    )


def _say_warm(
    name: str, ask: Callable[[Subject], int], floor: Callable[[Subject], object], count: int, aim: float | None
) -> None:
    """Ask ``count`` times, in turn before and after the floor of the same subject, and print a line."""
    answers, floors, sizes = list[float](), list[float](), list[int]()
    for number in range(-min(_UNMEASURED, count // 10), count):
        about = Subject.draw(number)
        if number % 2:
            size, seconds = timed(lambda about=about: ask(about))
            _, bare = timed(lambda about=about: floor(about))
        else:
            _, bare = timed(lambda about=about: floor(about))
            size, seconds = timed(lambda about=about: ask(about))
        if number >= 0:
            answers.append(seconds.wall)
            floors.append(bare.wall)
            sizes.append(size)
    p95 = sorted(answers)[-(-95 * count // 100) - 1]
    say(
        f"{name:40}{median(sizes):8.0f}{1000 * median(answers):10.1f}{1000 * p95:10.1f}"
        f"{'' if aim is None else f'{aim:.0f}':>10}{1000 * median(floors):10.1f}{median(answers) / median(floors):8.1f}"
    )
