"""Market-level storage: of rows that repeat the one before them of the same market, none but the first is kept.

Nothing is lost: a state lasts until the next row of its market. Where an answer lacks a market that the answer before
it had, a row with ``unavailable_at`` says so, and what comes back is kept although it looks the same; what an answer
says twice of one market is kept as it is.
"""

from __future__ import annotations

from psycopg import sql

from odds_pipeline.storage.opportunities.shapes import Answers, States
from odds_pipeline.storage.opportunities.statements import name, names, relation, text

_GONE = "unavailable_at"


def says_what_is_gone(states: States) -> bool:
    """Whether the rows can say that a market is gone, which a missing row says of whole snapshots."""
    return states.answers is None or states.table.column(_GONE) is not None


def keep_changes(states: States) -> str:
    """The statements: one transaction that copies what is kept, empties the table and puts it back.

    Faster than deleting nineteen rows in twenty, and the space is free at the commit. A table that refers to this one
    makes it fail, with nothing changed. Compared is everything that a row says, JSON by its meaning.
    """
    is_partitioned = states.table.kind == "partitioned"
    parts = {
        "table": relation(states.table),
        # Tables that inherit from it are tables of their own, with columns that this one lacks.
        "rows": sql.SQL("{}" if is_partitioned else "ONLY {}").format(relation(states.table)),
        "alone": sql.SQL("" if is_partitioned else " NO INHERIT"),
        "market": names(states.market, of="state"),
        "market_columns": names(states.market),
        "content": sql.SQL(", ").join(_compared(states, column) for column in states.content),
        "written": names(each.name for each in states.table.columns if not each.is_generated),
    }
    if states.answers is None:
        parts |= {
            "listing": names(states.listing, of="state"),
            "listing_columns": names(states.listing),
            "time": name(states.time),
        }
        marked = text(_MARK_BY_TIME, **parts)
        return text(_BEGIN, **parts) + marked + text(_KEEP, **parts) + text(_PUT_BACK, **parts)
    answers = states.answers
    parts |= {
        "answers": relation(answers.table),
        "key": name(answers.key),
        "time": name(answers.time),
        "listing": names(states.listing),
        "link": name(answers.link),
        "may_end": sql.SQL("true" if says_what_is_gone(states) else "false"),
    }
    marked = text(_BEGIN, **parts) + text(_MARK_BY_ANSWER, **parts) + text(_KEEP, **parts)
    if not says_what_is_gone(states):
        return marked + text(_PUT_BACK, **parts)
    copied = [
        column for column in (*states.market, *states.content) if column != _GONE and not _is_generated(states, column)
    ]
    parts |= {
        "copied": names(copied),
        "copies": names(copied, of="state"),
        "gone": name(_GONE),
        "gone_at": _as_availability(states, answers),
    }
    return marked + text(_END, **parts) + text(_PUT_BACK_WITH_ENDS, **parts)


def _is_generated(states: States, column: str) -> bool:
    found = states.table.column(column)
    return found is not None and found.is_generated


def _compared(states: States, column: str) -> sql.Composable:
    found = states.table.column(column)
    as_it_is = name("state", column)
    return as_it_is + sql.SQL("::jsonb") if found is not None and found.is_json else as_it_is


def _as_availability(states: States, answers: Answers) -> sql.Composable:
    """The next answer's time as the type of ``unavailable_at``; a time without zone is UTC."""
    gone, time = states.table.column(_GONE), answers.table.column(answers.time)
    same = gone is not None and time is not None and ("with time zone" in gone.type) == ("with time zone" in time.type)
    return sql.SQL("next_at" if same else "next_at AT TIME ZONE 'UTC'")


_BEGIN = """
BEGIN;
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
"""

#: ``place`` counts a listing's answers, so that a market's row and the one before it tell whether one was left out.
_MARK_BY_ANSWER = """
CREATE TEMPORARY TABLE marked_states ON COMMIT DROP AS
WITH answers AS (
    SELECT {key} AS answer, row_number() OVER listing AS place, dense_rank() OVER (ORDER BY {listing}) AS listing,
        lead({key}) OVER listing AS next_answer, lead({time}) OVER listing AS next_at
    FROM {answers} WINDOW listing AS (PARTITION BY {listing} ORDER BY {time}, {key})
), said AS (
    SELECT state.tableoid AS row_in, state.ctid AS row_at, state.id AS row_id, answers.*, {market},
        md5(row({content})::text)::uuid AS said
    FROM {rows} AS state LEFT JOIN answers ON answers.answer = state.{link}
), states AS (
    SELECT row_in, row_at, place, next_answer, next_at, said, lag(said) OVER market AS said_before,
        lag(place) OVER market AS before, lag(place, 2) OVER market AS before_that, lead(place) OVER market AS after
    FROM said WINDOW market AS (PARTITION BY listing, {market_columns} ORDER BY place, row_id)
), judged AS (
    SELECT row_in, row_at, next_answer, next_at,
        place IS NULL OR before IS DISTINCT FROM place - 1 OR before_that = place - 1 OR after = place
            OR said <> said_before AS is_kept,
        {may_end} AND next_answer IS NOT NULL AND (after IS NULL OR after > place + 1) AS ends
    FROM states
)
SELECT * FROM judged WHERE is_kept OR ends;
"""

_MARK_BY_TIME = """
CREATE TEMPORARY TABLE marked_states ON COMMIT DROP AS
WITH said AS (
    SELECT state.tableoid AS row_in, state.ctid AS row_at, state.id AS row_id, state.{time} AS said_at,
        {listing}, {market}, md5(row({content})::text)::uuid AS said
    FROM {rows} AS state
), states AS (
    SELECT row_in, row_at, said, lag(said) OVER market AS said_before
    FROM said WINDOW market AS (PARTITION BY {listing_columns}, {market_columns} ORDER BY said_at, row_id)
)
SELECT row_in, row_at, true AS is_kept FROM states WHERE said IS DISTINCT FROM said_before;
"""

_KEEP = """
CREATE TEMPORARY TABLE kept_states ON COMMIT DROP AS
SELECT state.* FROM {rows} AS state
JOIN marked_states AS marked ON state.tableoid = marked.row_in AND state.ctid = marked.row_at
WHERE is_kept ORDER BY state.id;
"""

_END = """
CREATE TEMPORARY TABLE ended_states ON COMMIT DROP AS
SELECT next_answer, next_at, {copies} FROM {rows} AS state
JOIN marked_states AS marked ON state.tableoid = marked.row_in AND state.ctid = marked.row_at
WHERE ends;
"""

#: The constraint forbids nothing. It is there so that a second time fails: what is left out now would look gone then.
_PUT_BACK = """
ALTER TABLE {table} ADD CONSTRAINT stores_only_changes CHECK (true){alone} NOT VALID;
TRUNCATE {rows};
INSERT INTO {table} ({written}) OVERRIDING SYSTEM VALUE SELECT {written} FROM kept_states;
COMMIT;
ANALYZE {table};
"""

_PUT_BACK_WITH_ENDS = """
ALTER TABLE {table} ADD CONSTRAINT stores_only_changes CHECK (true){alone} NOT VALID;
TRUNCATE {rows};
INSERT INTO {table} ({written}) OVERRIDING SYSTEM VALUE SELECT {written} FROM kept_states;
INSERT INTO {table} ({link}, {gone}, {copied}) SELECT next_answer, {gone_at}, {copied} FROM ended_states;
COMMIT;
ANALYZE {table};
"""
