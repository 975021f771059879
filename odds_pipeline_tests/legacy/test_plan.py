"""The dry run says what an import will do, and tables in our own database are as good a source as another database."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import polars as pl
import psycopg

from odds_pipeline.database.engine import Database
from odds_pipeline.legacy.changes import changes_of_day
from odds_pipeline.legacy.plan import PLAN_SCHEMA, plan
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.settings import Settings
from odds_pipeline_tests.legacy.earlier_system import FIRST_DAY, make_earlier_system
from odds_pipeline_tests.legacy.replaying import Replayed


def test_the_dry_run_counts_what_the_days_become(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        make_earlier_system(connection, schema="old", events=4, days=2, apart_from=timedelta(days=1))
    source = LegacySource(Database(empty_database), "old")
    days = source.days()
    shown: list[object] = []
    planned = plan(source, days[0], days[-1], progress=shown.append)
    assert (dict(planned.schema), shown) == (PLAN_SCHEMA, list(days))
    for day in days:
        found = changes_of_day(source, day)
        of_day = planned.filter(day=day)
        assert of_day.drop("day").equals(found.counts)
        assert (of_day["changed"] + of_day["gone"]).sum() == found.observations.height
        assert of_day["untrusted"].sum() == (~found.observations["is_trusted"]).sum()
    assert plan(source, days[-1], days[-1])["day"].unique().to_list() == [days[-1]]


def test_tables_in_place_replay_to_the_truth(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        system = make_earlier_system(connection, in_place=True, events=4, days=2)
    source = LegacySource.from_settings(Settings(database_url=migrated_database))  # pyright: ignore[reportArgumentType]
    assert source.days() == system.days
    replayed = Replayed(changes_of_day(source, day).observations for day in source.days())
    end = datetime.combine(FIRST_DAY, time(), UTC) + timedelta(days=2)
    wrong = [
        market
        for market, moment, state in system.truth.questions(500, seed=3, until=end)
        if replayed.at(market, moment) != (state, True)
    ]
    assert wrong == []


def test_a_database_of_its_own_is_found_by_the_settings(migrated_database: str, empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        system = make_earlier_system(connection, schema="old", events=1, days=1)
    settings = Settings(
        database_url=migrated_database,  # pyright: ignore[reportArgumentType]
        legacy_database_url=empty_database,  # pyright: ignore[reportArgumentType]
        legacy_schema="old",
    )
    source = LegacySource.from_settings(settings)
    assert source.days() == system.days
    assert source.name.endswith("/old")
    assert isinstance(changes_of_day(source, system.days[0]).observations, pl.DataFrame)
