"""What attacks ask after every round does notice damage: each kind, done by hand to a database that was sound."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from odds_pipeline.archive.store import ArchiveDamaged
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.attacks.holding import assert_again_changes_nothing, assert_invariants_hold, remember
from odds_pipeline_tests.database.cycles import SETTINGS, answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RESULT: MarketKey = ("3743", None)

DAMAGES = {
    "UPDATE current_odds SET captured_at = captured_at + interval '1 second'": "I1",
    "UPDATE current_odds SET state = '\\x0000fb' WHERE unavailable_at IS NULL": "I1",
    "UPDATE current_odds SET unavailable_at = NULL": "availability",
    "UPDATE current_odds SET fingerprint = 0": "fingerprint",
    "DELETE FROM current_odds WHERE unavailable_at IS NULL": "I1",
    "UPDATE scrape_runs SET status = 'running', counts = NULL": "left open",
    "UPDATE scrape_runs SET status = 'failed', counts = NULL WHERE id = (SELECT max(id) FROM scrape_runs)": "I4",
    "UPDATE scrape_runs SET counts = counts || '{\"inserted_history\": 7}'": "I4",
    "INSERT INTO scrape_runs (status, trigger, created_at) VALUES ('pending', 'manual', now())": "left open",
}


@pytest.fixture
def sound(database: Database) -> Database:
    """Three cycles: two markets appear, one moves, one goes."""
    other: MarketKey = ("5000", None)
    for number, markets in enumerate([{RESULT: {"1": "2.5"}, other: {"o": "1.9"}}, {RESULT: {"1": "2.6"}}]):
        at = T0 + number * timedelta(minutes=5)
        commit(database, Cycle(at, {"betpawa": (at, True)}, [answer("betpawa", "e", at, markets)]))
    return database


def check(database: Database) -> None:
    assert_invariants_hold(database, archive_of(database), random.Random(1))


def test_what_is_sound_passes_and_the_same_again_changes_nothing(sound: Database) -> None:
    check(sound)
    assert_again_changes_nothing(sound, archive_of(sound), SETTINGS, T0 + timedelta(minutes=6))
    check(sound)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed(sound: Database, damage: str) -> None:
    with sound.connect() as connection:
        connection.execute(damage.encode())
    with pytest.raises(AssertionError, match=DAMAGES[damage]):
        check(sound)


def test_a_market_that_a_failed_answer_made_unavailable_is_noticed(sound: Database) -> None:
    archive = archive_of(sound)
    with sound.connect() as connection:
        row = connection.execute("SELECT path FROM archive_files WHERE kind = 'coverage' ORDER BY id DESC").fetchone()
    assert row is not None
    coverage = archive.read(row[0])
    folder, _, name = row[0].rpartition("/")
    file = archive.write(folder, name, [coverage.with_columns(status=pl.lit("failed"))], coverage.schema)
    with sound.connect() as connection:
        connection.execute("UPDATE archive_files SET sha256 = %s WHERE path = %s", [file.sha256, file.path])
    with pytest.raises(AssertionError, match="I3"):
        check(sound)


def test_a_file_that_is_gone_is_noticed(sound: Database) -> None:
    archive = archive_of(sound)
    archive.delete(archive.list("observations"))
    with pytest.raises(ArchiveDamaged):
        check(sound)


def test_a_past_that_was_rewritten_is_noticed(sound: Database) -> None:
    remembered = remember(sound, T0 + timedelta(minutes=6))
    remembered.current[0, "captured_at"] = T0 - timedelta(days=1)
    with pytest.raises(AssertionError, match="I1"):
        assert_invariants_hold(sound, archive_of(sound), random.Random(1), past=[remembered])
