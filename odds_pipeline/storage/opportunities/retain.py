"""The family retain: rows that are older than 30, 14 or 7 days, and rows that are older than what is configured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from psycopg import sql

from odds_pipeline.storage.measured import WINDOWS, Column, DatabaseProfile, Kept, Table
from odds_pipeline.storage.opportunities.advice import Advice, advise, called
from odds_pipeline.storage.opportunities.afterwards import with_share, with_table, younger
from odds_pipeline.storage.opportunities.shapes import (
    Answers,
    States,
    answers_of,
    holds_changes,
    is_dagsters,
    is_history,
    is_odds,
    is_ours,
    states_of,
)
from odds_pipeline.storage.opportunities.statements import moment, name, names, relation, rewrite, text
from odds_pipeline.storage.words import in_bytes, in_count, in_percent

_WHILE_IT_IS_DONE = (
    "each table is locked while it is rewritten, the copy needs room beside it, and rows that an older transaction may "
    "still see keep theirs"
)


def subject_of(days: int) -> str:
    """How the opportunity to keep so many days is called."""
    return f"{days} days"


def _subject_of_others(days: int) -> str:
    return f"{days} days of other rows"


def kept_share(table: Table, days: int) -> float:
    """Share of the table's rows that fall within the last ``days`` or are newer; 1 where their ages are not known."""
    if table.ages is None or not table.rows:
        return 1.0
    return min(1.0, (table.ages.rows_within.get(days, table.rows) + table.ages.rows_ahead) / table.rows)


def kept_for(profile: DatabaseProfile, days: int, now: datetime) -> DatabaseProfile:
    """The database with no odds older than ``days``: each table's bytes but bloat x the share within."""
    return _kept_for(profile, _odds(profile), days, now)


def _kept_for(profile: DatabaseProfile, tables: list[Table], days: int, now: datetime) -> DatabaseProfile:
    left = profile
    for table in tables:
        share = kept_share(table, days)
        if share < 1:
            left = with_table(left, table, lambda each, share=share: younger(each, share, days, now))
    return left


def old_rows(profile: DatabaseProfile, now: datetime) -> Iterator[Advice]:
    """Rows of odds by age. Saving: of each table with older rows, share of these x its bytes but bloat.

    Not told of a database with a retention of its own (ours, Dagster's): there a shorter one is a setting.
    """
    for days, aged in _aged(profile, _odds(profile)):
        yield advise(
            profile,
            kept_for(profile, days, now),
            kind="age",
            family="retain",
            subject=subject_of(days),
            title=f"Keep {days} days",
            tables=tuple(aged),
            evidence=_evidence(profile, aged, days),
            effort="low",
            risk="high" if days < 14 or _lost_along(profile, aged) else "medium",
            risk_reason=f"what is deleted is gone for good: make an archive before; {_WHILE_IT_IS_DONE}",
            loses=f"odds of more than {days} days ago{_along(profile, aged)}",
            statement=_statement(profile, aged, now - timedelta(days=days)),
        )


def other_old_rows(profile: DatabaseProfile, now: datetime) -> Iterator[Advice]:
    """Rows by age of histories that hold no odds: payments, an audit. Saving: as ``old_rows``. No plan takes them."""
    for days, aged in _aged(profile, _others(profile)):
        names = ", ".join(called(profile, table) for table in aged)
        yield advise(
            profile,
            _kept_for(profile, aged, days, now),
            kind="other age",
            family="retain",
            subject=_subject_of_others(days),
            title=f"Ask whether {names} must be kept for more than {days} days",
            tables=tuple(aged),
            evidence=_evidence(profile, aged, days),
            effort="low",
            risk="high",
            risk_reason="how long such rows must be kept, a law or somebody else may say; what is deleted is gone for "
            f"good; {_WHILE_IT_IS_DONE}",
            loses=f"rows of {names} of more than {days} days ago{_along(profile, aged)}",
            statement=_statement(profile, aged, now - timedelta(days=days)),
        )


def beyond_policy(profile: DatabaseProfile, policies: tuple[Kept, ...]) -> Iterator[Advice]:
    """Rows that are older than what is configured. Saving: their bytes, as the policy's table has them."""
    for kept in policies:
        table = profile.table(kept.table, kept.schema)
        if table is None or not kept.bytes_beyond or not table.total_bytes:
            continue
        share = 1 - min(kept.bytes_beyond, table.total_bytes) / table.total_bytes
        yield advise(
            profile,
            with_table(profile, table, lambda each, share=share: with_share(each, share)),
            kind="policy",
            family="retain",
            subject=f"{called(profile, table)}.policy",
            title=f"Let retention do what is configured for {table.name}",
            tables=(table,),
            evidence=f"{in_bytes(kept.bytes_beyond)} are older than the {kept.days} days that {kept.setting} promises"
            + (f"; the oldest row is of {kept.oldest:%Y-%m-%d}." if kept.oldest else "."),
            effort="low",
            risk="low",
            risk_reason="it is what was decided; history goes to the archive before it is deleted",
            loses=None,
            statement="odds-pipeline retention",
            is_sql=False,
            basis="statistics",
        )


def _odds(profile: DatabaseProfile) -> list[Table]:
    return [table for table in _histories(profile) if is_odds(profile, table)]


def _others(profile: DatabaseProfile) -> list[Table]:
    return [table for table in _histories(profile) if not is_odds(profile, table)]


def _histories(profile: DatabaseProfile) -> list[Table]:
    """What may end; what belongs to something stands before it."""
    found = [table for table in profile.own_tables if is_history(table) and _can_be_deleted_from(profile, table)]
    return sorted(found, key=lambda table: answers_of(profile, table) is None)


def _aged(profile: DatabaseProfile, tables: list[Table]) -> Iterator[tuple[int, list[Table]]]:
    """Each of the windows, the longest first, with the tables that have older rows."""
    if is_ours(profile) or is_dagsters(profile):
        return
    for days in sorted(WINDOWS, reverse=True):
        if aged := [table for table in tables if kept_share(table, days) < 1]:
            yield days, aged


def _evidence(profile: DatabaseProfile, aged: list[Table], days: int) -> str:
    oldest = min(table.ages.oldest for table in aged if table.ages)
    shares = ", ".join(
        f"{in_count(int(table.rows * (1 - kept_share(table, days))))} of {called(profile, table)} "
        f"({in_percent(1 - kept_share(table, days))})"
        for table in aged
    )
    also = _lost_along(profile, aged)
    along = f" Rows of {', '.join(also)} go with them (ON DELETE CASCADE), not counted here." if also else ""
    return f"The oldest row is of {oldest:%Y-%m-%d}; older than {days} days are {shares}.{along}"


def _lost_along(profile: DatabaseProfile, aged: list[Table]) -> tuple[str, ...]:
    """Tables that lose rows by ON DELETE CASCADE, but for those whose rows end by the same time anyway."""
    ending = {_path(table) for table in aged if answers_of(profile, table) is not None}
    return tuple(sorted({name for table in aged for name in table.cascades_to} - ending))


def _along(profile: DatabaseProfile, aged: list[Table]) -> str:
    also = _lost_along(profile, aged)
    return f", and whatever rows of {', '.join(also)} belong to them" if also else ""


def _path(table: Table) -> str:
    return table.name if table.schema == "public" else f"{table.schema}.{table.name}"


def _can_be_deleted_from(profile: DatabaseProfile, table: Table) -> bool:
    """Whether a statement can ask for the age of its rows: by a time of theirs, or one of those that they belong to."""
    is_own = table.ages is not None and table.column(table.ages.said_by) is not None
    return is_own or answers_of(profile, table) is not None


def _statement(profile: DatabaseProfile, aged: list[Table], boundary: datetime) -> str:
    """Delete what belongs to something first, then rewrite every table.

    Where only changes are kept, the last row before the boundary is what a market's state was then: it stays as long
    as its event is looked at, and so does the answer that it belongs to.
    """
    changes = {_path(table): holds_changes(profile, table) for table in aged}
    belonging = {_path(table): answers_of(profile, table) for table in aged}
    parts: list[str] = []
    for table in aged:
        states = states_of(profile, table) if changes[_path(table)] else None
        answers = belonging[_path(table)]
        if states is not None:
            parts.append(_delete_changes(states, boundary))
        elif answers is not None:
            parts.append(_delete_belonging(table, answers, boundary))
        else:
            needed = [
                (each, link)
                for each in aged
                if changes[_path(each)] and (link := belonging[_path(each)]) and _path(link.table) == _path(table)
            ]
            parts.append(_delete_own(table, needed, boundary))
    return "".join(parts) + "".join(rewrite(profile, table) for table in aged)


def _delete_own(table: Table, needed: list[tuple[Table, Answers]], boundary: datetime) -> str:
    time = _time_column(table)
    unless = sql.SQL("").join(
        sql.SQL(" AND NOT EXISTS (SELECT FROM {child} AS state WHERE state.{link} = answer.{key})").format(
            child=relation(child), link=name(answers.link), key=name(answers.key)
        )
        for child, answers in needed
    )
    return text(
        "DELETE FROM {table} AS answer WHERE answer.{time} < {boundary}{unless};",
        table=relation(table),
        time=name(time.name),
        boundary=moment(boundary, time),
        unless=unless,
    )


def _delete_belonging(table: Table, answers: Answers, boundary: datetime) -> str:
    return text(
        """
DELETE FROM {table} AS state USING {answers} AS answer
WHERE answer.{key} = state.{link} AND answer.{time} < {boundary};
""",
        table=relation(table),
        answers=relation(answers.table),
        key=name(answers.key),
        link=name(answers.link),
        time=name(answers.time),
        boundary=moment(boundary, _time_column(answers.table)),
    )


def _delete_changes(states: States, boundary: datetime) -> str:
    answers = states.answers
    asked = answers.table if answers else states.table
    parts = {
        "table": relation(states.table),
        "market": names(states.market),
        "listing": names(states.listing),
        "time": name(states.time),
        "boundary": moment(boundary, _time_column(asked)),
    }
    if answers is None:
        return text(_DELETE_CHANGES_BY_TIME, **parts)
    return text(
        _DELETE_CHANGES_BY_ANSWER,
        **parts,
        answers=relation(asked),
        key=name(answers.key),
        link=name(answers.link),
        state_market=names(states.market, of="state"),
    )


def _time_column(table: Table) -> Column:
    said_by = table.ages.said_by if table.ages else ""
    return table.column(said_by) or Column(said_by, "timestamp with time zone", 0, 0.0)


#: ``rank``: what an answer says twice of one market is kept or deleted together. ``last_seen``: of the event.
_DELETE_CHANGES_BY_ANSWER = """
DELETE FROM {table} AS state USING (
    SELECT row_in, row_at, last_seen,
        rank() OVER (PARTITION BY {listing}, {market} ORDER BY {time} DESC, answer DESC) AS back
    FROM (
        SELECT state.tableoid AS row_in, state.ctid AS row_at, {state_market}, answers.*
        FROM {table} AS state JOIN (
            SELECT {key} AS answer, {listing}, {time}, max({time}) OVER (PARTITION BY {listing}) AS last_seen
            FROM {answers}
        ) AS answers ON answers.answer = state.{link}
    ) AS said
    WHERE {time} < {boundary}
) AS old
WHERE state.tableoid = old.row_in AND state.ctid = old.row_at AND (old.back > 1 OR old.last_seen < {boundary});
"""

_DELETE_CHANGES_BY_TIME = """
DELETE FROM {table} AS state USING (
    SELECT row_in, row_at, last_seen, rank() OVER (PARTITION BY {listing}, {market} ORDER BY {time} DESC) AS back
    FROM (
        SELECT tableoid AS row_in, ctid AS row_at, {listing}, {market}, {time},
            max({time}) OVER (PARTITION BY {listing}) AS last_seen
        FROM {table}
    ) AS said
    WHERE {time} < {boundary}
) AS old
WHERE state.tableoid = old.row_in AND state.ctid = old.row_at AND (old.back > 1 OR old.last_seen < {boundary});
"""
