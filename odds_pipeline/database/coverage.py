"""What a cycle leaves behind besides odds: listing states, coverage, typed errors, and the closed run.

Runs inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg.types.json import Jsonb

from odds_pipeline.database.copying import as_array
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.odds.answers import Answers
from odds_pipeline.odds.observation import AnswerStatus

_LISTING = ["bookmaker", "external_event_id"]
_status = pl.col("status")


def record_states(
    connection: psycopg.Connection, answered: pl.DataFrame, ended: pl.DataFrame, missing: list[int], as_of: datetime
) -> None:
    """Move the bookmaker events' confirmations on: the one small write that an unchanged market costs (I10).

    A complete answer confirms; an answer that was read at all is the newest known; a failed one is counted. Markets
    that could be read are on offer, and so is their listing again. Listings in ``ended`` are no longer offered;
    ``missing`` are remembered until a second discovery agrees.
    """
    heard = answered.filter(_status != AnswerStatus.NOT_ASKED.value).select(
        "listing_id",
        "captured_at",
        is_complete=_status == AnswerStatus.COMPLETE.value,
        is_read=(_status != AnswerStatus.FAILED.value) | pl.col("has_observations"),
        is_failed=_status == AnswerStatus.FAILED.value,
        is_offered=(_status == AnswerStatus.COMPLETE.value)
        | ((_status == AnswerStatus.FAILED.value) & pl.col("has_observations")),
    )
    columns = [as_array(column) for column in heard.iter_columns()]
    connection.execute(
        """
        INSERT INTO listing_state (event_bookmaker_id)
        SELECT listing_id FROM unnest(%s::int[]) AS listed (listing_id)
        WHERE NOT EXISTS (SELECT FROM listing_state WHERE event_bookmaker_id = listing_id)
        """,
        [as_array(answered["listing_id"])],
    )
    connection.execute(
        """
        UPDATE listing_state AS state
        SET last_answer_at = CASE WHEN heard.is_read THEN heard.captured_at ELSE state.last_answer_at END,
            last_confirmed_at = CASE WHEN heard.is_complete THEN heard.captured_at ELSE state.last_confirmed_at END,
            first_confirmed_at = coalesce(
                state.first_confirmed_at, CASE WHEN heard.is_complete THEN heard.captured_at END
            ),
            failed_answers = CASE WHEN heard.is_failed THEN least(state.failed_answers + 1, 32767) ELSE 0 END,
            unlisted_at = CASE WHEN heard.is_offered THEN NULL ELSE state.unlisted_at END,
            missing_since = NULL
        FROM unnest(%s::int[], %s::timestamptz[], %s::bool[], %s::bool[], %s::bool[], %s::bool[])
             AS heard (listing_id, captured_at, is_complete, is_read, is_failed, is_offered)
        WHERE state.event_bookmaker_id = heard.listing_id
        """,
        columns,
    )
    # An event that is listed is not missing, even when nobody had the time to ask for it.
    not_asked = answered.filter(_status == AnswerStatus.NOT_ASKED.value)["listing_id"].to_list()
    if not_asked:
        connection.execute(
            """
            UPDATE listing_state SET missing_since = NULL
            WHERE event_bookmaker_id = ANY(%s) AND missing_since IS NOT NULL
            """,
            [not_asked],
        )
    if not ended.is_empty():
        connection.execute(
            """
            UPDATE listing_state AS state
            SET unlisted_at = ended.gone_at, last_answer_at = greatest(state.last_answer_at, ended.gone_at),
                missing_since = NULL
            FROM unnest(%s::int[], %s::timestamptz[]) AS ended (listing_id, gone_at)
            WHERE state.event_bookmaker_id = ended.listing_id AND state.unlisted_at IS NULL
            """,
            [ended["listing_id"].to_list(), ended["gone_at"].to_list()],
        )
    if missing:
        connection.execute(
            "UPDATE listing_state SET missing_since = %s WHERE event_bookmaker_id = ANY(%s)", [as_of, missing]
        )


def record_coverage(
    connection: psycopg.Connection,
    run_id: int,
    answers: Answers,
    guard_held: Collection[str],
    bookmakers: Mapping[str, int],
) -> None:
    """One row per bookmaker: how far the run covered its offer, so that a past moment can say how fresh it was.

    ``bookmakers``: the ids of those in ``answers``.
    """
    by_status = {status: (_status == status.value).sum().alias(status.value) for status in AnswerStatus}
    was_read = _status.is_in([AnswerStatus.COMPLETE.value, AnswerStatus.STARTED.value])
    answered = answers.answers.group_by("bookmaker").agg(
        first_answer_at=pl.col("captured_at").filter(was_read).min(),
        last_answer_at=pl.col("captured_at").filter(was_read).max(),
        asked=(_status != AnswerStatus.NOT_ASKED.value).sum(),
        **by_status,
        outcomes_stored=pl.col("outcomes_stored").sum(),
        outcomes_not_offered=pl.col("outcomes_not_offered").sum(),
        outcomes_refused=pl.col("outcomes_refused").sum(),
    )
    discovered = answers.discoveries.select("bookmaker", discovery_status="status", discovery_at="captured_at")
    counted = answered.join(discovered, on="bookmaker", how="full", coalesce=True)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO scrape_coverage (run_id, bookmaker_id, guard_held, discovery_status, discovery_at,
                first_answer_at, last_answer_at, asked, complete, started, failed, not_asked,
                outcomes_stored, outcomes_not_offered, outcomes_refused)
            VALUES (%(run_id)s, %(bookmaker_id)s, %(guard_held)s, %(discovery_status)s, %(discovery_at)s,
                %(first_answer_at)s, %(last_answer_at)s, coalesce(%(asked)s, 0), coalesce(%(complete)s, 0),
                coalesce(%(started)s, 0), coalesce(%(failed)s, 0), coalesce(%(not_asked)s, 0),
                coalesce(%(outcomes_stored)s, 0), coalesce(%(outcomes_not_offered)s, 0),
                coalesce(%(outcomes_refused)s, 0))
            """,
            [
                row
                | {
                    "run_id": run_id,
                    "bookmaker_id": bookmakers[row["bookmaker"]],
                    "guard_held": row["bookmaker"] in guard_held,
                }
                for row in counted.iter_rows(named=True)
            ],
        )


def record_errors(
    connection: psycopg.Connection,
    run_id: int,
    answers: Answers,
    listings: pl.DataFrame,
    set_aside: dict[int, str],
    guard_held: Collection[str],
    bookmakers: Mapping[str, int],
    now: datetime,
) -> None:
    """Typed rows for every failure: per event where an event failed, per bookmaker where its offer did (R9).

    ``error_type`` is the reason; a market refused is an error of its event, ``occurrences`` counting the markets.
    """
    is_whole = answers.answers["status"].is_in([AnswerStatus.COMPLETE.value, AnswerStatus.STARTED.value]).all()
    is_whole = is_whole and (answers.discoveries["status"] == AnswerStatus.COMPLETE.value).all()
    if is_whole and answers.refused.is_empty() and not set_aside and not guard_held:
        return
    events = listings.select(*_LISTING, "listing_id", "event_id")
    failed = answers.answers.filter(_status == AnswerStatus.FAILED.value).join(events, on=_LISTING, how="left")
    not_asked = (
        answers.answers.filter((_status == AnswerStatus.NOT_ASKED.value) & pl.col("reason").is_not_null())
        .group_by("bookmaker", "reason")
        .agg(pl.len().alias("occurrences"), pl.col("message").first())
    )
    refused = (
        answers.refused.group_by(*_LISTING, "reason", maintain_order=True)
        .agg(pl.len().alias("occurrences"), pl.col("betpawa_market_id").first())
        .join(events, on=_LISTING, how="left")
    )
    discovery_failed = answers.discoveries.filter(_status == AnswerStatus.FAILED.value)
    rows: list[tuple[Any, ...]] = [
        (bookmakers[slug], event_id, listing_id, reason, message, occurrences, occurred_at)
        for slug, event_id, listing_id, reason, message, occurrences, occurred_at in [
            *_error_rows(discovery_failed),
            *_error_rows(failed),
            *_error_rows(not_asked),
        ]
    ]
    for row in refused.iter_rows(named=True):
        message = f"{row['occurrences']} market(s) refused, first {row['betpawa_market_id'] or 'without identity'}"
        listing = (bookmakers[row["bookmaker"]], row["event_id"], row["listing_id"])
        rows.append((*listing, row["reason"], message, row["occurrences"], now))
    by_listing = {row["listing_id"]: row for row in events.iter_rows(named=True)}
    for listing_id, message in set_aside.items():
        row = by_listing[listing_id]
        rows.append((bookmakers[row["bookmaker"]], row["event_id"], listing_id, "integrity_error", message, 1, now))
    for slug in guard_held:
        message = "too many events vanished at once; nothing is retired until a second complete discovery agrees"
        rows.append((bookmakers[slug], None, None, "mass_disappearance", message, 1, now))
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, event_id, event_bookmaker_id, error_type, message,
                                       occurrences, occurred_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (run_id, bookmaker, event, listing, error_type or "unknown", message or "", occurrences, at or now)
                for bookmaker, event, listing, error_type, message, occurrences, at in rows
            ],
        )


def _error_rows(failures: pl.DataFrame) -> list[tuple[Any, ...]]:
    columns = {
        "bookmaker": pl.String,
        "event_id": pl.Int32,
        "listing_id": pl.Int32,
        "reason": pl.String,
        "message": pl.String,
        "occurrences": pl.Int64,
        "captured_at": pl.Datetime("us", "UTC"),
    }
    defaults: dict[str, Any] = {"occurrences": 1}
    return failures.select(
        pl.col(name) if name in failures.columns else pl.lit(defaults.get(name), dtype=kind).alias(name)
        for name, kind in columns.items()
    ).rows()


def close_run(
    connection: psycopg.Connection,
    run_id: int,
    answers: Answers,
    asked: pl.DataFrame,
    record: WriteRecord,
    now: datetime,
) -> None:
    """Close the run's row with its status, the writer's counts and the seconds of each stage (R8, R10).

    ``asked``: the answers with their ``event_id``.
    """
    status = run_status(answers, set_aside=record.set_aside)
    was_read = _status.is_in([AnswerStatus.COMPLETE.value, AnswerStatus.STARTED.value])
    was_lost = _status == AnswerStatus.FAILED.value
    connection.execute(
        """
        UPDATE scrape_runs
        SET status = %s, error = %s, completed_at = %s, cycle_at = %s, events_scraped = %s, events_failed = %s,
            counts = %s, timings = coalesce(timings, '{}'::jsonb) || %s
        WHERE id = %s
        """,
        [
            status,
            _why_nothing_was_read(answers) if status == "failed" else None,
            now,
            answers.cycle_at,
            asked.filter(was_read)["event_id"].n_unique(),
            asked.filter(was_lost)["event_id"].n_unique(),
            Jsonb(record.to_json()),
            Jsonb({"write": record.seconds}),
            run_id,
        ],
    )


def _why_nothing_was_read(answers: Answers) -> str:
    """The reasons by bookmaker, each with its number of answers: the run's own error, which its errors tell in full."""
    reasons = (
        pl.concat([frame.select("bookmaker", "reason", "status") for frame in (answers.discoveries, answers.answers)])
        .filter(_status.is_in([AnswerStatus.FAILED.value, AnswerStatus.NOT_ASKED.value]))
        .group_by("bookmaker", pl.coalesce("reason", "status"))
        .len()
        .sort("bookmaker", "len", "reason", descending=[False, True, False])
    )
    told = ", ".join(f"{bookmaker} {reason} ({count})" for bookmaker, reason, count in reasons.iter_rows())
    return f"no bookmaker gave an answer that could be read: {told or 'nobody was asked'}"


def run_status(answers: Answers, *, set_aside: int = 0) -> str:
    """``completed``: every bookmaker wholly answered; ``failed``: none answered at all; else ``partial``."""
    was_read = _status.is_in([AnswerStatus.COMPLETE.value, AnswerStatus.STARTED.value])
    if not answers.answers.select(was_read.any()).item():
        is_empty_offer = answers.answers.is_empty() and not answers.discoveries.is_empty()
        has_offer = (answers.discoveries["status"] == AnswerStatus.COMPLETE.value).all()
        return "completed" if is_empty_offer and has_offer else "failed"
    is_whole = (
        set_aside == 0
        and answers.answers.select(was_read.all()).item()
        and (answers.discoveries["status"] == AnswerStatus.COMPLETE.value).all()
    )
    return "completed" if is_whole else "partial"
