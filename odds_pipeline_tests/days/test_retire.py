"""Retiring a day: its file says what PostgreSQL said, readers find it in one of the two, anything amiss keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
import psycopg
import pytest

from odds_pipeline.archive.history import HISTORY_SCHEMA
from odds_pipeline.archive.store import Archive, ArchiveDamaged
from odds_pipeline.database.archived_files import named_files
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import Partition, ensure_partitions, list_partitions
from odds_pipeline.days import retire
from odds_pipeline.days.contents import Differs, require_same, write_part
from odds_pipeline.days.retire import DayKept, RetiredDay, StateIsStale, retire_day
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, archived_rows, history_rows, shown_rows
from odds_pipeline_tests.days.reading_on import reading_on

NEXT_DAY = FIRST_DAY + timedelta(days=1)
LATE_AT = datetime(2026, 11, 1, 23, 59, tzinfo=UTC)
LATE = Cycle(LATE_AT, {}, [answer("bet9ja", "9", LATE_AT, {("1x2", None): {"1": "2.5"}})])
"""A cycle of one row, at the end of the first day."""


@pytest.fixture
def archive(database: Database) -> Archive:
    return archive_of(database)


@pytest.fixture
def days(database: Database) -> DaysOfOdds:
    days = DaysOfOdds(database)
    days.write(days=2)
    return days


@pytest.fixture
def keeper(database: Database) -> Iterator[psycopg.Connection]:
    """A connection that holds the archive's lock."""
    with database.connect() as connection, archive_lock(connection):
        yield connection


def partition_of(database: Database, day: date = FIRST_DAY) -> Partition:
    with database.connect() as connection:
        return next(each for each in list_partitions(connection) if each.first_day == day)


def retired(keeper: psycopg.Connection, database: Database, day: date = FIRST_DAY, seconds: float = 30) -> RetiredDay:
    return retire_day(
        keeper, database, archive_of(database), partition_of(database, day), patience=timedelta(seconds=seconds)
    )


def archived(database: Database, day: date = FIRST_DAY) -> pl.DataFrame:
    with database.connect() as connection:
        files = named_files(connection, "history", day, day)
    return pl.concat([archive_of(database).read(file.path) for file in files])


def test_a_retired_day_says_in_the_archive_what_it_said_in_the_database(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database
) -> None:
    day_before = [row for row in shown_rows(database) if row["captured_at"].date() == FIRST_DAY]
    rest = [row for row in history_rows(database) if row[1].date() != FIRST_DAY]
    found = retired(keeper, database)
    rows = archived(database)
    assert dict(rows.schema) == dict(HISTORY_SCHEMA)
    assert archived_rows(rows.to_dicts()) == day_before
    assert rows["home_team"].unique().to_list() == ["Lagos Rovers"]
    assert history_rows(database) == rest
    assert found.rows == rows.height == len(day_before) > 50
    assert found.file is not None
    assert found.file.path.startswith("history/day=2026-11-01/20261101-")
    assert found.freed > 0
    assert [day.first_day for day in partitions(database)] == [NEXT_DAY]


def partitions(database: Database) -> list[Partition]:
    with database.connect() as connection:
        return list_partitions(connection)


def test_a_day_without_rows_leaves_no_file(keeper: psycopg.Connection, database: Database) -> None:
    with database.connect() as connection:
        ensure_partitions(connection, FIRST_DAY, FIRST_DAY)
    found = retired(keeper, database)
    assert (found.rows, found.file) == (0, None)
    assert partitions(database) == []
    assert archive_of(database).list("history") == []


def test_rows_that_come_late_for_a_retired_day_become_one_more_part(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database
) -> None:
    before = retired(keeper, database).rows
    retired(keeper, database, NEXT_DAY)
    commit(database, LATE)
    found = retired(keeper, database)
    assert found.rows == 1
    assert archived(database).height == before + 1
    assert len(archive_of(database).list("history")) == 3


def test_untrusted_rows_are_marked_in_the_archive(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO untrusted_spans SELECT market_id, min(captured_at), max(captured_at), 'positions' "
            "FROM odds_history_changes GROUP BY market_id HAVING count(*) > 3 ORDER BY market_id LIMIT 1"
        )
    before = [row for row in shown_rows(database) if row["captured_at"].date() == FIRST_DAY]
    retired(keeper, database)
    rows = archived_rows(archived(database).to_dicts())
    assert rows == before
    assert {row["is_trusted"] for row in rows} == {True, False}


class Tampering(Archive):
    """An archive whose next history file is not what was sent to it."""

    def __init__(self, whole: Archive, change: bytes | None) -> None:
        super().__init__(whole.url)
        self.change = change

    def put(self, path: str, pieces) -> None:
        data = b"".join(pieces)
        if path.startswith("history/"):
            data = data[:-40] + bytes(8) + data[-32:] if self.change is None else self.change
        super().put(path, [data])


def test_a_damaged_file_keeps_the_day(days: DaysOfOdds, keeper: psycopg.Connection, database: Database) -> None:
    """Bytes flipped, nothing written, something else written."""
    before = history_rows(database)
    for change in (None, b"", b"no Parquet at all"):
        with pytest.raises(ArchiveDamaged, match="is not what was written"):
            retire_day(keeper, database, Tampering(archive_of(database), change), partition_of(database))
        assert history_rows(database) == before
    assert retired(keeper, database).rows > 0, "the next run retires it"


WRONG = {
    "outcomes": pl.col("outcomes").shift(1),
    "captured_at": pl.col("captured_at") + pl.duration(microseconds=1),
    "run_id": pl.col("run_id") + 1,
    "betpawa_market_id": pl.col("betpawa_market_id").shift(-1),
    "line": pl.lit(None, dtype=pl.Decimal(10, 3)),
    "is_unavailable": ~pl.col("is_unavailable"),
    "is_trusted": pl.lit(value=False),
    "external_event_id": pl.lit("1"),
    "market_id": pl.col("market_id").shift(1, fill_value=1),
}


def test_a_whole_file_that_says_something_else_is_found_out(
    days: DaysOfOdds, database: Database, archive: Archive
) -> None:
    partition = partition_of(database).name
    right = write_part(database, archive, partition, FIRST_DAY)
    require_same(database, archive, partition, right)
    rows = archive.read(right.path)
    one_less, one_named_otherwise = (
        rows.with_columns(pl.col("outcomes").list.slice(1)),
        rows.with_columns(
            pl.col("outcomes").list.eval(pl.element().struct.with_fields(name=pl.field("name") + pl.lit("!")))
        ),
    )
    wrong = [rows.with_columns(change.alias(column)) for column, change in WRONG.items()]
    for changed in (*wrong, one_less, one_named_otherwise, rows.head(-1), pl.concat([rows, rows.tail(1)]), rows[::-1]):
        file = archive.write("history", "wrong.parquet", [changed], HISTORY_SCHEMA)
        with pytest.raises(Differs):
            require_same(database, archive, partition, file)


def test_rows_that_come_while_the_file_is_written_are_in_it(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def write_and_be_overtaken(*arguments):
        file = write_part(*arguments)
        if not written:
            commit(database, LATE)
        written.append(file.rows)
        return file

    monkeypatch.setattr(retire, "write_part", write_and_be_overtaken)
    found = retired(keeper, database)
    assert written == [found.rows - 1, found.rows]
    assert archived(database).height == found.rows


def test_a_day_waits_for_states_that_its_late_rows_made_stale(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database
) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO archive_files (kind, path, first_day, last_day, rows, bytes, sha256, stale_from) "
            "VALUES ('state', 'state/x', %(next)s, %(next)s, 0, 0, '', %(day)s)",
            {"next": NEXT_DAY, "day": FIRST_DAY},
        )
    with pytest.raises(StateIsStale):
        retired(keeper, database)
    assert len(partitions(database)) == 2


def test_a_reader_who_holds_on_keeps_the_day_and_the_next_run_retires_it(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database
) -> None:
    before = history_rows(database)
    with database.connect() as reader:
        reader.execute("SELECT count(*) FROM odds_history")
        with pytest.raises(DayKept, match="odds_history_20261101 is being read"):
            retired(keeper, database, seconds=0.5)
        assert history_rows(database) == before
    assert retired(keeper, database).rows > 0


def test_readers_do_not_queue_behind_one_that_holds_on_and_find_every_row_once(
    days: DaysOfOdds, keeper: psycopg.Connection, database: Database, archive: Archive
) -> None:
    """Readers in a loop, and one that holds on for a while: locks are asked for again and again, never waited for."""
    expected = len(history_rows(database))

    def count(reader: psycopg.Connection) -> int:
        ((rows,),) = reader.execute("SELECT count(*) FROM odds_history_changes")
        return rows + sum(file.rows for file in named_files(reader, "history"))

    with reading_on(database, count, readers=2) as reading:
        found = [retired(keeper, database, day) for day in (FIRST_DAY, NEXT_DAY)]
    assert reading.counts == {expected}
    reading.require_no_queue(*(day.blocked_seconds for day in found))
