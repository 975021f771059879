"""Which listings are over: by kick-off, by an answer that says so, or by their absence from the bookmaker's offer.

Reads what is listed and remembers the newest discovery; the judgement itself is the core's (``odds/absence.py``).
Runs inside the writer's transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.fetching import ask
from odds_pipeline.odds.absence import LISTED, Absence, judge
from odds_pipeline.odds.answers import Answers
from odds_pipeline.odds.observation import AnswerStatus
from odds_pipeline.settings import Settings


class Endings(NamedTuple):
    """What is over.

    ``ended``: (listing_id, gone_at); ``missing``: listings that vanished but are not believed gone before a second
    discovery agrees; ``guard_held``: bookmakers whose mass disappearance is not believed yet.
    """

    ended: pl.DataFrame
    missing: list[int]
    guard_held: set[str]


def find_endings(
    connection: psycopg.Connection, answers: Answers, asked: pl.DataFrame, *, settings: Settings, guarded: bool
) -> Endings:
    """Judge every discovery of the answers. ``asked``: the answers with listing_id, last_answer_at and is_late."""
    started = asked.filter(~pl.col("is_late") & (pl.col("status") == AnswerStatus.STARTED.value))
    ended = [started.select("listing_id", gone_at="captured_at").clear()]
    missing: list[int] = []
    guard_held: set[str] = set()
    judged = answers.discoveries["bookmaker"].to_list()
    listed = _listed(connection, judged)
    for discovery in answers.discoveries.iter_rows(named=True):
        slug = discovery["bookmaker"]
        of_bookmaker = pl.col("bookmaker") == slug
        absence = _judge(
            connection,
            answers,
            discovery,
            asked.filter(of_bookmaker),
            listed.filter(of_bookmaker).drop("bookmaker"),
            settings=settings,
            guarded=guarded,
        )
        ended.append(absence.ended)
        missing += absence.missing.to_list()
        if absence.guard_held:
            guard_held.add(slug)
    ended.append(started.filter(~pl.col("bookmaker").is_in(judged)).select("listing_id", gone_at="captured_at"))
    return Endings(pl.concat(ended), missing, guard_held)


def _listed(connection: psycopg.Connection, slugs: list[str]) -> pl.DataFrame:
    """Bookmakers' listings that are not over, in the stored columns of ``LISTED``."""
    query = sql.SQL(
        """
        SELECT bookmaker.slug AS bookmaker, listing.id AS listing_id, listing.kickoff, state.last_answer_at,
               state.missing_since
        FROM event_bookmakers AS listing
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        WHERE bookmaker.slug = ANY (%s) AND state.unlisted_at IS NULL
        """
    )
    stored = ("listing_id", "kickoff", "last_answer_at", "missing_since")
    return ask(connection, query, {"bookmaker": pl.String} | {name: LISTED[name] for name in stored}, [slugs])()


def _judge(
    connection: psycopg.Connection,
    answers: Answers,
    discovery: dict[str, Any],
    asked: pl.DataFrame,
    listed: pl.DataFrame,
    *,
    settings: Settings,
    guarded: bool,
) -> Absence:
    slug, discovery_at = discovery["bookmaker"], discovery["captured_at"]
    is_complete = discovery["status"] == AnswerStatus.COMPLETE.value and _is_newest(connection, slug, discovery_at)
    counts = ~pl.col("is_late")
    is_partly_read = (pl.col("status") == AnswerStatus.FAILED.value) & pl.col("has_observations")
    heard = asked.select(
        "listing_id",
        is_discovered=pl.lit(value=True),
        is_offered=counts & ((pl.col("status") == AnswerStatus.COMPLETE.value) | is_partly_read),
        started_at=pl.when(counts & (pl.col("status") == AnswerStatus.STARTED.value)).then("captured_at"),
    )
    return judge(
        listed.join(heard, on="listing_id", how="left").with_columns(
            pl.col("is_discovered", "is_offered").fill_null(value=False)
        ),
        as_of=answers.as_of,
        discovery_at=discovery_at if is_complete else None,
        guard_share=settings.guard_share,
        guard_least_events=settings.guard_least_events,
        guarded=guarded,
    )


def _is_newest(connection: psycopg.Connection, slug: str, discovery_at: datetime) -> bool:
    """Note the discovery, unless a newer one was committed before: then it proves nothing absent."""
    noted = connection.execute(
        """
        UPDATE bookmakers SET last_discovery_at = %(at)s
        WHERE slug = %(slug)s AND (last_discovery_at IS NULL OR last_discovery_at <= %(at)s)
        """,
        {"slug": slug, "at": discovery_at},
    )
    return noted.rowcount == 1
