"""Rebuilding days: they become what the live path wrote, row for row, whatever had become of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.database.rebuild import rebuild_current
from odds_pipeline.days import rebuild
from odds_pipeline.days.opening import ensure_states
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.refold import refold
from odds_pipeline.days.sources import DayNotRebuildable, rebuildable_days
from odds_pipeline.odds.packed import OutcomeStatus, pack
from odds_pipeline_tests.database.by_hand import history_by_hand, insert_changes
from odds_pipeline_tests.database.cycles import running
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.live_days import Lived, current_rows, history_rows, lived_through

A_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def template(shared_migrated_database: str) -> Iterator[Lived]:
    with lived_through(shared_migrated_database, seed=7) as lived:
        yield lived


def test_the_days_contain_everything_that_may_happen(template: Lived) -> None:
    """Without this the other tests would show less than they say."""
    (kinds,) = query(
        template.database,
        """
        SELECT sum((counts ->> 'new')::int) > 40, sum((counts ->> 'changed')::int) > 50,
               sum((counts ->> 'returned')::int) > 20, sum((counts ->> 'unavailable')::int) > 50,
               sum((counts ->> 'relabelled')::int) > 20, sum((counts ->> 'refused')::int) > 20,
               sum((counts ->> 'late')::int) > 5, count(*) FILTER (WHERE jsonb_array_length(counts -> 'days') = 2) > 1
        FROM scrape_runs
        """,
    )
    assert kinds == (True,) * 8


def test_days_that_are_as_they_were_written_are_not_touched(lived: Lived) -> None:
    before, versions = history_rows(lived.database), row_versions(lived.database)
    done = rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    assert [day.day for day in done] == lived.days
    assert [(day.added, day.removed, day.replaced) for day in done] == [(0, 0, 0)] * len(lived.days)
    assert [day.rows for day in done] == [len(history_rows(lived.database, day)) for day in lived.days]
    assert min(day.rows for day in done) > 50
    assert history_rows(lived.database) == before
    assert row_versions(lived.database) == versions


@pytest.mark.parametrize("has_states", [True, False], ids=["with archived states", "without"])
def test_days_that_were_emptied_are_restored_one_by_one_in_any_order(lived: Lived, has_states: bool) -> None:
    """What is left of the days before them does not count, only their sources."""
    if has_states:
        ensure_states(lived.database, lived.archive, lived.days[-1])
    before, current = history_rows(lived.database), current_rows(lived.database)
    empty(lived.database, *lived.days)
    for day in (lived.days[2], lived.days[0], lived.days[3], lived.days[1]):
        (done,) = rebuild_days(lived.database, lived.archive, day, day, now=lived.now)
        assert (done.added, done.removed, done.replaced) == (done.rows, 0, 0)
    assert history_rows(lived.database) == before
    assert current_rows(lived.database) == current


def test_a_range_of_days_is_restored_whatever_happened_to_their_rows(lived: Lived) -> None:
    """Rows lost, changed, made up, and a partition dropped; the days beside the range stay as they are."""
    before = history_rows(lived.database)
    first, second, third, fourth = lived.days
    with lived.database.connect() as connection:
        with history_by_hand(connection):
            for first_lost, end in ((first, second), (fourth, fourth + A_DAY)):
                connection.execute(
                    "DELETE FROM by_hand WHERE captured_at >= %s AND captured_at < %s AND market_id %% 3 = 0",
                    [midnight(first_lost), midnight(end)],
                )
            connection.execute(
                "UPDATE by_hand SET state = '\\x00ffff' WHERE captured_at >= %s AND captured_at < %s "
                "AND market_id %% 2 = 0",
                [midnight(second), midnight(third)],
            )
            connection.execute(
                """
                INSERT INTO by_hand SELECT captured_at + interval '1 second', market_id, run_id, '\\x0000fa'
                FROM by_hand WHERE captured_at < %s AND market_id %% 7 = 0
                """,
                [midnight(second)],
            )
        connection.execute(
            "UPDATE odds_history_20261117 SET run_id = (SELECT min(run_id) FROM odds_history_20261117) "
            "WHERE event_bookmaker_id % 2 = 0"
        )
        connection.execute("DROP TABLE odds_history_20261118")
    damaged_last_day = history_rows(lived.database, fourth)
    done = rebuild_days(lived.database, lived.archive, first, third, now=lived.now)
    assert history_rows(lived.database, first, second, third) == [row for row in before if row[1] < midnight(fourth)]
    assert history_rows(lived.database, fourth) == damaged_last_day
    assert [bool(n) for n in (done[0].added, done[0].removed, done[1].replaced)] == [True, True, True]
    assert (done[2].added, done[2].removed, done[2].replaced) == (done[2].rows, 0, 0)
    rebuild_days(lived.database, lived.archive, fourth, fourth, now=lived.now)
    assert history_rows(lived.database) == before
    assert rebuild_current(lived.database).repaired == 0


def test_every_range_gives_the_same_rows_however_it_is_cut(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a day is too large to be folded at once."""
    monkeypatch.setattr(rebuild, "_FOLDED_AT_ONCE", 40)
    monkeypatch.setattr(rebuild, "_PLACED_AT_ONCE", 30)
    before = history_rows(lived.database)
    for first, last in itertools.combinations(lived.days, 2):
        empty(lived.database, *(day for day in lived.days if first <= day <= last))
        rebuild_days(lived.database, lived.archive, first, last, now=lived.now)
        assert history_rows(lived.database) == before


def test_a_damaged_last_row_is_restored_in_current_too(lived: Lived) -> None:
    """I1: replaying history gives current, after a rebuild as before."""
    current = current_rows(lived.database)
    with lived.database.connect() as connection, history_by_hand(connection):
        for table in ("by_hand", "current_odds"):
            connection.execute(f"UPDATE {table} SET state = '\\x0000fa' WHERE market_id % 2 = 0".encode())
    rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    assert current_rows(lived.database) == current


def test_states_of_later_days_are_made_anew_after_a_rebuild_that_changed_something(lived: Lived) -> None:
    """A state that was archived after the damage is no place to begin from."""
    before = history_rows(lived.database)
    empty(lived.database, lived.days[1])
    ensure_states(lived.database, lived.archive, lived.days[-1])
    rebuild_days(lived.database, lived.archive, lived.days[1], lived.days[1], now=lived.now)
    empty(lived.database, lived.days[2])
    rebuild_days(lived.database, lived.archive, lived.days[2], lived.days[2], now=lived.now)
    assert history_rows(lived.database) == before
    assert [made.day for made in ensure_states(lived.database, lived.archive, lived.days[-1])] == lived.days[1:]


def test_rows_of_markets_that_were_deleted_stay_as_they_are(lived: Lived) -> None:
    before = history_rows(lived.database)
    with lived.database.connect() as connection:
        of_listing = "IN (SELECT id FROM markets WHERE event_bookmaker_id = (SELECT min(id) FROM event_bookmakers))"
        connection.execute(f"DELETE FROM current_odds WHERE market_id {of_listing}".encode())
        assert connection.execute(f"DELETE FROM markets WHERE id {of_listing}".encode()).rowcount > 3
    rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[-1], now=lived.now)
    assert history_rows(lived.database) == before


def test_a_day_without_a_source_is_refused_with_the_days_that_have_one(lived: Lived) -> None:
    first, second, third, fourth = lived.days
    before = history_rows(lived.database)
    with lived.database.connect() as connection:
        paths = connection.execute(
            "SELECT path, run_id FROM archive_files WHERE kind = 'observations' AND %s BETWEEN first_day AND last_day",
            [second],
        ).fetchall()
    lived.archive.delete([paths[3][0]])
    with pytest.raises(DayNotRebuildable) as refused:
        rebuild_days(lived.database, lived.archive, first, third, now=lived.now)
    assert str(refused.value) == (
        f"{second} cannot be rebuilt: {paths[3][0]} is not in the archive {lived.archive.url} any more; "
        f"{first}, {third} to {fourth} can be rebuilt"
    )
    with lived.database.connect() as connection:
        connection.execute("DELETE FROM archive_files WHERE path = %s", [paths[3][0]])
    with pytest.raises(DayNotRebuildable, match=rf"run {paths[3][1]} wrote into it \(\d+ rows are there\) and left no"):
        rebuild_days(lived.database, lived.archive, second, second, now=lived.now)
    empty(lived.database, second)
    with pytest.raises(DayNotRebuildable, match=rf"run {paths[3][1]} wrote into it \(0 rows are there\)"):
        rebuild_days(lived.database, lived.archive, second, second, now=lived.now)
    assert history_rows(lived.database) == [row for row in before if row[1].date() != second]


def test_days_of_the_future_and_days_without_history_are_refused(lived: Lived) -> None:
    after, before = lived.days[-1] + A_DAY, lived.days[0] - A_DAY
    with pytest.raises(
        DayNotRebuildable, match=f"{after} cannot be rebuilt: it lies in the future; {lived.days[0]} to"
    ):
        rebuild_days(lived.database, lived.archive, lived.days[0], after, now=lived.now)
    with pytest.raises(DayNotRebuildable, match=f"{before} cannot be rebuilt: nothing was ever written into it"):
        rebuild_days(lived.database, lived.archive, before, before, now=lived.now)


def test_an_observation_file_that_is_not_what_was_written_changes_nothing(lived: Lived) -> None:
    before = history_rows(lived.database)
    (path,) = query(lived.database, "SELECT path FROM archive_files WHERE kind = 'observations' ORDER BY id LIMIT 1")[0]
    content = lived.archive.read_bytes(path)
    lived.archive.put(path, [content[:200], bytes([content[200] ^ 1]), content[201:]])
    empty(lived.database, lived.days[3])
    with pytest.raises(
        DayNotRebuildable, match=f"{lived.days[0]} cannot be rebuilt: {path} .* is not what was written"
    ):
        rebuild_days(lived.database, lived.archive, lived.days[0], lived.days[3], now=lived.now)
    assert history_rows(lived.database) == [row for row in before if row[1] < midnight(lived.days[3])]


def test_rows_of_an_import_are_their_own_source(lived: Lived) -> None:
    """They are folded with what was observed; lost, they have to be imported again."""
    second = lived.days[1]
    run_id = imported(lived, second)
    before = history_rows(lived.database)
    assert run_id in {row[2] for row in history_rows(lived.database, second)}
    for days in ([second], lived.days):
        with lived.database.connect() as connection:
            connection.execute(
                "DELETE FROM odds_history WHERE run_id <> %s AND (captured_at AT TIME ZONE 'UTC')::date = ANY(%s)",
                [run_id, days],
            )
        rebuild_days(lived.database, lived.archive, days[0], days[-1], now=lived.now)
        assert history_rows(lived.database) == before
    empty(lived.database, second)
    with pytest.raises(DayNotRebuildable, match=f"{second} cannot be rebuilt: the rows that were imported into it are"):
        rebuild_days(lived.database, lived.archive, *lived.days[:2], now=lived.now)


def test_which_days_can_be_rebuilt_is_told_without_touching_anything(lived: Lived) -> None:
    sources = rebuildable_days(lived.database, lived.archive, now=lived.now)
    assert [source.day for source in sources] == lived.days
    assert [source.why_not for source in sources] == [None] * 4
    assert [source.rows for source in sources] == [len(history_rows(lived.database, day)) for day in lived.days]
    assert all(len(source.files) >= 8 for source in sources)


def imported(lived: Lived, day: date) -> int:
    """Import a row an hour after midnight for every market that has one before noon; return the import's run."""
    state = pack([(OutcomeStatus.ACTIVE, 7_770), (OutcomeStatus.INACTIVE, 0)])
    run_id = running(lived.database, midnight(day))
    with lived.database.connect() as connection:
        take_writer_lock(connection)
        ids = connection.execute(
            "SELECT DISTINCT market_id FROM odds_history_changes WHERE captured_at < %s", [midnight(day) + A_DAY / 2]
        ).fetchall()
        insert_changes(connection, [(midnight(day) + A_DAY / 24, market_id, run_id, state) for (market_id,) in ids])
        connection.execute(
            """
            INSERT INTO imported_days (source, day, run_id, rows_read, changes, untrusted, refused, superseded,
                                       left_out, imported_at)
            VALUES ('test', %s, %s, 1, 1, 0, 0, 0, 0, now())
            """,
            [day, run_id],
        )
        refold(connection, lived.database, lived.archive, [market_id for (market_id,) in ids], day)
    return run_id


def empty(database: Database, *days: date) -> None:
    """Delete all rows of these days."""
    with database.connect() as connection:
        connection.execute(
            "DELETE FROM odds_history WHERE (captured_at AT TIME ZONE 'UTC')::date = ANY(%s)", [list(days)]
        )


def row_versions(database: Database) -> list[tuple[object, ...]]:
    """Which transaction wrote each row of history and current."""
    return query(
        database,
        """
        SELECT event_bookmaker_id, captured_at, xmin::text FROM odds_history
        UNION ALL SELECT market_id, captured_at, xmin::text FROM current_odds ORDER BY 1, 2, 3
        """,
    )
