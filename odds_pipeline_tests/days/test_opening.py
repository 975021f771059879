"""The state at a day's beginning, and its archive: always what replaying all rows before it gives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl
import psycopg
import pytest

from odds_pipeline.archive.store import ArchiveDamaged, ArchivedFile
from odds_pipeline.database.archived_files import stale_states
from odds_pipeline.database.history import midnight
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import ensure_partitions, list_partitions
from odds_pipeline.days import opening
from odds_pipeline.days.opening import ensure_states, history_snapshot, opening_state
from odds_pipeline.days.retire import retire_day
from odds_pipeline.odds.packed import OutcomeStatus, pack, unpack
from odds_pipeline.odds.replay import HISTORY_ROWS, state_at
from odds_pipeline_tests.database.by_hand import insert_changes
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.live_days import Lived, LiveDays, history_rows, lived_through

A_DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def template(shared_migrated_database: str) -> Iterator[Lived]:
    with lived_through(shared_migrated_database, seed=3) as lived:
        yield lived


def replayed(lived: Lived, day: date) -> pl.DataFrame:
    """What the rows before the day give, all of them in PostgreSQL."""
    rows = pl.DataFrame(history_rows(lived.database), schema=dict(HISTORY_ROWS), orient="row")
    return state_at(rows, midnight(day) - MICROSECOND)


def days_after(lived: Lived) -> list[date]:
    return [*lived.days, lived.days[-1] + A_DAY, lived.days[-1] + 5 * A_DAY]


def test_the_state_is_what_a_replay_gives_with_and_without_archived_states(lived: Lived) -> None:
    expected = {day: replayed(lived, day) for day in days_after(lived)}
    assert expected[lived.days[0]].is_empty()
    assert expected[lived.days[-1]].height > 30
    for day, state in expected.items():
        assert opening_state(lived.database, lived.archive, day).equals(state)
    made = ensure_states(lived.database, lived.archive, lived.days[-1] + 5 * A_DAY)
    assert [(each.day, each.markets) for each in made] == [
        (day, expected[day].height) for day in [*lived.days[1:], lived.days[-1] + 5 * A_DAY]
    ]
    query(lived.database, "DELETE FROM odds_history RETURNING 1")
    for each in made:
        assert opening_state(lived.database, lived.archive, each.day).equals(expected[each.day])


def test_states_that_are_there_are_not_made_again(lived: Lived) -> None:
    ensure_states(lived.database, lived.archive, lived.days[-1])
    assert ensure_states(lived.database, lived.archive, lived.days[-1]) == []


def test_single_markets_can_be_asked_for(lived: Lived) -> None:
    ensure_states(lived.database, lived.archive, lived.days[2])
    ids = [3, 11, 17, 999_999]
    for day in days_after(lived):
        expected = replayed(lived, day).filter(pl.col("market_id").is_in(ids))
        assert opening_state(lived.database, lived.archive, day, market_ids=ids).equals(expected)


def test_states_are_made_anew_when_earlier_days_got_other_rows(lived: Lived) -> None:
    """An answer that comes after midnight may still write before it: kick-offs that passed."""
    _, second, third, fourth = lived.days
    ensure_states(lived.database, lived.archive, second)
    LiveDays(lived.database, lived.archive, seed=4).commit(midnight(fourth) + timedelta(hours=23, minutes=59))
    assert [made.day for made in ensure_states(lived.database, lived.archive, fourth)] == [third, fourth]
    ended = midnight(second) + timedelta(hours=3)
    with lived.database.connect() as connection:
        rows = connection.execute("SELECT market_id FROM odds_history_changes WHERE run_id = 1").fetchall()
        insert_changes(connection, [(ended, market_id, 1, b"\x02\x00\xfa") for (market_id,) in rows])
        stale_states(connection, [second])
    for day in days_after(lived):
        assert opening_state(lived.database, lived.archive, day).equals(replayed(lived, day))
    assert [made.day for made in ensure_states(lived.database, lived.archive, fourth)] == [third, fourth]
    assert ensure_states(lived.database, lived.archive, fourth) == []
    for day in days_after(lived):
        assert opening_state(lived.database, lived.archive, day).equals(replayed(lived, day))


def test_a_stale_state_is_its_own_base_when_no_other_is_left(lived: Lived) -> None:
    """What it knew of days that PostgreSQL no longer holds stays known."""
    _, second, third, fourth = lived.days
    expected = replayed(lived, fourth)
    ensure_states(lived.database, lived.archive, third)
    query(lived.database, "DELETE FROM archive_files WHERE kind = 'state' AND first_day = %s RETURNING 1", [second])
    query(lived.database, "UPDATE archive_files SET stale_from = %s WHERE kind = 'state' RETURNING 1", [second])
    query(lived.database, "DELETE FROM odds_history WHERE captured_at < %s RETURNING 1", [midnight(second)])
    assert opening_state(lived.database, lived.archive, fourth).equals(expected)


def test_the_state_after_retired_days_of_which_no_state_is_left_comes_from_their_archive(lived: Lived) -> None:
    """Rows that came for such a day after it was retired count too."""
    _, second, third, fourth = lived.days
    expected = {day: replayed(lived, day) for day in (second, third, fourth)}
    ensure_states(lived.database, lived.archive, fourth)
    with lived.database.connect(autocommit=True) as connection, archive_lock(connection):
        retired = [each for each in list_partitions(connection) if each.first_day < third]
        for partition in retired:
            retire_day(connection, lived.database, lived.archive, partition)
    assert len(retired) == 2
    query(lived.database, "DELETE FROM archive_files WHERE kind = 'state' RETURNING 1")
    for day, state in expected.items():
        assert opening_state(lived.database, lived.archive, day).equals(state)
        some = opening_state(lived.database, lived.archive, day, market_ids=[3, 11])
        assert some.equals(state.filter(pl.col("market_id").is_in([3, 11])))
    late = (7, midnight(third) - timedelta(seconds=1), 1, pack([(OutcomeStatus.ACTIVE, 4_440)]))
    with lived.database.connect() as connection:
        ensure_partitions(connection, second, second)
        insert_changes(connection, [(late[1], late[0], late[2], late[3])])
    state = opening_state(lived.database, lived.archive, third).filter(pl.col("market_id") == 7)
    assert state["captured_at"].to_list() == [late[1]]
    assert unpack(state["state"][0]).outcomes[0] == (OutcomeStatus.ACTIVE, 4_440)


def test_a_cycle_that_commits_while_a_state_is_made_leaves_it_stale(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    fourth = lived.days[3]
    write_state = opening.write_state

    def late(archive: object, day: date, state: pl.DataFrame) -> ArchivedFile:
        if day == fourth:
            LiveDays(lived.database, lived.archive, seed=5).commit(midnight(fourth) - timedelta(seconds=50))
        return write_state(lived.archive, day, state)

    monkeypatch.setattr(opening, "write_state", late)
    ensure_states(lived.database, lived.archive, fourth)
    monkeypatch.undo()
    assert opening_state(lived.database, lived.archive, fourth).equals(replayed(lived, fourth))
    assert [made.day for made in ensure_states(lived.database, lived.archive, fourth)] == [fourth]
    assert opening_state(lived.database, lived.archive, fourth).equals(replayed(lived, fourth))


def test_states_leave_out_markets_that_were_deleted(lived: Lived) -> None:
    with lived.database.connect() as connection:
        connection.execute("DELETE FROM current_odds WHERE market_id = 3")
        connection.execute("DELETE FROM markets WHERE id = 3")
    ensure_states(lived.database, lived.archive, lived.days[-1])
    state = opening_state(lived.database, lived.archive, lived.days[-1])
    assert 3 not in state["market_id"]
    assert 4 in state["market_id"]


def test_a_damaged_state_is_an_error(lived: Lived) -> None:
    ensure_states(lived.database, lived.archive, lived.days[1])
    (path,) = query(lived.database, "SELECT path FROM archive_files WHERE kind = 'state'")[0]
    content = lived.archive.read_bytes(path)
    lived.archive.put(path, [content[:100], bytes([content[100] ^ 1]), content[101:]])
    with pytest.raises(ArchiveDamaged, match=f"{path} .* is not what was written"):
        opening_state(lived.database, lived.archive, lived.days[2])


def test_whoever_reads_history_keeps_days_from_being_retired(lived: Lived) -> None:
    """The lock is there before anything was read; a retirement gives up soon and tries again."""
    with history_snapshot(lived.database), lived.database.connect() as connection:
        connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("LOCK TABLE ONLY odds_history IN ACCESS EXCLUSIVE MODE")
