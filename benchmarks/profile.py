"""A storage profile of the database of questions (20,000,000 rows): how long it takes, and who waits for it.

*Warm*: again and again in one process. *Cold*: the server has just started, and its files are out of the system's
cache. Beside profiles that follow one another without a pause, one connection commits rows as cycles do, and another
takes ACCESS EXCLUSIVE on tables in turn as retention does; how long each of them waits at most, with profiles and
without.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import storage_profile

from .measure import median, say, timed
from .questions_cold import forget
from .questions_data import questions_database, settings_of
from .questions_history import DAYS, FIRST_DAY, NOW
from .scratch import scratch_directory

_PROFILES = 7
_SECONDS = 20.0
"""For which others are watched, with profiles and without."""
_CHANGED = 3_750
"""Rows of a cycle: 5 % of 75,000 markets."""
_LARGEST_S = 10.0
_LONGEST_WAIT_S = 1.0


def run(keep: Path | None = None) -> None:
    """Make the database, or use the one that is kept at ``keep``; profile it; print."""
    with nullcontext(keep) if keep else scratch_directory() as directory:
        with questions_database(directory) as source:
            profile = _profile(source)
            odds = profile.databases[0]
            rows = sum(table.rows for table in odds.whole_tables)
            seen = sum(table.sampled_rows for table in odds.whole_tables)
            say(
                f"profile of {odds.total_bytes / 1e9:.1f} GB, {rows:,} rows in {len(odds.tables)} tables; "
                f"{seen:,} rows looked at, skipped: {sum(table.skipped is not None for table in odds.tables)}"
            )
            warm = [timed(lambda: _profile(source))[1].wall for _ in range(_PROFILES)]
            say(f"  warm: median {median(warm):.2f} s, worst {max(warm):.2f} s of {len(warm)}")
            waits = [_waits(source, is_profiled=is_profiled) for is_profiled in (False, True, False, True)]
        with EmbeddedServer.ensure(directory):
            forget(directory)
            with questions_database(directory) as source:
                cold = timed(lambda: _profile(source))[1].wall
        say(f"  cold: {cold:.2f} s")
        longest = max(*waits[1], *waits[3])
        is_kept = max(*warm, cold) <= _LARGEST_S and longest <= _LONGEST_WAIT_S
        limits = f"at most {_LARGEST_S:.0f} s, and nobody waits for {_LONGEST_WAIT_S:.0f} s"
        say(f"  {limits}: {'kept' if is_kept else 'BROKEN'}")
        if not is_kept:
            raise SystemExit(1)


def _profile(source: OddsSource) -> StorageProfile:
    settings = settings_of(Path())
    return storage_profile(source.database, dagster=None, archive=source.archive, settings=settings, now=NOW)


def _waits(source: OddsSource, *, is_profiled: bool) -> tuple[float, float]:
    """The longest commit, and the longest wait for ACCESS EXCLUSIVE, in seconds."""
    is_over = threading.Event()
    commits, locks = list[float](), list[float]()
    others = [
        threading.Thread(target=_write, args=(source.database, is_over, commits)),
        threading.Thread(target=_lock, args=(source.database, is_over, locks)),
    ]
    for other in others:
        other.start()
    profiles, until = 0, time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if is_profiled:
            _profile(source)
            profiles += 1
        else:
            time.sleep(0.1)
    is_over.set()
    for other in others:
        other.join()
    beside = f"beside {profiles} profiles" if is_profiled else "alone"
    said = [
        f"{len(waits)} {what}, median {1000 * median(waits):.1f} ms, longest {1000 * max(waits):.0f} ms"
        for what, waits in (("commits", commits), ("exclusive locks", locks))
    ]
    say(f"  {beside}: {'; '.join(said)}")
    return max(commits), max(locks)


def _write(database: Database, is_over: threading.Event, seconds: list[float]) -> None:
    """Insert and update as many rows as a cycle does, and take the inserted ones away again at the end."""
    with database.connect() as connection:

        def commit(number: int) -> None:
            first = number * _CHANGED % 100_000
            among = [first, first + _CHANGED]
            connection.execute(
                """
                INSERT INTO odds_history (captured_at, event_bookmaker_id, run_id, changes)
                SELECT %s, event_bookmaker_id, max(run_id),
                       odds_pack(array_agg(market_id), array_agg(state))
                FROM current_odds JOIN markets ON markets.id = market_id
                WHERE market_id >= %s AND market_id < %s GROUP BY event_bookmaker_id
                """,
                [NOW + number * timedelta(milliseconds=1), *among],
            )
            connection.execute(
                "UPDATE current_odds SET run_id = run_id WHERE market_id >= %s AND market_id < %s", among
            )
            connection.commit()

        _again_and_again(commit, is_over, seconds, pause=0.1)
        connection.execute("DELETE FROM odds_history WHERE captured_at >= %s", [NOW])


def _lock(database: Database, is_over: threading.Event, seconds: list[float]) -> None:
    """Take ACCESS EXCLUSIVE on one table after the other, hold it for a moment, and give it back."""
    days = [f"odds_history_{FIRST_DAY + timedelta(days=day):%Y%m%d}" for day in range(DAYS)]
    tables = [*days, "markets", "scrape_coverage", "event_kickoffs"]
    with database.connect() as connection:

        def lock(number: int) -> None:
            connection.execute(f"LOCK TABLE {tables[number % len(tables)]} IN ACCESS EXCLUSIVE MODE".encode())
            connection.commit()

        _again_and_again(lock, is_over, seconds, pause=0.005)


def _again_and_again(
    act: Callable[[int], None], is_over: threading.Event, seconds: list[float], *, pause: float
) -> None:
    number = 0
    while not is_over.wait(pause):
        seconds.append(timed(lambda: act(number))[1].wall)  # noqa: B023
        number += 1
