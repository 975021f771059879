"""What ends beside history: finished events, runs, errors, samples; each by its own age, none that is still needed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import ensure_partitions, list_partitions
from odds_pipeline.days import cleanup
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.cleanup import DELETED, clean_up, going
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.database.rows import insert, insert_event

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOUNDS = Bounds.of(Settings(), NOW)
LONG_AGO = datetime(2026, 10, 1, 18, tzinfo=UTC)
LONG_OVER = LONG_AGO + timedelta(hours=1)


def write(
    database: Database, event: str, at: datetime, *, kickoff: datetime | None = LONG_OVER, price: str = "2.5"
) -> None:
    market: dict[MarketKey, dict[str, str | None]] = {("1x2", None): {"1": price, "2": None}}
    commit(database, Cycle(at, {}, [answer("betpawa", event, at, market, kickoff=kickoff)]))


def events(database: Database) -> list[str]:
    return [row[0] for row in query(database, "SELECT external_event_id FROM event_bookmakers ORDER BY 1")]


def cleaned(database: Database, bounds: Bounds = BOUNDS) -> dict[str, int]:
    """Clean up as after the days before the bounds were retired; what went, as foreseen."""
    with database.connect() as connection:
        for partition in list_partitions(connection):
            if partition.end_day <= bounds.first_kept:
                connection.execute(f"DROP TABLE {partition.name}".encode())
        foreseen = going(connection, bounds)
    deleted = clean_up(database, bounds)
    assert deleted == foreseen
    return {table: count for table, count in deleted.items() if count}


def test_an_event_goes_when_it_is_over_and_no_kept_row_names_it(database: Database) -> None:
    first_kept = datetime(2026, 11, 6, tzinfo=UTC)
    assert first_kept.date() == BOUNDS.first_kept
    write(database, "over", LONG_AGO)
    write(database, "over, without a kick-off", LONG_AGO, kickoff=None)
    write(database, "not over", LONG_AGO, kickoff=NOW)
    write(database, "over, a row kept", LONG_AGO)
    write(database, "over, a row kept", first_kept, price="2.6")
    write(database, "over, the last row just not kept", LONG_AGO)
    write(database, "over, the last row just not kept", first_kept - timedelta(microseconds=1), price="2.6")
    write(database, "over, heard of since", LONG_AGO)
    write(database, "over, heard of since", NOW)
    assert cleaned(database)["events"] == 3
    assert events(database) == ["not over", "over, a row kept", "over, heard of since"]
    for table in ("markets", "current_odds", "listing_state", "events"):
        assert query(database, f"SELECT count(*) FROM {table}") == [(3,)], table
    assert cleaned(database) == {}


def test_the_tournament_of_a_finished_event_goes_when_no_other_event_is_left_in_it(database: Database) -> None:
    write(database, "1", LONG_AGO)
    with database.connect() as connection:
        shared = insert(connection, "tournaments", sport_id=1, name="Cup", country="Ghana")
        insert(connection, "tournaments", sport_id=1, name="Super Cup", country="Ghana")
        connection.execute("UPDATE events SET tournament_id = %s", [shared])
        insert_event(connection)
    assert cleaned(database) == {"events": 1, "tournaments": 2, "scrape_runs": 1}
    assert query(database, "SELECT name FROM tournaments") == [("Premier Division",)]


def test_many_events_go_in_small_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "_AT_ONCE", 2)
    for number in range(5):
        write(database, str(number), LONG_AGO + timedelta(minutes=number))
    assert cleaned(database) == {"events": 5, "tournaments": 1, "scrape_runs": 5}


def test_an_event_that_an_earlier_system_has_snapshots_of_stays(database: Database) -> None:
    """Nothing stored is lost: what was not imported needs its events."""
    write(database, "1", LONG_AGO)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO odds_snapshots (event_id, bookmaker_id, captured_at) "
            "SELECT event.id, bookmaker.id, '2026-02-01' FROM events AS event, bookmakers AS bookmaker LIMIT 1"
        )
    assert "events" not in cleaned(database)
    assert query(database, "SELECT count(*) FROM odds_snapshots") == [(1,)]


def test_runs_end_after_their_days_and_never_before_the_rows_that_they_wrote(database: Database) -> None:
    """R2: each kept row of history leads to its run; a run that is open is none that is over."""
    write(database, "1", NOW - timedelta(days=31))
    write(database, "1", NOW - timedelta(days=20), price="2.6")
    write(database, "1", NOW - timedelta(days=10), price="2.7")
    with database.connect() as connection:
        insert(connection, "scrape_runs", trigger="manual", status="running", started_at=LONG_AGO, created_at=LONG_AGO)
    short = Bounds.of(Settings(run_retention_days=1), NOW)
    assert short.runs == datetime(2026, 11, 6, tzinfo=UTC)
    assert cleaned(database) == {"scrape_runs": 1}
    assert cleaned(database, short) == {"scrape_runs": 1}
    left = query(database, "SELECT status, cycle_at FROM scrape_runs ORDER BY id")
    assert left == [("completed", NOW - timedelta(days=10)), ("running", None)]
    assert cleaned(database, short.keeping(date(2026, 10, 1))) == {}


def test_errors_samples_and_ended_alerts_have_retention_of_their_own(database: Database) -> None:
    write(database, "1", NOW)
    with database.connect() as connection:
        (run_id,) = connection.execute("SELECT id FROM scrape_runs").fetchone() or (0,)
        for days in (1, 29, 31, 400):
            at = NOW - timedelta(days=days)
            insert(
                connection, "scrape_errors", scrape_run_id=run_id, error_type="timeout", message="late", occurred_at=at
            )
            insert(connection, "storage_samples", sampled_at=at, total_bytes=1, table_sizes="{}")
            alert = {"alert_type": "growth", "message": "grew", "current_bytes": 2}
            insert(connection, "storage_alerts", **alert, resolved_at=at, ended_at=at)
        insert(connection, "storage_alerts", created_at=LONG_AGO, alert_type="growth", message="grew", current_bytes=2)
    assert cleaned(database) == {"scrape_errors": 2, "storage_samples": 1, "storage_alerts": 1}
    assert query(database, "SELECT count(*) FROM storage_alerts WHERE ended_at IS NULL") == [(1,)], "it still lasts"
    assert query(database, "SELECT count(*) FROM scrape_errors") == [(2,)]


def test_an_event_stays_while_a_day_that_should_be_gone_holds_a_row_of_it(database: Database) -> None:
    """A row came late for a day that was retired before: the day is there again, until the next run."""
    write(database, "1", LONG_AGO)
    with database.connect() as connection:
        ensure_partitions(connection, LONG_AGO.date(), LONG_AGO.date())
    assert clean_up(database, BOUNDS)["events"] == 0
    assert cleaned(database)["events"] == 1


def imported(database: Database, *days: date) -> None:
    with database.connect() as connection:
        for day in days:
            connection.execute(
                "INSERT INTO imported_days VALUES (%s, %s, 1, 1, 1, 0, 0, 0, 0, %s)",
                [LegacySource(database, is_ours=True).name, day, NOW],
            )


def test_snapshots_of_an_earlier_system_end_when_all_of_their_days_are_imported(database: Database) -> None:
    write(database, "1", LONG_AGO)
    days = [date(2026, 2, 1), date(2026, 2, 2), NOW.date()]
    with database.connect() as connection:
        (event_id,) = connection.execute("SELECT id FROM events").fetchone() or (0,)
        words = {"source": "sportybet", "name": "Cup", "external_id": "1"}
        tournament_id = insert(connection, "competitor_tournaments", sport_id=1, **words)
        teams = {"home_team": "A", "away_team": "B", "kickoff": LONG_OVER, "sportradar_id": "1"}
        rival = insert(
            connection, "competitor_events", tournament_id=tournament_id, betpawa_event_id=event_id, **words, **teams
        )
        market = {"betpawa_market_id": "1", "betpawa_market_name": "1x2", "outcomes": "[]"}
        for day in days:
            own = insert(connection, "odds_snapshots", event_id=event_id, bookmaker_id=1, captured_at=day)
            insert(connection, "market_odds", snapshot_id=own, **market)
            other = insert(connection, "competitor_odds_snapshots", competitor_event_id=rival, captured_at=day)
            insert(connection, "competitor_market_odds", snapshot_id=other, **market)
    imported(database, *days[:2])
    assert cleaned(database) == {"scrape_runs": 1}, "a day that is not imported keeps them all"
    imported(database, days[2])
    assert cleaned(database) == {"odds_snapshots": 2, "competitor_odds_snapshots": 2}
    for table in ("odds_snapshots", "competitor_odds_snapshots", "market_odds", "competitor_market_odds"):
        assert query(database, f"SELECT count(*) FROM {table}") == [(1,)], table
    later = Bounds.of(Settings(), NOW + timedelta(days=30))
    assert cleaned(database, later) == {"odds_snapshots": 1, "competitor_odds_snapshots": 1}
    assert cleaned(database, later) == {"competitor_events": 1}
    assert cleaned(database, later) == {"events": 1, "tournaments": 1, "competitor_tournaments": 1}
    assert cleaned(database, later) == {}


def test_every_table_ends_with_retention_or_says_why_it_stays(database: Database) -> None:
    """B-54, R20: a table that comes to be must be thought of here."""
    goes_with_another = {
        *("markets", "current_odds", "event_bookmakers", "listing_state"),  # their event
        *("event_kickoffs", "refresh_requests"),  # their event
        *("untrusted_spans", "former_markets", "former_places"),  # their market
        "scrape_coverage",  # its run
        *("market_odds", "competitor_market_odds"),  # their snapshot
    }
    moves = {"odds_history", "archive_files"}
    stays = {
        *("sports", "bookmakers", "pipeline_settings"),  # a few rows
        *("market_types", "market_labels", "market_sources", "outcome_sets"),  # words that all events share
        "secondary_listings",  # as long as archived history, which is kept for good: a row for each listed twice
        *("cleanup_runs", "imported_days"),  # what was done, a few rows a day
    }
    tables = query(
        database,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
        "AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'",
    )
    assert {name for (name,) in tables} == {*DELETED, *goes_with_another, *moves, *stays}
