"""Reading across tiers: the same answers wherever the days of a question live."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.compute as pc
import pytest

from odds_pipeline.archive.store import Archive, ArchiveDamaged
from odds_pipeline.database.archived_files import named_files, stale_states
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import ensure_partitions, list_partitions
from odds_pipeline.days.opening import make_states
from odds_pipeline.days.read import ODDS_ROWS, TieredHistory, Wanted, history, state_at
from odds_pipeline.days.retire import retire_day
from odds_pipeline.odds.packed import pack
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, shown_rows

DAYS = 5
FIRST_KEPT = FIRST_DAY + timedelta(days=3)
BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
END = BEGINNING + timedelta(days=DAYS)
EVERYTHING = Wanted()

Row = dict[str, Any]


def nothing_unimported(first: date, last: date) -> list[date]:
    return []


told = partial(history, unimported_days=nothing_unimported)
current_at = partial(state_at, unimported_days=nothing_unimported)


@pytest.fixture
def archive(database: Database) -> Archive:
    return archive_of(database)


@pytest.fixture
def days(database: Database) -> DaysOfOdds:
    days = DaysOfOdds(database, events=2)
    days.write(days=DAYS, cycles=2)
    return days


@pytest.fixture
def retired(days: DaysOfOdds, database: Database) -> list[Row]:
    """Three of five days are retired. The rows that there were before."""
    before = shown_rows(database)
    retire(database, FIRST_KEPT)
    return before


class Shared(NamedTuple):
    """A database with three of five days retired, for tests that change nothing; the rows that there were before."""

    database: Database
    archive: Archive
    rows: list[Row]


@pytest.fixture(scope="module")
def shared(shared_migrated_database: str) -> Iterator[Shared]:
    database = Database(shared_migrated_database)
    DaysOfOdds(database, events=2).write(days=DAYS, cycles=2)
    before = shown_rows(database)
    retire(database, FIRST_KEPT)
    yield Shared(database, archive_of(database), before)
    database.dispose()


def retire(database: Database, first_kept: date) -> None:
    """What retention does with days before the first kept one."""
    archive = archive_of(database)
    with database.connect() as connection, archive_lock(connection):
        make_states(database, archive, first_kept)
        for each in list_partitions(connection):
            connection.commit()
            if each.first_day < first_kept:
                retire_day(connection, database, archive, each)


def market_of(database: Database, betpawa_market_id: str, event: str = "0", bookmaker: str = "betpawa") -> int:
    return query(
        database,
        """
        SELECT DISTINCT market_id FROM market_odds_current
        WHERE (bookmaker_slug, external_event_id, betpawa_market_id) = (%s, %s, %s)
        """,
        [bookmaker, event, betpawa_market_id],
    )[0][0]


class Oracle:
    """The answers as plain Python finds them in a list of all rows there are."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = sorted(rows, key=lambda row: (row["market_id"], row["captured_at"]))

    def history(self, wanted: Wanted, since: datetime, until: datetime) -> list[Row]:
        return [row for row in self.rows if self._meant(row, wanted) and since <= row["captured_at"] < until]

    def state_at(self, wanted: Wanted, moment: datetime) -> list[Row]:
        last = {r["market_id"]: r for r in self.rows if self._meant(r, wanted) and r["captured_at"] <= moment}
        return list(last.values())

    @staticmethod
    def _meant(row: Row, wanted: Wanted) -> bool:
        conditions = [
            (wanted.event_ids, "event_id"),
            (wanted.bookmakers, "bookmaker_slug"),
            (wanted.betpawa_market_ids, "betpawa_market_id"),
            (wanted.market_ids, "market_id"),
        ]
        is_line = isinstance(wanted.line, Decimal | None)
        return all(values is None or row[name] in values for values, name in conditions) and (
            not is_line or row["line"] == wanted.line
        )


def questions(database: Database, seed: int, number: int) -> Iterator[tuple[Wanted, datetime, datetime]]:
    """Choices of markets, each with two moments in order."""
    draw = random.Random(seed)
    markets = [row[0] for row in query(database, "SELECT id FROM markets ORDER BY id")]
    events = [row[0] for row in query(database, "SELECT id FROM events ORDER BY id")]
    span = DAYS * 86_400_000_000
    for _ in range(number):
        wanted = draw.choice(
            [
                Wanted(market_ids=[draw.choice(markets)]),
                Wanted(market_ids=[draw.choice(markets)]),
                Wanted(event_ids=[draw.choice(events)], bookmakers=["betpawa"], betpawa_market_ids=["over-under"]),
                Wanted(event_ids=[draw.choice(events)], line=draw.choice([None, Decimal("2.5"), Decimal("7.125")])),
                Wanted(bookmakers=["sportybet", "bet9ja"]),
                Wanted(market_ids=draw.sample(markets, 5), line=Decimal("3.5")),
                EVERYTHING,
            ]
        )
        first, second = sorted(BEGINNING + timedelta(microseconds=draw.randrange(span)) for _ in range(2))
        yield wanted, first, second


def assert_answers(database: Database, oracle: Oracle, *, seed: int, number: int = 20) -> None:
    archive = archive_of(database)
    for wanted, first, second in questions(database, seed, number):
        asked = f"{wanted} {first} {second}"
        between = told(database, archive, wanted, first, second).rows
        assert between.to_dicts() == oracle.history(wanted, first, second), asked
        for moment in (first, second):
            state = current_at(database, archive, wanted, moment).rows
            assert state.to_dicts() == oracle.state_at(wanted, moment), asked


def test_random_questions_get_the_same_answers_before_and_after_retirement(
    days: DaysOfOdds, database: Database
) -> None:
    """I8: also across midnight, with late rows beside a retired day, and after those were retired too."""
    before = shown_rows(database)
    assert_answers(database, Oracle(before), seed=1, number=50)

    retire(database, FIRST_DAY + timedelta(days=2))
    assert_answers(database, Oracle(before), seed=2)

    late = write_late_rows(database)
    oracle = Oracle(before + late)
    assert {row["captured_at"].date() for row in late} == {FIRST_DAY}
    assert_answers(database, oracle, seed=1, number=50)

    retire(database, FIRST_KEPT)
    assert query(database, "SELECT min(captured_at)::date FROM odds_history") == [(FIRST_KEPT,)]
    assert_answers(database, oracle, seed=4, number=50)
    with database.connect() as connection:
        stale_states(connection, [FIRST_DAY])
    assert_answers(database, oracle, seed=5)


def write_late_rows(database: Database) -> list[Row]:
    """A market seen for the first time, and one more change of a known one, in a day that is retired."""
    market_id = market_of(database, "never-moves")
    at = BEGINNING + timedelta(hours=23)
    commit(database, Cycle(at, {}, [answer("bet9ja", "9", at, {("1x2", None): {"1": "2.5"}})]))
    with database.connect() as connection:
        ensure_partitions(connection, FIRST_DAY, FIRST_DAY)
        connection.execute(
            "INSERT INTO odds_history (captured_at, market_id, run_id, state) VALUES (%s, %s, 1, %s)",
            [at, market_id, pack([(0, 7_770), (1, 1_900)])],
        )
        stale_states(connection, [FIRST_DAY])
    return [row for row in shown_rows(database) if row["captured_at"] == at]


def test_a_market_unchanged_for_longer_than_retention_answers_at_every_moment(shared: Shared) -> None:
    market_id = market_of(shared.database, "never-moves", event="1")
    (expected,) = [row for row in shared.rows if row["market_id"] == market_id]
    wanted = Wanted(market_ids=[market_id])
    for hours in range(1, DAYS * 24, 7):
        state = current_at(shared.database, shared.archive, wanted, BEGINNING + timedelta(hours=hours)).rows
        assert state.to_dicts() == [expected]
    assert current_at(shared.database, shared.archive, wanted, BEGINNING).rows.is_empty()


def test_a_question_about_kept_days_never_touches_the_archive(shared: Shared, tmp_path: Path) -> None:
    unreachable = Archive(tmp_path / "nowhere")
    since = datetime.combine(FIRST_KEPT, datetime.min.time(), UTC)
    rows = told(shared.database, unreachable, EVERYTHING, since, END).rows
    assert rows.to_dicts() == Oracle(shared.rows).history(EVERYTHING, since, END)
    moved = rows.filter(pl.col("captured_at") < END - timedelta(days=1))["market_id"].to_list()
    assert current_at(shared.database, unreachable, Wanted(market_ids=moved), END).rows.height == len(set(moved)) > 5
    assert not (tmp_path / "nowhere").exists()


def test_many_markets_are_read_from_the_state_at_the_days_beginning(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odds_pipeline.days.read._MANY", 3)
    with shared.database.connect() as connection:
        (state,) = named_files(connection, "state", FIRST_KEPT)
    assert state.first_day == FIRST_KEPT
    assert_answers(shared.database, Oracle(shared.rows), seed=6, number=20)


def test_rows_have_one_schema_in_both_tiers_and_in_none(shared: Shared) -> None:
    for since, until in ((BEGINNING, BEGINNING), (BEGINNING, END), (END, END + timedelta(days=1))):
        assert dict(told(shared.database, shared.archive, EVERYTHING, since, until).rows.schema) == dict(ODDS_ROWS)
    for moment in (BEGINNING, BEGINNING + timedelta(days=1), END):
        assert dict(current_at(shared.database, shared.archive, EVERYTHING, moment).rows.schema) == dict(ODDS_ROWS)
    assert told(shared.database, shared.archive, Wanted(event_ids=[]), BEGINNING, END).rows.is_empty()


def test_a_time_without_a_zone_or_in_the_wrong_order_is_refused(shared: Shared) -> None:
    naive = datetime(2026, 11, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        told(shared.database, shared.archive, EVERYTHING, naive, END)
    with pytest.raises(ValueError, match="no time zone"):
        current_at(shared.database, shared.archive, EVERYTHING, naive)
    with pytest.raises(ValueError, match=r"ends .* before it begins"):
        told(shared.database, shared.archive, EVERYTHING, END, BEGINNING)


def test_a_time_of_another_zone_means_the_same_moment(shared: Shared) -> None:
    west = timezone(timedelta(hours=-9))
    since, until = BEGINNING + timedelta(hours=5), BEGINNING + timedelta(hours=30)
    shifted = told(shared.database, shared.archive, EVERYTHING, since.astimezone(west), until.astimezone(west)).rows
    assert shifted.equals(told(shared.database, shared.archive, EVERYTHING, since, until).rows)


def test_words_are_those_of_today_in_both_tiers(retired: list[Row], database: Database, archive: Archive) -> None:
    market_id = market_of(database, "1x2")
    with database.connect() as connection:
        connection.execute("UPDATE market_labels SET name = 'Full time result' WHERE name = 'name of 1x2'")
        connection.execute("UPDATE outcome_sets SET names = ARRAY(SELECT 'today ' || key FROM unnest(keys) AS key)")
    rows = told(database, archive, Wanted(market_ids=[market_id]), BEGINNING, END).rows
    assert rows["betpawa_market_name"].unique().to_list() == ["Full time result"]
    outcomes = rows.explode("outcomes").unnest("outcomes")
    assert sorted(outcomes["name"].unique()) == ["today 1", "today 2", "today X"]


def test_secondary_listings_are_left_out_in_both_tiers(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE event_bookmakers SET is_primary = false WHERE external_event_id = '0'")
    expected = Oracle([row for row in retired if row["external_event_id"] != "0"])
    assert told(database, archive, EVERYTHING, BEGINNING, END).rows.to_dicts() == expected.history(
        EVERYTHING, BEGINNING, END
    )
    moment = BEGINNING + timedelta(days=1, hours=5)
    assert current_at(database, archive, EVERYTHING, moment).rows.to_dicts() == expected.state_at(EVERYTHING, moment)


def test_an_event_that_was_cleaned_up_is_found_in_the_archive(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    event_id = next(row["event_id"] for row in retired if row["external_event_id"] == "1")
    delete_event(database, event_id)
    oracle = Oracle([r for r in retired if r["event_id"] != event_id or r["captured_at"].date() < FIRST_KEPT])
    gone = next(row["market_id"] for row in oracle.rows if row["event_id"] == event_id)
    for wanted in (Wanted(event_ids=[event_id]), EVERYTHING, Wanted(market_ids=[gone]), Wanted(bookmakers=["betpawa"])):
        rows = told(database, archive, wanted, BEGINNING, END).rows.to_dicts()
        assert rows == oracle.history(wanted, BEGINNING, END)
        moment = BEGINNING + timedelta(days=2, hours=3)
        assert current_at(database, archive, wanted, moment).rows.to_dicts() == oracle.state_at(wanted, moment)
    named = Wanted(event_ids=[event_id], betpawa_market_ids=["over-under"], line=Decimal("2.5"))
    assert told(database, archive, named, BEGINNING, END).rows.to_dicts() == oracle.history(named, BEGINNING, END)
    assert current_at(database, archive, named, END).rows.to_dicts() == oracle.state_at(named, END)


def delete_event(database: Database, event_id: int) -> None:
    with database.connect() as connection:
        listings = "SELECT id FROM event_bookmakers WHERE event_id = %(id)s"
        markets = f"SELECT id FROM markets WHERE event_bookmaker_id IN ({listings})"
        for statement in (
            f"DELETE FROM odds_history WHERE market_id IN ({markets})",
            f"DELETE FROM current_odds WHERE market_id IN ({markets})",
            f"DELETE FROM markets WHERE event_bookmaker_id IN ({listings})",
            "DELETE FROM event_bookmakers WHERE event_id = %(id)s",
            "DELETE FROM events WHERE id = %(id)s",
        ):
            connection.execute(statement.encode(), {"id": event_id})


def test_a_damaged_file_is_named_and_never_an_empty_answer(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    (path,) = archive.list(f"history/day={FIRST_DAY}")
    archive.delete([path])
    with pytest.raises(ArchiveDamaged, match=path):
        told(database, archive, EVERYTHING, BEGINNING, END)
    with pytest.raises(ArchiveDamaged, match=path):
        current_at(database, archive, EVERYTHING, BEGINNING + timedelta(hours=30))
    kept = told(database, archive, EVERYTHING, BEGINNING + timedelta(days=1), END).rows
    assert kept.height > 0


def test_a_file_that_took_another_name_meanwhile_is_looked_for_again(
    retired: list[Row], database: Database, archive: Archive
) -> None:
    (path,) = archive.list(f"history/day={FIRST_DAY}")

    class Renaming(Archive):
        """Gives the file another name when it is first read."""

        def read(self, path: str, *, columns: Any = None, where: pc.Expression | None = None) -> pl.DataFrame:
            if archive.exists(path) and path == first_name:
                archive.put(path + "2", [archive.read_bytes(path)])
                archive.delete([path])
                with database.connect() as connection:
                    connection.execute("UPDATE archive_files SET path = path || '2' WHERE path = %s", [path])
            return super().read(path, columns=columns, where=where)

    first_name = path
    rows = told(database, Renaming(archive.url), EVERYTHING, BEGINNING, END).rows
    assert rows.to_dicts() == Oracle(retired).history(EVERYTHING, BEGINNING, END)
    assert not archive.exists(path)


def test_days_that_were_not_imported_are_told(shared: Shared) -> None:
    """R18: no empty series in silence."""
    earlier = [FIRST_DAY - timedelta(days=20), FIRST_DAY - timedelta(days=1), FIRST_DAY + timedelta(days=4)]

    def unimported(first: date, last: date) -> list[date]:
        return [day for day in earlier if first <= day <= last]

    def of_history(until: datetime) -> TieredHistory:
        since = BEGINNING - timedelta(days=2)
        return history(shared.database, shared.archive, EVERYTHING, since, until, unimported_days=unimported)

    def of_state(moment: datetime) -> TieredHistory:
        wanted = Wanted(market_ids=[market_of(shared.database, "never-moves")])
        return state_at(shared.database, shared.archive, wanted, moment, unimported_days=unimported)

    before = of_history(BEGINNING)
    assert (before.rows.height, before.unimported) == (0, earlier[1:2])
    assert of_history(BEGINNING + timedelta(days=4)).unimported == earlier[1:2]
    assert of_state(BEGINNING).unimported == earlier[:2]
    assert of_state(END).unimported == earlier[2:]


def test_untrusted_rows_are_marked_in_both_tiers(days: DaysOfOdds, database: Database, archive: Archive) -> None:
    market_id = market_of(database, "1x2")
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO untrusted_spans VALUES (%s, %s, %s, 'a fault')",
            [market_id, BEGINNING, BEGINNING + timedelta(days=2)],
        )
    oracle = Oracle(shown_rows(database))
    assert {row["is_trusted"] for row in oracle.rows if row["market_id"] == market_id} == {True, False}
    assert_answers(database, oracle, seed=7, number=10)
    retire(database, FIRST_KEPT)
    assert_answers(database, oracle, seed=7, number=10)


def test_a_reader_never_misses_or_doubles_a_row_while_days_are_retired(
    days: DaysOfOdds, database: Database, archive: Archive
) -> None:
    oracle = Oracle(shown_rows(database))
    expected = oracle.history(EVERYTHING, BEGINNING, END)
    market_id = market_of(database, "never-moves")
    moment = BEGINNING + timedelta(days=2, hours=20)
    wanted = Wanted(market_ids=[market_id, market_of(database, "1x2")])
    state = oracle.state_at(wanted, moment)
    wrong: list[str] = []
    rounds = 0
    is_over = threading.Event()

    def read() -> None:
        nonlocal rounds
        own = Database(database.url)
        while not is_over.is_set():
            if told(own, archive, EVERYTHING, BEGINNING, END).rows.to_dicts() != expected:
                wrong.append("history")
            if current_at(own, archive, wanted, moment).rows.to_dicts() != state:
                wrong.append("state")
            rounds += 1
        own.dispose()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for day in range(1, 5):
            seen = rounds
            retire(database, FIRST_DAY + timedelta(days=day))
            while rounds < seen + 2 and reader.is_alive():
                reader.join(0.01)
    finally:
        is_over.set()
        reader.join()
    assert wrong == []
    assert rounds >= 8
