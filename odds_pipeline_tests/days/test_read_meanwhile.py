"""Reading while the archive changes or fails: nothing is missed, doubled or left out in silence."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import polars as pl
import pyarrow.compute as pc
import pytest

from odds_pipeline.archive.store import Archive, ArchiveDamaged
from odds_pipeline.database.engine import Database
from odds_pipeline.days.read import Wanted
from odds_pipeline_tests.days.days_of_odds import FIRST_DAY, DaysOfOdds, shown_rows
from odds_pipeline_tests.days.questions import (
    BEGINNING,
    END,
    EVERYTHING,
    Oracle,
    Row,
    current_at,
    market_of,
    retire,
    told,
)


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
