"""Policies: each table with its days, its setting, its oldest row, and what retention would take of it now (R22)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import GOING, going
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.retention import retain
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.settings import Settings
from odds_pipeline.storage.archives import archives_of
from odds_pipeline.storage.measured import Kept
from odds_pipeline.storage.policies import kept
from odds_pipeline.storage.profile import profile_database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.rows import insert, insert_event
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds

SETTINGS = Settings(
    retention_days=2, match_retention_days=2, run_retention_days=3, error_retention_days=1, sample_retention_days=1
)
LAST_DAY = FIRST_DAY + timedelta(days=4)
NOW = datetime.combine(LAST_DAY, time(12), UTC)
LONG_AGO = NOW - timedelta(days=400)


def look(database: Database, settings: Settings = SETTINGS, now: datetime = NOW) -> Mapping[str, Kept]:
    profile = profile_database(database, name="odds", now=now)
    found = kept(database, profile, archives_of(database) or (), settings=settings, now=now)
    by_table = {each.table: each for each in found}
    assert len(by_table) == len(found)
    return by_table


@pytest.fixture
def days(database: Database) -> DaysOfOdds:
    """Five days of odds, two of which are to go, as is event 0; errors, samples and alerts of all ages."""
    days = DaysOfOdds(database, kickoffs={"0": datetime.combine(FIRST_DAY, time(20), UTC)})
    days.write(days=5, cycles=2)
    ensure_states(database, archive_of(database), LAST_DAY)
    with database.connect() as connection:
        (run_id,) = connection.execute("SELECT max(id) FROM scrape_runs").fetchone() or (0,)
        for at in (NOW, NOW - timedelta(days=2), LONG_AGO):
            insert(connection, "scrape_errors", scrape_run_id=run_id, error_type="x", message="x", occurred_at=at)
            insert(connection, "storage_samples", sampled_at=at, total_bytes=1, table_sizes="{}")
            alert = {"alert_type": "growth", "message": "grew", "current_bytes": 1}
            insert(connection, "storage_alerts", **alert, resolved_at=at, ended_at=at)
    return days


def test_what_is_beyond_is_what_retention_would_delete_and_nothing_after_it(
    days: DaysOfOdds, database: Database
) -> None:
    with database.connect() as connection:
        foreseen = going(connection, Bounds.of(SETTINGS, NOW))
    before = look(database)
    profile = profile_database(database, name="odds", now=NOW)
    for table in GOING.keys() - {"tournaments"}:
        [(rows,)] = query(database, f"SELECT count(*) FROM {table}")
        size = getattr(profile.table(table), "total_bytes", 0)
        assert 0 < foreseen[table] < rows, table
        assert before[table].bytes_beyond == round(size * foreseen[table] / rows), table
    for table in ("markets", "current_odds", "listing_state", "scrape_coverage", "odds_history"):
        assert before[table].bytes_beyond > 0, table
    [(history,)] = query(
        database,
        "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits JOIN pg_class ON oid = inhrelid "
        "WHERE inhparent = 'odds_history'::regclass AND relname < %s",
        [f"odds_history_{LAST_DAY - timedelta(days=2):%Y%m%d}"],
    )
    assert before["odds_history"].bytes_beyond == history
    [(observations,)] = query(
        database,
        "SELECT sum(bytes)::bigint FROM archive_files WHERE kind = 'observations' AND last_day < %s",
        [LAST_DAY - timedelta(days=2)],
    )
    assert before["archive.observations"].bytes_beyond == observations
    retain(database, archive_of(database), settings=SETTINGS, now=NOW, trigger="manual")
    after = look(database)
    assert {each.table: each.bytes_beyond for each in after.values() if each.bytes_beyond} == {}
    assert all(each.not_known is None for each in after.values())
    assert after["archive.history"].days is None, "history that has left PostgreSQL is kept for good"


def test_each_table_has_the_days_of_the_setting_that_counts(days: DaysOfOdds, database: Database) -> None:
    found = look(database)
    assert {(each.days, each.setting) for each in found.values()} == {
        (None, None),
        (2, "ODDS_RETENTION_DAYS"),
        (2, "ODDS_MATCH_RETENTION_DAYS"),
        (3, "ODDS_RUN_RETENTION_DAYS"),
        (1, "ODDS_ERROR_RETENTION_DAYS"),
        (1, "ODDS_SAMPLE_RETENTION_DAYS"),
    }
    assert {name for name, each in found.items() if each.setting == "ODDS_RETENTION_DAYS"} == {
        "odds_history",
        "archive.observations",
        "archive.coverage",
        "archive.state",
    }
    assert {name for name, each in found.items() if each.setting == "ODDS_RUN_RETENTION_DAYS"} == {
        "scrape_runs",
        "scrape_coverage",
    }
    longer = look(database, Settings(retention_days=60, run_retention_days=30))
    assert (longer["scrape_runs"].days, longer["scrape_runs"].setting) == (60, "ODDS_RETENTION_DAYS")


def test_every_table_of_the_database_is_told_of(database: Database) -> None:
    """An empty database too (R25)."""
    found = look(database)
    tables = query(
        database,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
        "AND relnamespace = 'public'::regnamespace",
    )
    assert set(found) == {name for (name,) in tables}
    assert all((each.bytes_beyond, each.not_known) == (0, None) for each in found.values())


def test_the_oldest_row_is_by_the_time_that_retention_goes_by(days: DaysOfOdds, database: Database) -> None:
    found = look(database)
    first_cycle = datetime.combine(FIRST_DAY, time(0, 1), UTC)
    assert found["odds_history"].oldest == first_cycle
    assert found["scrape_runs"].oldest == first_cycle
    for table in ("events", "markets", "current_odds"):
        assert found[table].oldest == datetime.combine(FIRST_DAY, time(20), UTC), "the kick-off"
    assert found["scrape_errors"].oldest == found["storage_samples"].oldest == LONG_AGO
    assert found["archive.observations"].oldest == datetime.combine(FIRST_DAY, time(), UTC)
    assert found["sports"].oldest is None
    assert found["refresh_requests"].oldest is None, "there is no row that hangs on an event"


def test_an_earlier_systems_tables_have_a_policy_once_all_of_their_days_are_imported(database: Database) -> None:
    with database.connect() as connection:
        event_id = insert_event(connection)
        day = LAST_DAY - timedelta(days=30)
        for captured in (day, LAST_DAY):
            insert(connection, "odds_snapshots", event_id=event_id, bookmaker_id=1, captured_at=captured)
    assert look(database)["odds_snapshots"].days is None
    with database.connect() as connection:
        for captured in (day, LAST_DAY):
            connection.execute(
                "INSERT INTO imported_days VALUES (%s, %s, 1, 1, 1, 0, 0, 0, 0, %s)",
                [LegacySource(database, is_ours=True).name, captured, NOW],
            )
    found = look(database)
    assert (found["odds_snapshots"].days, found["market_odds"].setting) == (2, "ODDS_RETENTION_DAYS")
    profile = profile_database(database, name="odds", now=NOW)
    size = getattr(profile.table("odds_snapshots"), "total_bytes", 0)
    assert found["odds_snapshots"].bytes_beyond == size // 2 > 0


def test_a_table_that_somebody_holds_is_told_of_and_not_waited_for(days: DaysOfOdds, database: Database) -> None:
    profile = profile_database(database, name="odds", now=NOW)
    found: list[Kept] = []

    def look_meanwhile() -> None:
        found.extend(kept(database, profile, (), settings=SETTINGS, now=NOW))

    with database.connect() as connection:
        connection.execute("LOCK TABLE scrape_errors IN ACCESS EXCLUSIVE MODE")
        looking = threading.Thread(target=look_meanwhile)
        looking.start()
        looking.join(timeout=20)
        assert not looking.is_alive()
    by_table = {each.table: each for each in found}
    assert "lock timeout" in (by_table["scrape_errors"].not_known or "")
    assert by_table["storage_samples"].not_known is None
    assert by_table["storage_samples"].bytes_beyond > 0


def test_a_database_that_is_not_the_pipelines_has_no_policy(empty_database: str) -> None:
    with Database(empty_database) as database:
        profile = profile_database(database, name="other", now=NOW)
        assert kept(database, profile, (), settings=SETTINGS, now=NOW) == ()
