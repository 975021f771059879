"""The life of a day with an archive of either kind: cycles archived, days rebuilt from it, retired into it and read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.database.write import write_cycle
from odds_pipeline.days.read import Wanted, history, state_at
from odds_pipeline.days.rebuild import rebuild_days
from odds_pipeline.days.retention import retain
from odds_pipeline.settings import Settings
from odds_pipeline_tests.database.cycles import SETTINGS, answer, prepared, running
from odds_pipeline_tests.database.plain_model import Cycle
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.days_of_odds import history_rows, shown_rows

FIRST = datetime(2026, 11, 1, 18, tzinfo=UTC)
NOW = FIRST + timedelta(days=2)


def test_days_are_archived_rebuilt_retired_and_read(database: Database, archive_url: str) -> None:
    archive = Archive(archive_url)
    for number, price in enumerate(["1.50", "1.60", None, "1.70", "1.80"]):
        at = FIRST + timedelta(hours=10 * number)
        said = answer("betpawa", "1", at, {("3743", None): {"1": price, "2": "2.5"}, ("5000", None): {"a": "1.9"}})
        run_id = running(database, at)
        cycle = prepared(Cycle(at, {"betpawa": (at, True)}, [said]), run_id)
        write_cycle(database, archive, cycle, run_id=run_id, settings=SETTINGS, now=at, guarded=True)
    assert len(archive.list("observations")) == 10
    rows, shown = history_rows(database), shown_rows(database)

    query(database, "DELETE FROM odds_history WHERE captured_at >= '2026-11-02 06:00+00' RETURNING 1")
    rebuilt = rebuild_days(database, Archive(archive_url), FIRST.date(), NOW.date(), now=NOW)
    assert [day.added for day in rebuilt] == [0, 1, 2]
    assert history_rows(database) == rows

    archive.put("history/day=2026-11-01/20261101-0badc0de.parquet", [b"an orphan"])
    retained = retain(database, archive, settings=Settings(retention_days=1), now=NOW, trigger="manual")
    assert ([day.rows for day in retained.retired], retained.kept) == ([2], [])
    assert len(archive.list("history")) == 2, "an orphan may be a file whose transaction is under way"

    ask = partial(history, unimported_days=lambda first, last: [])
    answered = ask(database, Archive(archive_url), Wanted(), FIRST, NOW).rows
    assert answered.to_dicts() == shown
    at_first = state_at(database, archive, Wanted(), FIRST + timedelta(hours=5), unimported_days=lambda first, last: [])
    assert at_first.rows.to_dicts() == [row for row in shown if row["captured_at"] == FIRST]
