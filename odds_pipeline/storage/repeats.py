"""How many rows repeat what the row before them of the same market said: looked up for a few, evenly spread.

Rows are found by indexes alone, and a table that lacks them is left out. Which tables hold states of markets is told by
their columns: rows of whole answers (``snapshot_id``), rows that speak for themselves (``captured_at``), and answers
with all that they changed (``changes``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from odds_pipeline.storage.measured import DatabaseProfile, Repeats, Table
from odds_pipeline.storage.opportunities.shapes import Answers, States, states_of
from odds_pipeline.storage.packed_rows import is_packed

Connection = psycopg.Connection[tuple[Any, ...]]

ANSWERS = 96
"""Answers looked at, each with the one before it."""
ROWS = 400
"""Rows looked at, of a table whose rows are no parts of answers."""
LISTINGS = 48
"""Bookmakers' events looked at, with so many of their last answers that changed something:"""
ANSWERS_OF_LISTING = 20
SECONDS = 1.0
"""After so long no more are looked at."""

_BATCHES = 12
_REACH = 50_000
"""How many answers back the one before is looked for; without one so near, an answer is its event's first."""
_ROWS_OF_ANSWER = 5_000


def repeats(connection: Connection, profile: DatabaseProfile) -> tuple[Repeats, ...]:
    """What a sample of each table of states says, in the order of the tables; those that hold nothing are left out.

    ``profile``: tables with their columns, indexes and ages. Costs at most ``SECONDS`` a table and one statement's
    time limit; a table that cannot be read, or not within that, is left out.
    """
    found: list[Repeats] = []
    for table in profile.own_tables:
        if table.skipped or not table.rows:
            continue
        counts = _counts(connection, profile, table)
        if any(counts):
            found.append(Repeats(table.name, *counts, schema=table.schema))
    return tuple(found)


def _counts(connection: Connection, profile: DatabaseProfile, table: Table) -> tuple[int, ...]:
    """Fields of ``Repeats`` from pairs to firsts."""
    states = states_of(profile, table)
    if states is not None and states.answers is not None:
        return _of_answers(connection, profile, states, states.answers)
    if states is not None:
        return _of_rows(connection, profile, states)
    if is_packed(table) and _is_indexed(profile, table, "event_bookmaker_id"):
        most = {"answers": ANSWERS_OF_LISTING}
        return _sum(connection, _PACKED_STATES, "event_bookmaker_id", LISTINGS, {"table": _name(table)}, most)
    return ()


def _of_answers(connection: Connection, profile: DatabaseProfile, states: States, answers: Answers) -> tuple[int, ...]:
    if not _is_indexed(profile, states.table, answers.link) or not _is_indexed(profile, answers.table, answers.key):
        return ()
    parts = {
        "table": _name(answers.table),
        "key": sql.Identifier(answers.key),
        "same_listing": _all_same(states.listing, "earlier", "this"),
        "this_rows": _rows_of(states, answers, "id"),
        "earlier_rows": _rows_of(states, answers, "earlier_id"),
    }
    return _sum(connection, _STATES_OF_ANSWERS, answers.key, ANSWERS, parts, {"reach": _REACH})


def _of_rows(connection: Connection, profile: DatabaseProfile, states: States) -> tuple[int, ...]:
    keys = (*states.listing, *states.market)
    if not _is_indexed(profile, states.table, "id") or not _is_indexed(profile, states.table, *keys):
        return ()
    parts = {
        "table": _name(states.table),
        "time": sql.Identifier(states.time),
        "same_market": _all_same(keys, "earlier", "this"),
        "this_state": _content(states, "this"),
        "earlier_state": _content(states, "earlier"),
    }
    return _sum(connection, _SINGLE_STATES, "id", ROWS, parts, {})


def _sum(
    connection: Connection,
    query: sql.SQL,
    spread_by: str,
    count: int,
    parts: dict[str, sql.Composable],
    numbers: dict[str, int],
) -> tuple[int, ...]:
    """The sums of what ``query`` counts at ``count`` places, evenly spread by a column of whole numbers."""
    sums: list[int] = []
    until = time.monotonic() + SECONDS
    composed = query.format(**parts)
    try:
        for places in _places(connection, parts["table"], spread_by, count):
            row = connection.execute(composed, {"places": places, **numbers}).fetchone() or ()
            sums = [before + (more or 0) for before, more in zip(sums or [0] * len(row), row, strict=True)]
            if time.monotonic() > until:
                break
    except psycopg.Error:
        if connection.closed:
            raise
    return tuple(sums)


def _places(connection: Connection, table: sql.Composable, column: str, count: int) -> Iterator[list[int]]:
    """Values between the column's least and greatest, in batches each of which is spread over all.

    None of a column that holds no whole numbers: texts have no values between them.
    """
    query = sql.SQL("SELECT min({column}), max({column}) FROM {table}")
    row = connection.execute(query.format(column=sql.Identifier(column), table=table)).fetchone()
    if row is None or not isinstance(row[0], int):
        return
    least, greatest = row
    places = sorted({least + (greatest - least + 1) * (2 * place + 1) // (2 * count) for place in range(count)})
    for batch in range(_BATCHES):
        if places[batch::_BATCHES]:
            yield places[batch::_BATCHES]


def _is_indexed(profile: DatabaseProfile, table: Table, *columns: str) -> bool:
    """Whether rows can be found by one of these columns: an index of each part of the table begins with it."""
    parts = profile.partitions_of(table) if table.kind == "partitioned" else (table,)
    return all(
        any(index.is_valid and index.columns[:1] == (column,) for index in part.indexes for column in columns)
        for part in parts
    )


def _rows_of(states: States, answers: Answers, answer_id: str) -> sql.Composable:
    """The rows of one answer of ``chosen``: its place, the market as text, the state as text."""
    query = sql.SQL(
        "(SELECT ROW({market})::text AS market, {state} AS state FROM {table} AS row WHERE {link} = chosen.{answer_id}"
        " LIMIT {most})"
    )
    return query.format(
        market=_columns(states.market, "row"),
        state=_content(states, "row"),
        table=_name(states.table),
        link=sql.Identifier("row", answers.link),
        answer_id=sql.Identifier(answer_id),
        most=_ROWS_OF_ANSWER,
    )


def _content(states: States, alias: str) -> sql.Composable:
    """Everything that a row says as one text, JSON whatever the order of its keys."""
    values = [
        sql.SQL("{}::jsonb" if column is not None and column.is_json else "{}").format(sql.Identifier(alias, name))
        for name, column in ((name, states.table.column(name)) for name in states.content)
    ]
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(values))


def _all_same(names: Sequence[str], left: str, right: str) -> sql.Composable:
    """Equal, and where one of them is null both; an index serves the equal ones."""
    same = sql.SQL("({0} = {1} OR ({0} IS NULL AND {1} IS NULL))")
    first = sql.SQL("{} = {}").format(sql.Identifier(left, names[0]), sql.Identifier(right, names[0]))
    others = [same.format(sql.Identifier(left, name), sql.Identifier(right, name)) for name in names[1:]]
    return sql.SQL(" AND ").join([first, *others])


def _columns(names: Sequence[str], alias: str) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _name(table: Table) -> sql.Composable:
    return sql.Identifier(table.schema, table.name)


#: A limit on each lookup keeps them lookups: whatever the statistics say, no table is joined as a whole. A market of
#: which an answer has several rows is compared as a whole, and none of its rows counts as a repeat.
_STATES_OF_ANSWERS = sql.SQL("""
    WITH chosen AS MATERIALIZED (
        SELECT DISTINCT this.{key} AS id, earlier.{key} AS earlier_id
        FROM unnest(%(places)s::bigint[]) AS place
        CROSS JOIN LATERAL (SELECT * FROM {table} AS this WHERE this.{key} >= place ORDER BY this.{key} LIMIT 1) AS this
        LEFT JOIN LATERAL (
            SELECT earlier.{key} FROM {table} AS earlier
            WHERE earlier.{key} < this.{key} AND earlier.{key} >= this.{key} - %(reach)s AND {same_listing}
            ORDER BY earlier.{key} DESC LIMIT 1
        ) AS earlier ON true
    ),
    stated AS (
        SELECT chosen.id, true AS is_this, row.market, row.state FROM chosen CROSS JOIN LATERAL {this_rows} AS row
        UNION ALL
        SELECT chosen.id, false, row.market, row.state FROM chosen CROSS JOIN LATERAL {earlier_rows} AS row
    ),
    markets AS (
        SELECT id, count(*) FILTER (WHERE is_this) AS rows, count(*) FILTER (WHERE NOT is_this) AS earlier_rows,
               array_agg(state ORDER BY state) FILTER (WHERE is_this)
                   = array_agg(state ORDER BY state) FILTER (WHERE NOT is_this) AS is_same
        FROM stated GROUP BY id, market
    ),
    answers AS (
        SELECT chosen.id, sum(rows) FILTER (WHERE markets.earlier_rows > 0) AS pairs,
               count(*) FILTER (WHERE is_same AND rows = 1) AS equal,
               sum(rows) FILTER (WHERE markets.earlier_rows = 0) AS firsts,
               chosen.earlier_id IS NOT NULL AS is_pair, bool_and(coalesce(is_same, false)) AS is_equal
        FROM chosen JOIN markets USING (id) GROUP BY chosen.id, chosen.earlier_id
    )
    SELECT sum(pairs)::bigint, sum(equal)::bigint, count(*) FILTER (WHERE is_pair),
           count(*) FILTER (WHERE is_pair AND is_equal), sum(firsts)::bigint
    FROM answers
""")

_SINGLE_STATES = sql.SQL("""
    WITH compared AS (
        SELECT DISTINCT this.id, earlier.state IS NOT NULL AS is_pair, earlier.state = {this_state} AS is_equal
        FROM unnest(%(places)s::bigint[]) AS place
        CROSS JOIN LATERAL (SELECT * FROM {table} AS this WHERE this.id >= place ORDER BY this.id LIMIT 1) AS this
        LEFT JOIN LATERAL (
            SELECT {earlier_state} AS state FROM {table} AS earlier
            WHERE {same_market} AND earlier.{time} < this.{time}
            ORDER BY earlier.{time} DESC LIMIT 1
        ) AS earlier ON true
    )
    SELECT count(*) FILTER (WHERE is_pair), count(*) FILTER (WHERE is_equal), 0, 0, count(*) FILTER (WHERE NOT is_pair)
    FROM compared
""")

_PACKED_STATES = sql.SQL("""
    WITH listings AS MATERIALIZED (
        SELECT DISTINCT this.event_bookmaker_id
        FROM unnest(%(places)s::bigint[]) AS place
        CROSS JOIN LATERAL (
            SELECT event_bookmaker_id FROM {table} WHERE event_bookmaker_id >= place
            ORDER BY event_bookmaker_id LIMIT 1
        ) AS this
    ),
    answers AS MATERIALIZED (
        SELECT answer.captured_at, answer.changes, count(*) OVER (PARTITION BY listings.event_bookmaker_id) AS number
        FROM listings
        CROSS JOIN LATERAL (
            SELECT captured_at, changes FROM {table} AS row WHERE row.event_bookmaker_id = listings.event_bookmaker_id
            ORDER BY captured_at DESC LIMIT %(answers)s
        ) AS answer
    ),
    stated AS (
        SELECT state, lag(state) OVER (PARTITION BY change.market_id ORDER BY captured_at) AS earlier,
               answers.number < %(answers)s AS is_from_the_first
        FROM answers CROSS JOIN LATERAL odds_changes(answers.changes) AS change
    )
    SELECT count(earlier), count(*) FILTER (WHERE state = earlier), 0, 0,
           count(*) FILTER (WHERE earlier IS NULL AND is_from_the_first)
    FROM stated
""")
