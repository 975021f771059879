"""Current rebuilt from all of history, also where PostgreSQL holds no row of a market any more."""

from __future__ import annotations

from datetime import timedelta

from odds_pipeline.database.archived_files import stale_states
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.database.partitions import ensure_partitions
from odds_pipeline.days.current import rebuild_current_across
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.retention import retain
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.by_hand import history_by_hand
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds
from odds_pipeline_tests.days.live_days import current_rows


def test_a_market_whose_last_change_left_postgresql_is_repaired_from_the_archived_state(database: Database) -> None:
    """I1 and I8: the markets that never move have their only row in a day that is gone."""
    archive = archive_of(database)
    DaysOfOdds(database).write(days=3, cycles=2)
    last_day = FIRST_DAY + timedelta(days=2)
    ensure_states(database, archive, last_day)
    query(database, "DELETE FROM odds_history WHERE captured_at < %s RETURNING 1", [last_day])
    current = current_rows(database)
    assert rebuild_current_across(database, archive).repaired == 0
    unmoved = query(
        database,
        """
        UPDATE current_odds SET state = '\\x0000fa', fingerprint = 0
        WHERE market_id NOT IN (SELECT market_id FROM odds_history_changes) RETURNING 1
        """,
    )
    assert len(unmoved) > 3
    assert rebuild_current_across(database, archive).repaired == len(unmoved)
    assert current_rows(database) == current


def test_rows_before_the_retired_days_are_not_taken_for_the_last_ones(database: Database) -> None:
    """An earlier system's days, imported after ours were retired: they lie before the archived ones."""
    archive = archive_of(database)
    DaysOfOdds(database).write(days=4, cycles=2)
    now = midnight(FIRST_DAY + timedelta(days=4))
    retained = retain(database, archive, settings=Settings(retention_days=1), now=now, trigger="manual")
    assert len(retained.retired) == 3
    current = current_rows(database)
    earlier = FIRST_DAY - timedelta(days=9)
    with database.connect() as connection:
        ensure_partitions(connection, earlier, earlier)
        with history_by_hand(connection):
            connection.execute(
                "INSERT INTO by_hand SELECT %s, market_id, run_id, '\\x0000fa' FROM current_odds", [midnight(earlier)]
            )
        stale_states(connection, [earlier])
    assert rebuild_current_across(database, archive).repaired == 0
    assert current_rows(database) == current


def test_an_empty_database_has_nothing_to_rebuild(database: Database) -> None:
    assert rebuild_current_across(database, archive_of(database)).markets == 0
