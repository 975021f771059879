"""What the cycles of the last days found, by their own numbers: rows stored, and those that snapshots would store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import LiteralString

from odds_pipeline.clock import require_utc
from odds_pipeline.database.engine import Database
from odds_pipeline.storage.measured import Turnover

_LEAST = timedelta(hours=1)
"""Less does not tell of a day."""

# Refreshes of single events, replays and imports are no cycles. A cycle that died wrote nothing and counted nothing.
# Runs are asked for by their start, which is indexed: of a week there are 2,016, and three rows of coverage for each.
_TURNOVER: LiteralString = """
    WITH cycles AS MATERIALIZED (
        SELECT id, started_at, events_scraped, counts FROM scrape_runs
        WHERE started_at >= %(since)s AND started_at <= %(now)s AND trigger IN ('scheduled', 'manual')
          AND counts ? 'observations'
    )
    SELECT
        CASE WHEN EXISTS (
            SELECT FROM scrape_runs WHERE started_at < %(since)s AND trigger IN ('scheduled', 'manual')
        ) THEN %(since)s ELSE min(started_at) END,
        count(*),
        (
            SELECT coalesce(sum(coverage.complete + coverage.started), 0)::bigint
            FROM scrape_coverage AS coverage JOIN cycles ON cycles.id = coverage.run_id
        ),
        CASE WHEN every(counts ->> 'changed_answers' IS NOT NULL) THEN sum((counts ->> 'changed_answers')::bigint) END
            ::bigint,
        sum((counts ->> 'observations')::bigint)::bigint,
        sum((counts ->> 'inserted_history')::bigint)::bigint,
        sum((counts ->> 'new')::bigint)::bigint,
        round(avg(events_scraped))::int
    FROM cycles
"""


def turnover(database: Database, *, now: datetime, days: int = 7) -> Turnover | None:
    """The numbers of the cycles that began in the last ``days``; from the first of them on, if there were none before.

    ``answers`` are those that were read; ``events`` is the mean number of events that a cycle read an answer of.
    ``changed_answers`` is None while one of the cycles did not count them. None until the first cycle is an hour old:
    a rate per day could not be reckoned. Costs the rows of these cycles, by an index.
    """
    now = require_utc(now)
    with database.borrow() as connection:
        row = connection.execute(_TURNOVER, {"since": now - timedelta(days=days), "now": now}).fetchone()
    assert row is not None
    since, cycles, answers, changed_answers, observations, history_rows, first_sightings, events = row
    if not cycles or now - since < _LEAST:
        return None
    return Turnover(
        since=since,
        until=now,
        cycles=cycles,
        answers=answers,
        changed_answers=changed_answers,
        observations=observations,
        history_rows=history_rows,
        first_sightings=first_sightings,
        events=events,
    )
