"""docs/archive.md: its tables are the schemas, and every example in it runs and finds what is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from odds_pipeline.archive.history import HISTORY_SCHEMA
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import archive_lock
from odds_pipeline.database.partitions import list_partitions
from odds_pipeline.days.opening import make_states
from odds_pipeline.days.retire import retire_day
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Cycle, MarketKey
from odds_pipeline_tests.database.reading import query

PAGE = (Path(__file__).parents[2] / "docs" / "archive.md").read_text()
FIRST = datetime(2026, 11, 1, 9, tzinfo=UTC)
FIRST_KEPT = date(2026, 11, 3)
RESULT: MarketKey = ("3743", None)
TOTAL: MarketKey = ("5000", Decimal("2.5"))


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def page_database(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Three days of a match, two of them retired, and the page's reader standing where ``archive`` is."""
    prices = ["1.50", "1.55", None, "1.60", "1.70", "1.80"]
    for number, price in enumerate(prices):
        at = FIRST + timedelta(hours=12 * number)
        offer = {RESULT: {"1": price, "X": "3.40", "2": "4.10"}, TOTAL: {"over": "1.9", "under": "1.9"}}
        answers = [answer(slug, "1", at, offer, kickoff=FIRST + timedelta(days=9)) for slug in ("betpawa", "bet9ja")]
        commit(database, Cycle(at, {"betpawa": (at, True), "bet9ja": (at, True)}, answers))
    archive = archive_of(database)
    with database.connect() as connection, archive_lock(connection):
        make_states(database, archive, FIRST_KEPT)
        partitions = list_partitions(connection)
        connection.commit()
        for partition in partitions:
            if partition.first_day < FIRST_KEPT:
                retire_day(connection, database, archive, partition)
    assert archive.folder is not None
    (tmp_path / "archive").symlink_to(archive.folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive.folder))
    return database


def test_the_table_of_the_history_archive_is_its_schema() -> None:
    section = PAGE.partition("## The history archive")[2].partition("```")[0]
    named = re.findall(r"^\| ([a-z0-9_, ]+) \|", section, re.MULTILINE)
    columns = [column for names in named for column in names.split(", ") if column != "column"]
    assert columns == list(HISTORY_SCHEMA)


def run(example: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(example, "docs/archive.md", "exec"), names)
    return names


def test_the_examples_for_polars_and_for_both_tiers_find_what_is_there(page_database: Database) -> None:
    prices, moment, tiers = (run(example) for example in examples("python"))
    of_home = prices["prices"].filter(pl.col("name") == "name 1", pl.col("bookmaker_slug") == "betpawa")
    assert of_home["odds"].to_list() == [Decimal("1.50"), Decimal("1.55"), Decimal("1.60")]
    offered = {
        row["betpawa_market_id"]: row for row in moment["offered"].to_dicts() if row["bookmaker_slug"] == "bet9ja"
    }
    assert sorted(offered) == ["3743", "5000"]
    assert offered["3743"]["outcomes"][0] == {"key": "1", "name": "name 1", "odds": Decimal("1.55"), "is_active": False}
    assert offered["5000"]["captured_at"] == FIRST
    changes = tiers["changes"].rows
    assert changes["captured_at"].to_list() == [FIRST + timedelta(hours=12 * number) for number in (1, 2, 3, 4)]
    assert tiers["changes"].unimported == []
    assert tiers["current"].rows["captured_at"].to_list() == [FIRST + timedelta(hours=48)]


def test_the_examples_for_duckdb_find_what_is_there(page_database: Database) -> None:
    prices, best = (duckdb.connect().execute(example).fetchall() for example in examples("sql"))
    of_home = [(row[0], row[5]) for row in prices if (row[1], row[4]) == ("betpawa", "name 1")]
    seen = {0: "1.50", 12: "1.55", 36: "1.60"}
    assert of_home == [(FIRST + timedelta(hours=hours), Decimal(price)) for hours, price in seen.items()]
    assert (date(2026, 11, 2), "bet9ja", "Lagos Rovers", "Abuja City", "name 1", Decimal("1.600")) in best


def test_the_observation_archive_replays_to_the_same_odds(
    page_database: Database, empty_database: str, tmp_path: Path
) -> None:
    (example,) = examples("sh")
    own = {
        "postgresql://localhost/odds_copy": f"'{empty_database}'",
        "/var/lib/odds_copy/archive": str(tmp_path / "copy"),
    }
    for address, place in own.items():
        assert address in example
        example = example.replace(address, place)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", example], check=True, env=os.environ | {"PATH": path}, timeout=120)
    offered = """
        SELECT bookmaker_slug, betpawa_market_id, line, outcomes, last_updated_at FROM market_odds_current ORDER BY 1, 2
    """
    copy = Database(empty_database)
    assert query(copy, offered) == query(page_database, offered)
    copy.dispose()
