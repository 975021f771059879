"""What a day's changes replay to is what the earlier system was made from, at any moment, for all that is trusted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import cache

import polars as pl
import psycopg
import pytest

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.changes import changes_of_day
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline_tests.legacy.earlier_system import FIRST_DAY, EarlierSystem, make_earlier_system
from odds_pipeline_tests.legacy.replaying import Replayed

_DAYS = 3
_END = datetime.combine(FIRST_DAY, time(), UTC) + timedelta(days=_DAYS)
_GENERATIONS = {
    "snapshots only": (None, None),
    "markets only": (timedelta(0), timedelta(0)),
    "one after the other": (timedelta(days=1.4), timedelta(days=1.4)),
    "both at once": (timedelta(days=1), timedelta(days=2)),
    "both from first to last": (timedelta(0), None),
}


Made = Callable[[str], tuple[EarlierSystem, LegacySource]]


@pytest.fixture(scope="module")
def made(postgres_server: EmbeddedServer) -> Made:
    """An earlier system with the generations of a name in ``_GENERATIONS``, made once."""

    @cache
    def make(generations: str) -> tuple[EarlierSystem, LegacySource]:
        apart_from, snapshots_until = _GENERATIONS[generations]
        url = postgres_server.url("earlier_systems")
        schema = generations.replace(" ", "_")
        with psycopg.connect(url) as connection:
            system = make_earlier_system(
                connection, schema=schema, events=8, days=_DAYS, apart_from=apart_from, snapshots_until=snapshots_until
            )
        return system, LegacySource(Database(url), schema)

    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE earlier_systems TEMPLATE template0")
    return make


@pytest.mark.parametrize("generations", _GENERATIONS)
def test_changes_replay_to_what_the_offer_was(made: Made, generations: str) -> None:
    system, source = made(generations)
    assert set(source.days()) >= set(system.days)
    days = [changes_of_day(source, day).observations for day in source.days()]
    replayed = Replayed(days)
    wrong = [
        (market, moment, state, replayed.at(market, moment))
        for market, moment, state in system.truth.questions(3000, seed=7, until=_END)
        if replayed.at(market, moment) != (state, True)
    ]
    assert wrong == []


def test_no_change_repeats_the_one_before_it(made: Made) -> None:
    _, source = made("both at once")
    assert Replayed(changes_of_day(source, day).observations for day in source.days()).repeats() == []


def test_what_the_faults_spoil_is_not_trusted(made: Made) -> None:
    system, source = made("both at once")
    replayed = Replayed(changes_of_day(source, day).observations for day in source.days())
    spoilt = [
        (market, at)
        for market, timeline in system.truth.states.items()
        for at, state, is_trusted in timeline
        if not is_trusted
        and state is not None
        and replayed.at(market, at) not in ((None, True), (state, True))
        # Of a handicap whose line is no longer stored, nothing more is known: its last state stays.
        and market[2] != "3774"
    ]
    assert len(spoilt) > 50
    assert [at for at in spoilt if replayed.at(*at)[1]] == []


def test_a_day_is_the_same_whenever_it_is_read(made: Made) -> None:
    _, source = made("both at once")
    once = [changes_of_day(source, day).observations for day in source.days()]
    again = [changes_of_day(source, day).observations for day in reversed(source.days())]
    assert all(first.equals(second) for first, second in zip(once, reversed(again), strict=True))


def test_every_row_of_a_day_is_accounted_for(made: Made) -> None:
    system, source = made("both at once")
    found = [changes_of_day(source, day) for day in source.days()]
    counts = pl.concat(day.counts for day in found)
    fates = counts.select("duplicates", "merged", "refused", "unchanged", "changed").sum_horizontal()
    assert fates.to_list() == counts["rows"].to_list()
    assert (counts["changed"] + counts["gone"]).sum() == sum(day.observations.height for day in found)
    for table, rows in counts.group_by("table").agg(pl.col("rows").sum()).rows():
        assert rows == system.rows[table]
