"""The observation archive: what a cycle leaves in it, and that a replay of it gives the same odds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from odds_pipeline.archive.store import Archive, ArchiveOfAnother, ArchiveUnusable
from odds_pipeline.database import archiving
from odds_pipeline.database.archived_files import NamedFile, named_files
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.odds.frames import require_schema
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA
from odds_pipeline.replaying import replay
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, commit, prepared, register_bookmaker, running
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey
from odds_pipeline_tests.database.reading import current, history, history_count, query
from odds_pipeline_tests.database.servers import copy_of
from odds_pipeline_tests.database.test_invariants import START, histories, stored_current, stored_history

MARKET: MarketKey = ("3743", None)
OTHER: MarketKey = ("5000", None)
KICKOFF = START + timedelta(days=1)


@pytest.fixture
def second_database(postgres_server: EmbeddedServer, migrated_template: str) -> Iterator[Database]:
    """Another database at the newest revision."""
    with copy_of(postgres_server, migrated_template, name="replayed") as url, Database(url) as second:
        yield second


def cycle_of(number: int, *answers: Answer) -> Cycle:
    begun = START + timedelta(minutes=5 * number)
    return Cycle(begun, {}, list(answers))


def at(number: int) -> datetime:
    return START + timedelta(minutes=5 * number, seconds=10)


def of_last_run(database: Database) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Observations and coverage that the newest run left."""
    with database.connect() as connection:
        observed, covered = (named_files(connection, kind)[-1] for kind in ("observations", "coverage"))
    archive = archive_of(database)
    assert observed.run_id == covered.run_id
    for file in (observed, covered):
        archive.require(file.written)
    return archive.read(observed.path), archive.read(covered.path)


def test_a_cycle_leaves_what_changed_appeared_or_vanished_and_all_coverage(database: Database) -> None:
    """Unchanged markets cost the archive nothing; a vanished one is a row without outcomes."""
    commit(database, cycle_of(0, answer("betpawa", "1", at(0), {MARKET: {"a": "1.5"}, OTHER: {"a": "2"}})))
    rows, _ = of_last_run(database)
    require_schema(rows, OBSERVATION_SCHEMA, source="the archive")
    assert rows["betpawa_market_id"].to_list() == ["3743", "5000"]

    commit(
        database,
        cycle_of(
            1,
            answer("betpawa", "1", at(1), {MARKET: {"a": "1.5"}, ("9", None): {"x": "3"}}),
            answer("betpawa", "2", at(1), status="failed"),
        ),
    )
    rows, coverage = of_last_run(database)
    require_schema(coverage, COVERAGE_SCHEMA, source="the archive")
    told = rows.select(
        "betpawa_market_id", pl.col("outcomes").list.len(), "source_market_id", "home_team", "captured_at"
    )
    assert sorted(told.rows()) == [("5000", 0, "5000", "Lagos Rovers", at(1)), ("9", 1, "9", "Lagos Rovers", at(1))]
    assert coverage.select("external_event_id", "status").rows() == [("1", "complete"), ("2", "failed")]


def test_an_idle_cycle_archives_its_coverage_alone(database: Database) -> None:
    said: dict[MarketKey, dict[str, str | None]] = {MARKET: {"a": "1.5"}}
    for number in range(2):
        commit(database, cycle_of(number, answer("betpawa", "1", at(number), said)))
    rows, coverage = of_last_run(database)
    assert rows.is_empty()
    assert coverage.height == 1


def test_an_answer_that_the_database_refuses_is_not_archived(database: Database) -> None:
    """What was rolled back never happened."""
    commit(database, cycle_of(0, answer("betpawa", "1", at(0), {MARKET: {"a": "1.5"}})))
    with database.connect() as connection:
        connection.execute("ALTER TABLE current_odds ADD CONSTRAINT small CHECK (length(state) < 6) NOT VALID")
    record = commit(
        database,
        cycle_of(
            1,
            answer("betpawa", "1", at(1), {MARKET: {"a": "1.6"}}),
            answer("betpawa", "2", at(1), {MARKET: {"a": "1.6", "b": "2", "c": "3"}}),
        ),
    )
    assert record.set_aside == 1
    rows, _ = of_last_run(database)
    assert rows["external_event_id"].to_list() == ["1"]


def test_a_cycle_whose_archive_cannot_be_written_is_not_committed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All or nothing includes the archive: the next cycle finds the change anew."""
    commit(database, cycle_of(0, answer("betpawa", "1", at(0), {MARKET: {"a": "1.5"}})))
    blocked = archive_of(database).folder
    assert blocked is not None
    shutil.move(blocked, blocked.with_suffix(".away"))
    blocked.write_text("a file where the folder was")
    changed = cycle_of(1, answer("betpawa", "1", at(1), {MARKET: {"a": "1.6"}}))
    with pytest.raises((ArchiveUnusable, FileExistsError)):
        commit(database, changed)
    blocked.unlink()
    shutil.move(blocked.with_suffix(".away"), blocked)
    assert history_count(database) == 1
    assert commit(database, changed).changed == 1


def test_two_databases_do_not_share_an_archive(database: Database, second_database: Database) -> None:
    """Each would take the other's files for orphans."""
    commit(database, cycle_of(0, answer("betpawa", "1", at(0), {MARKET: {"a": "1.5"}})))
    with second_database.connect() as connection:
        connection.execute("UPDATE pipeline_settings SET archive_owner = gen_random_uuid()")
    run_id = running(second_database, START)
    with pytest.raises(ArchiveOfAnother, match="belongs to another odds database"):
        write_cycle(
            second_database, archive_of(database), prepared(cycle_of(0)), run_id=run_id, settings=SETTINGS, now=START
        )


def test_a_transaction_that_is_tried_again_names_one_pair_of_files(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection lost after the files were written costs neither a row nor a file."""
    lost: list[bool] = []
    name_file = archiving.name_file

    def losing_once(connection: psycopg.Connection, *arguments: object, **named: object) -> None:
        if not lost:
            lost.append(True)
            raise psycopg.OperationalError("the connection was lost")
        name_file(connection, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(archiving, "name_file", losing_once)
    commit(database, cycle_of(0, answer("betpawa", "1", at(0), {MARKET: {"a": "1.5"}})))
    assert lost
    assert query(database, "SELECT kind, rows FROM archive_files ORDER BY kind") == [
        ("coverage", 1),
        ("observations", 1),
    ]
    assert len(archive_of(database).list("observations")) == 2


def test_names_and_prices_come_back_from_a_replay_of_the_archive(database: Database, second_database: Database) -> None:
    first: dict[MarketKey, dict[str, str | None]] = {MARKET: {"a": "1.5", "b": None}, ("5000", None): {"a": "2"}}
    commit(database, cycle_of(0, answer("betpawa", "1", at(0), first, kickoff=KICKOFF)))
    commit(database, cycle_of(1, answer("betpawa", "1", at(1), {MARKET: {"a": None, "b": "3"}}, kickoff=KICKOFF)))
    folder = archive_of(database).folder
    assert folder is not None
    replay(second_database, archive_of(second_database), folder / "observations", settings=SETTINGS)
    market = ("betpawa", "1", "3743", None)
    # Whether they are stale now is not the odds' own.
    replayed, live = (
        {market: replace(row, is_stale=False) for market, row in current(each).items()}
        for each in (second_database, database)
    )
    assert replayed == live
    assert [row.outcomes for row in history(second_database, market)] == [
        {"a": "1.5", "b": "(-)"},
        {"a": "(1.5)", "b": "3"},
    ]


@settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(cycles=histories())
def test_replaying_the_archive_into_an_empty_database_gives_the_same_odds_and_history(
    database: Database, second_database: Database, tmp_path_factory: pytest.TempPathFactory, cycles: list[Cycle]
) -> None:
    """Nothing that a cycle applied is missing from its files."""
    slugs = sorted(
        {said.bookmaker for cycle in cycles for said in cycle.answers} | set().union(*(c.discoveries for c in cycles))
    )
    for slug in slugs:
        register_bookmaker(database, slug)
        register_bookmaker(second_database, slug)
    newest = query(database, "SELECT coalesce(max(id), 0) FROM scrape_runs")[0][0]
    for cycle in cycles:
        commit(database, cycle)

    replay(
        second_database,
        archive_of(second_database),
        _copied(database, after=newest, to=tmp_path_factory.mktemp("files")),
        settings=SETTINGS,
    )

    assert sorted(stored_history(second_database, slugs), key=str) == sorted(stored_history(database, slugs), key=str)
    assert stored_current(second_database, slugs) == stored_current(database, slugs)


def _copied(database: Database, *, after: int, to: Path) -> Path:
    """A folder with the files of the runs after one."""
    archive: Archive = archive_of(database)
    with database.connect() as connection:
        files: list[NamedFile] = [*named_files(connection, "observations"), *named_files(connection, "coverage")]
    for file in files:
        assert file.run_id is not None
        if file.run_id > after:
            (to / Path(file.path).name).write_bytes(archive.read_bytes(file.path))
    return to
