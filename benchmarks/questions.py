"""Questions over two weeks of history: how long each takes, warm and cold, beside a floor, and how PostgreSQL answers.

Twenty million rows of 1,300 events at three bookmakers (``questions_data.py``). *Warm*: one process asks again and
again, each time of another subject. *Cold*: the server has just started, its files and the archive's are out of the
system's cache, and the process asks for the first time, connecting included.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from odds_pipeline.analysis.source import OddsSource

from .measure import median, say, timed
from .questions_asked import QUESTIONS, Question, Subject
from .questions_cold import cold_seconds
from .questions_data import questions_database
from .questions_plans import explain
from .scratch import scratch_directory

_UNMEASURED = 12
"""Askings before the first that counts: connections, statements that are prepared."""


def run(keep: Path | None = None) -> None:
    """Make the database, or use the one that is kept at ``keep``; ask; print."""
    with nullcontext(keep) if keep else scratch_directory() as directory:
        with questions_database(directory) as source:
            _say_size(source)
            say(f"{'':40}{'rows':>8}{'p50':>10}{'p95':>10}{'aim':>10}{'floor':>10}{'ratio':>8}   (ms, warm)")
            for question in QUESTIONS:
                _say_warm(source, question)
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
            SELECT (SELECT sum(reltuples) FROM pg_class WHERE relname ~ '^odds_history_[0-9]+$'),
                   (SELECT count(*) FROM current_odds), pg_database_size(current_database())
            """
        ).fetchone()
    assert row is not None
    rows, markets, size = row
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"{rows:,.0f} rows of {markets:,} markets, {size / 1e9:.1f} GB; load of the machine {load}\n")


def _say_warm(source: OddsSource, question: Question) -> None:
    count = question.times[0]
    answers, floors, rows = list[float](), list[float](), list[int]()
    with source.database.connect(autocommit=True) as connection:
        for number in range(-min(_UNMEASURED, count // 10), count):
            about = Subject.draw(number)
            _, floor = timed(lambda about=about: question.floor(connection, about))
            answer, seconds = timed(lambda about=about: question.ask(source, about))
            if number >= 0:
                answers.append(seconds.wall)
                floors.append(floor.wall)
                rows.append(answer.height)
    aim = "" if question.aim is None else f"{question.aim:.0f}"
    p95 = sorted(answers)[-(-95 * count // 100) - 1]
    say(
        f"{question.name:40}{median(rows):8.0f}{1000 * median(answers):10.1f}{1000 * p95:10.1f}{aim:>10}"
        f"{1000 * median(floors):10.1f}{median(answers) / median(floors):8.1f}"
    )
