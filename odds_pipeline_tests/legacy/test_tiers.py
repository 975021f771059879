"""Imported days live like all others: retired, rebuilt, remapped, and still the same."""

from __future__ import annotations

from datetime import date

from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days.current import rebuild_current_across
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.read import Wanted, history, state_at
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.retention import retain
from odds_pipeline.days.retire import retire_day
from odds_pipeline.settings import Settings
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import history_count, query
from odds_pipeline_tests.legacy.hand_made import NOW, at, change, imported

LATER = at(25, 12)


def retire(database: Database, day: date) -> None:
    archive = archive_of(database)
    ensure_states(database, archive, NOW.date())
    with database.connect() as connection:
        (partition,) = [each for each in list_partitions(connection) if each.first_day == day]
        connection.commit()
        with archive_lock(connection):
            retire_day(connection, database, archive, partition)


def told(database: Database) -> list[tuple[object, ...]]:
    """(captured_at, price of outcome 1, is_trusted) of all history, in whichever tier it lies."""
    rows = history(
        database, archive_of(database), Wanted(), at(1, 0), LATER, unimported_days=lambda first, last: []
    ).rows
    return [
        (row["captured_at"], str(row["outcomes"][0]["odds"]), row["is_trusted"]) for row in rows.iter_rows(named=True)
    ]


def test_a_retired_day_that_is_imported_again_is_not_there_twice(database: Database) -> None:
    days = {
        3: [change(at(3, 10), {"1": "1.85"}, kickoff=LATER)],
        4: [
            change(at(4, 10), {"1": "1.90"}, kickoff=LATER, distrust="wrong places"),
            change(at(4, 11), {"1": "1.95"}, kickoff=LATER),
        ],
    }
    for day, rows in days.items():
        imported(database, day, *rows)
    before = told(database)
    retire(database, date(2026, 2, 3))
    retire(database, date(2026, 2, 4))
    assert history_count(database) == 0
    for day, rows in days.items():
        again = imported(database, day, *rows)
        assert (again.added, again.removed, again.replaced) == (0, 0, 0)
    assert history_count(database) == 0
    assert told(database) == before == [
        (at(3, 10), "1.850", True),
        (at(4, 10), "1.900", False),
        (at(4, 11), "1.950", True),
    ]  # fmt: skip


def test_a_day_whose_events_were_cleaned_up_since_is_not_archived_a_second_time(database: Database) -> None:
    day = [change(at(3, 10), {"1": "1.85"}, kickoff=at(3, 12))]
    imported(database, 3, *day)
    settings = Settings(retention_days=1, match_retention_days=1)
    done = retain(database, archive_of(database), settings=settings, now=at(28, 12), trigger="manual")
    assert (len(done.retired), done.deleted["events"]) == (1, 1)
    again = imported(database, 3, *day)
    assert (again.added, again.removed, again.replaced) == (0, 0, 0)
    assert query(database, "SELECT count(*) FROM events") == [(0,)]
    assert history_count(database) == 0


def test_what_a_retired_day_lacks_is_added_beside_it(database: Database) -> None:
    first = change(at(3, 10), {"1": "1.85"}, kickoff=LATER)
    imported(database, 3, first)
    retire(database, date(2026, 2, 3))
    imported(database, 3, first, change(at(3, 11), {"1": "1.90"}, kickoff=LATER))
    assert [row[:2] for row in told(database)] == [(at(3, 10), "1.850"), (at(3, 11), "1.900")]
    assert history_count(database) == 1
    (current,) = query(database, "SELECT outcomes FROM market_odds_current")
    assert current[0][0]["odds"] == 1.9


def test_a_day_older_than_a_retired_one_does_not_become_current(database: Database) -> None:
    imported(database, 4, change(at(4, 10), {"1": "1.90"}, kickoff=LATER))
    retire(database, date(2026, 2, 4))
    imported(database, 3, change(at(3, 10), {"1": "1.85"}, kickoff=LATER))
    assert [row[:2] for row in told(database)] == [(at(3, 10), "1.850"), (at(4, 10), "1.900")]
    (current,) = query(database, "SELECT outcomes FROM market_odds_current")
    assert current[0][0]["odds"] == 1.9


def test_a_retired_row_that_an_import_made_repeat_the_state_before_it_stays_the_last(database: Database) -> None:
    imported(database, 5, change(at(5, 10), {"1": "1.95"}, kickoff=LATER))
    retire(database, date(2026, 2, 5))
    current = query(database, "SELECT * FROM current_odds")
    imported(database, 3, change(at(3, 10), {"1": "1.95"}, kickoff=LATER))
    archive = archive_of(database)
    for _ in range(2):
        rows = state_at(database, archive, Wanted(), at(8, 0), unimported_days=lambda first, last: []).rows
        assert rows["captured_at"].to_list() == [at(5, 10)]
        ensure_states(database, archive, date(2026, 2, 8))
    assert rebuild_current_across(database, archive).repaired == 0
    assert query(database, "SELECT * FROM current_odds") == current


def test_rebuilding_a_day_keeps_what_was_imported_into_it(database: Database) -> None:
    """The seam lies within the day: the morning is the earlier system's, the evening ours."""
    imported(
        database,
        5,
        change(at(5, 8), {"1": "1.85"}, kickoff=LATER),
        change(at(5, 8), {"h": "2.0"}, market=("5000", None), kickoff=LATER),
    )
    for hour, price in ((18, "1.85"), (19, "1.90")):
        moment = at(5, hour)
        commit(
            database, Cycle(moment, {}, [answer("betpawa", "1", moment, {("3743", None): {"1": price}}, kickoff=LATER)])
        )
    before = query(database, "SELECT * FROM odds_history_changes ORDER BY 1, 2, 3")
    assert len(before) == 4
    (day,) = rebuild_days(database, archive_of(database), date(2026, 2, 5), date(2026, 2, 5), now=NOW)
    assert (day.added, day.removed, day.replaced) == (0, 0, 0)
    with database.connect() as connection:
        connection.execute("DELETE FROM odds_history WHERE captured_at >= %s", [at(5, 12)])
    rebuild_days(database, archive_of(database), date(2026, 2, 5), date(2026, 2, 5), now=NOW)
    assert query(database, "SELECT * FROM odds_history_changes ORDER BY 1, 2, 3") == before
    assert rebuild_current(database).repaired == 0
