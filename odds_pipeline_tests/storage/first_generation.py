"""A database in the earlier system's first shape, of any size: whole snapshots with their raw answers, all its tables.

In the proportions that it had (per betPawa snapshot: half a competitor's, 170 and 36 rows of markets, 1.2 event
statuses), over five weeks, a little more each day, in the order of time. Rows are copied within the database from the
few events of ``offers_stored``; nothing is computed per row outside it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg

from odds_pipeline_tests.legacy.earlier_schema import create_first_generation, create_indexes
from odds_pipeline_tests.storage.offers_stored import store_offers

DAYS = 35
"""How many days the rows reach back."""
SMALL = 450
"""Snapshots of betPawa that make about 60 MB."""

_LISTED_FOR = timedelta(days=3)
"""How long an event is looked at before it kicks off."""
_AT_ONCE = 500
"""Snapshots whose markets are written by one statement, so that it can sort them in memory."""


def make_first_generation(
    connection: psycopg.Connection,
    *,
    now: datetime,
    snapshots: int = SMALL,
    schema: str = "public",
    lives: int = 6,
    steps: int = 10,
) -> dict[str, int]:
    """Make the tables in ``schema`` and fill them up to ``now``; return the rows of the tables of odds.

    ``snapshots`` of betPawa, about. ``lives`` different events stand behind all of them, each of which was stored
    ``steps`` times. The connection must be in autocommit mode.
    """
    create_first_generation(connection, schema)
    store_offers(connection, lives=lives, steps=steps)
    # Those listed when the rows begin or end have only a part of their snapshots within them.
    events = round(snapshots / steps * (DAYS + _LISTED_FOR.days) / DAYS)
    numbers = {
        "events": events,
        "lives": lives,
        "steps": steps,
        "since": now - timedelta(days=DAYS),
        "now": now,
        "listed_for": _LISTED_FOR,
    }
    for statement in (_EVENTS, _TAKEN, _RUNS):
        for part in statement.split(";"):
            connection.execute(part.encode(), numbers)
    _write_snapshots(connection)
    connection.execute(_STATUSES)
    create_indexes(connection)
    connection.execute("DROP TABLE taken, answers, offered")
    tables = ("odds_snapshots", "market_odds", "competitor_odds_snapshots", "competitor_market_odds")
    return {table: _count(connection, table) for table in tables}


def _write_snapshots(connection: psycopg.Connection) -> None:
    connection.execute(_SNAPSHOTS)
    for slug, table in (("betpawa", "market_odds"), ("competitor", "competitor_market_odds")):
        last = _count(connection, "taken", slug)
        for first in range(1, last + 1, _AT_ONCE):
            numbers = {"slug": slug, "first": first, "last": first + _AT_ONCE - 1}
            connection.execute(f"INSERT INTO {table} ({_MARKET_COLUMNS}) {_MARKETS}".encode(), numbers)


def _count(connection: psycopg.Connection, table: str, slug: str | None = None) -> int:
    where = "WHERE slug = %s" if slug else ""
    row = connection.execute(f"SELECT count(*) FROM {table} {where}".encode(), [slug] if slug else []).fetchone()
    assert row is not None
    return row[0]


#: The later an event, the nearer the next one: a fifth more than the mean a day at the end, a fifth less at the start.
_EVENTS = """
CREATE TEMP TABLE listed AS
SELECT number, number %% %(lives)s AS life, number %% 12 + 1 AS tournament, (10000000 + number)::text AS sportradar_id,
    begin, begin + %(listed_for)s AS kickoff, format('Rovers %%s FC', number) AS home,
    format('%%s United', number) AS away
FROM generate_series(1, %(events)s) AS number,
LATERAL (SELECT ((sqrt(0.64 + 0.8 * (number - 0.5) / %(events)s) - 0.8) / 0.4)::float AS share) AS along,
LATERAL (SELECT %(since)s - %(listed_for)s + share * (%(now)s - %(since)s + %(listed_for)s) AS begin) AS moment;
INSERT INTO tournaments (id, sport_id, name, country)
SELECT number, 1, format('Division %%s', number), 'Nigeria' FROM generate_series(1, 12) AS number;
INSERT INTO competitor_tournaments (id, source, sport_id, name, external_id)
SELECT 2 * number + place, source, 1, format('Division %%s', number), format('%%s-%%s', source, number)
FROM generate_series(1, 12) AS number, (VALUES (0, 'sportybet'), (1, 'bet9ja')) AS source (place, source);
INSERT INTO events (id, tournament_id, name, home_team, away_team, kickoff, sportradar_id, created_at)
SELECT number, tournament, home || ' - ' || away, home, away, kickoff AT TIME ZONE 'UTC', sportradar_id,
    begin AT TIME ZONE 'UTC'
FROM listed ORDER BY number;
INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id, created_at)
SELECT number, 1, (40000000 + number)::text, begin AT TIME ZONE 'UTC' FROM listed ORDER BY number;
INSERT INTO competitor_events (
    id, source, tournament_id, betpawa_event_id, name, home_team, away_team, kickoff, external_id, sportradar_id,
    created_at, updated_at)
SELECT number, source, 2 * tournament + life %% 2, number, home || ' - ' || away, home, away,
    kickoff AT TIME ZONE 'UTC', external_id, sportradar_id, begin AT TIME ZONE 'UTC', begin AT TIME ZONE 'UTC'
FROM listed, LATERAL (
    SELECT CASE life %% 2 WHEN 0 THEN 'sportybet' ELSE 'bet9ja' END AS source,
        CASE life %% 2 WHEN 0 THEN 'sr:match:' || sportradar_id ELSE (800000000 + number)::text END AS external_id
) AS competitor
ORDER BY number
"""

#: When what was stored of which event; ids rise with time.
_TAKEN = """
CREATE TEMP TABLE taken AS
SELECT slug, row_number() OVER (PARTITION BY slug ORDER BY captured_at, number) AS id, number, life, step, captured_at,
    ceil(extract(epoch FROM captured_at - %(since)s) / 3600)::int AS run_id
FROM listed JOIN (SELECT slug, life, step FROM answers) AS answer USING (life),
LATERAL (
    SELECT begin + %(listed_for)s / %(steps)s * CASE slug WHEN 'betpawa' THEN step ELSE 2 * step END
        + (hashint4(number * 1000 + step) & 65535) * interval '10 milliseconds' AS captured_at
) AS moment
WHERE captured_at > %(since)s AND captured_at <= %(now)s;
CREATE UNIQUE INDEX ON taken (slug, id);
ANALYZE taken
"""

#: A run an hour, a batch a day.
_RUNS = """
INSERT INTO settings (id, enabled_platforms) VALUES (1, '["betpawa", "sportybet", "bet9ja"]');
CREATE TEMP TABLE hours AS
SELECT number, (%(since)s AT TIME ZONE 'UTC') + (number - 1) * interval '1 hour' AS started_at
FROM generate_series(1, ceil(extract(epoch FROM %(now)s - %(since)s) / 3600)::int) AS number;
INSERT INTO scrape_batches (id, started_at, completed_at, status, trigger)
SELECT (number - 1) / 24 + 1, started_at, started_at + interval '1 day', 'completed', 'scheduled'
FROM hours WHERE number %% 24 = 1;
INSERT INTO scrape_runs (
    id, batch_id, status, started_at, completed_at, events_scraped, trigger, platform_timings, platform_status)
SELECT number, (number - 1) / 24 + 1, 'completed', started_at, started_at + interval '4 minutes', 400, 'scheduled',
    '{"betpawa": 81234, "sportybet": 120311, "bet9ja": 201455}',
    '{"betpawa": "completed", "sportybet": "completed", "bet9ja": "completed"}'
FROM hours;
INSERT INTO scrape_phase_logs (scrape_run_id, platform, phase, started_at, ended_at, events_processed)
SELECT number, platform, phase, started_at, started_at + interval '1 minute', 400
FROM hours, unnest(ARRAY['betpawa', 'sportybet', 'bet9ja']) AS platform, unnest(ARRAY['discovery', 'odds']) AS phase;
INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, error_type, error_message, occurred_at)
SELECT number, 3, 'timeout', 'Bet9ja did not answer within 30 s', started_at + interval '2 minutes' FROM hours;
INSERT INTO cleanup_runs (
    started_at, completed_at, trigger, odds_retention_days, match_retention_days, status, duration_seconds)
SELECT started_at, started_at + interval '9 seconds', 'scheduled', 60, 60, 'completed', 9
FROM hours WHERE number %% 24 = 1;
INSERT INTO storage_samples (sampled_at, total_bytes, table_sizes)
SELECT started_at, number * 80000000::bigint, format('{"market_odds": %%s}', number * 20000000::bigint)::json
FROM hours WHERE number %% 24 = 1;
DROP TABLE hours
"""

_SNAPSHOTS = """
INSERT INTO odds_snapshots (
    id, event_id, bookmaker_id, captured_at, scrape_run_id, last_confirmed_at, raw_response)
SELECT id, number, 1, captured_at, run_id, captured_at AT TIME ZONE 'UTC', raw_response
FROM taken JOIN answers USING (slug, life, step) WHERE slug = 'betpawa' ORDER BY id;
INSERT INTO competitor_odds_snapshots (
    id, competitor_event_id, captured_at, scrape_run_id, last_confirmed_at, raw_response)
SELECT id, number, captured_at AT TIME ZONE 'UTC', run_id, captured_at AT TIME ZONE 'UTC', raw_response
FROM taken JOIN answers USING (slug, life, step) WHERE slug = 'competitor' ORDER BY id;
"""

_MARKET_COLUMNS = (
    "snapshot_id, betpawa_market_id, betpawa_market_name, line, handicap_type, handicap_home, handicap_away, outcomes, "
    "market_groups"
)
_MARKETS = """
SELECT id, betpawa_market_id, betpawa_market_name, line, handicap_type, handicap_home, handicap_away, outcomes,
    market_groups
FROM taken JOIN offered USING (slug, life, step)
WHERE slug = %(slug)s AND id BETWEEN %(first)s AND %(last)s
ORDER BY id, position
"""

#: One for each look at an event, and one in five more for a look that failed.
_STATUSES = """
INSERT INTO event_scrape_status (
    scrape_run_id, sportradar_id, status, platforms_requested, platforms_scraped, platforms_failed, timing_ms,
    error_details, created_at)
SELECT run_id, sportradar_id, CASE attempt WHEN 0 THEN 'failed' ELSE 'completed' END,
    '["betpawa", "sportybet", "bet9ja"]', CASE attempt WHEN 0 THEN '[]' ELSE '["betpawa", "sportybet"]' END::json,
    CASE attempt WHEN 0 THEN '["betpawa"]' ELSE '[]' END::json, 1200 + id % 900,
    CASE attempt WHEN 0 THEN '{"betpawa": "timeout"}' END::json, captured_at AT TIME ZONE 'UTC'
FROM taken JOIN listed USING (number), generate_series(CASE id % 5 WHEN 0 THEN 0 ELSE 1 END, 1) AS attempt
WHERE slug = 'betpawa'
ORDER BY id;
DROP TABLE listed;
"""
