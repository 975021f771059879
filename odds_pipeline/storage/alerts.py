"""Alerts about storage: opened once for a condition, ended when it is gone, resolved by that or by hand.

An alert is *open* while it is not resolved, and *lasts* while its condition was not found gone. One that was resolved
by hand is not opened again before its condition has ended once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString, get_args

import psycopg
from psycopg.rows import class_row

from odds_pipeline.clock import require_utc
from odds_pipeline.database.engine import Database
from odds_pipeline.database.partitions import missing_days
from odds_pipeline.settings import Settings
from odds_pipeline.storage.conditions import AlertType, Upkeep, Verdict, judge_conditions
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.samples import newest_pair

ALERT_TYPES: tuple[AlertType, ...] = get_args(AlertType)

_LATE = timedelta(hours=1)
"""By how much a review may come after one of a later moment. What lies further ahead is from a clock that was wrong."""

# All columns of the table are fields of ``Alert``, by their names.
_OPEN: LiteralString = "SELECT * FROM storage_alerts WHERE resolved_at IS NULL ORDER BY created_at, id"


class NoSuchAlert(LookupError):
    """There is no alert with that id."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of ``storage_alerts``. The figures and ``message`` are those of when it was opened, at ``created_at``."""

    id: int
    created_at: datetime
    alert_type: str
    subject: str
    message: str
    current_bytes: int
    previous_bytes: int | None
    growth_percent: float | None
    resolved_at: datetime | None
    resolved_by: Literal["itself", "hand"] | None
    """None also where an earlier system resolved it."""
    ended_at: datetime | None
    """When its condition was found gone."""

    @property
    def is_open(self) -> bool:
        """Whether nobody resolved it and its condition lasts."""
        return self.resolved_at is None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one review did. ``open``: all that are open after it; ``unknown``: by type, why it could not be judged."""

    opened: tuple[Alert, ...]
    ended: tuple[Alert, ...]
    open: tuple[Alert, ...]
    unknown: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """An alert that is resolved. ``was_before``: it was so already, and nothing was changed."""

    alert: Alert
    was_before: bool


def review_alerts(
    database: Database, profile: StorageProfile, judgement: Judgement, *, settings: Settings, now: datetime
) -> Reviewed:
    """Open an alert for each condition that holds and has none that lasts; end those whose condition is gone.

    A value that moves around its limit has one alert: the condition is gone when it is clearly within the limit.
    Growth is between the newest sample and the newest one that is at least half a ``profile_interval`` older, so that a
    profile that is taken by hand neither hides nor makes any. To be called after the profile's own sample was taken;
    again with the same changes nothing. Of two at once one waits for the other.
    """
    now = require_utc(now)
    pair = newest_pair(database, now=now, apart=settings.profile_interval / 2)
    upkeep = _upkeep(database, settings, now)
    verdicts = judge_conditions(profile, judgement, pair, upkeep, settings=settings, now=now)
    with database.borrow() as connection, connection.transaction():
        # Who resolves by hand and retention wait as well, for as long as a few small statements take; readers do not.
        connection.execute("LOCK TABLE storage_alerts IN SHARE ROW EXCLUSIVE MODE")
        ended = _end(connection, [each for each in verdicts if each.state != "gone"], now)
        holding = [each for each in verdicts if each.state == "holds"]
        opened = [alert for verdict in holding for alert in _open(connection, verdict, now)]
        still_open = _alerts(connection, _OPEN)
    unknown = {each.alert_type: each.message for each in verdicts if each.state == "unknown"}
    return Reviewed(tuple(opened), ended, still_open, unknown)


def open_alerts(database: Database) -> tuple[Alert, ...]:
    """The alerts that nobody resolved and whose condition lasts, oldest first."""
    with database.borrow() as connection:
        return _alerts(connection, _OPEN)


def all_alerts(database: Database) -> tuple[Alert, ...]:
    """Every alert that is kept, newest first."""
    with database.borrow() as connection:
        return _alerts(connection, "SELECT * FROM storage_alerts ORDER BY created_at DESC, id DESC")


def resolve(database: Database, alert_id: int, *, now: datetime) -> Resolved:
    """Resolve an alert by hand; one that was resolved before stays as it is. Raises ``NoSuchAlert``."""
    with database.borrow() as connection:
        resolved = _alerts(
            connection,
            """
            UPDATE storage_alerts SET resolved_at = %(now)s, resolved_by = 'hand'
            WHERE id = %(id)s AND resolved_at IS NULL RETURNING *
            """,
            {"now": require_utc(now), "id": alert_id},
        )
        found = resolved or _alerts(connection, "SELECT * FROM storage_alerts WHERE id = %(id)s", {"id": alert_id})
    if not found:
        raise NoSuchAlert(f"there is no alert {alert_id}; odds-pipeline alerts --all lists those that are kept")
    return Resolved(found[0], was_before=not resolved)


def _end(connection: psycopg.Connection, lasting: Sequence[Verdict], now: datetime) -> tuple[Alert, ...]:
    """End every alert whose condition is not among those that last; one that a later review opened is left to that.

    One that was opened by a clock far ahead is ended like any other: nobody could before that clock is right.
    """
    return _alerts(
        connection,
        """
        UPDATE storage_alerts SET ended_at = %(now)s, resolved_at = coalesce(resolved_at, %(now)s),
               resolved_by = CASE WHEN resolved_at IS NULL THEN 'itself' ELSE resolved_by END
        WHERE ended_at IS NULL AND (created_at <= %(now)s OR created_at > %(latest)s)
          AND (alert_type, subject) NOT IN (SELECT * FROM unnest(%(types)s::text[], %(subjects)s::text[]))
        RETURNING *
        """,
        {
            "now": now,
            "latest": now + _LATE,
            "types": [each.alert_type for each in lasting],
            "subjects": [each.subject for each in lasting],
        },
    )


def _open(connection: psycopg.Connection, verdict: Verdict, now: datetime) -> tuple[Alert, ...]:
    """Open an alert, unless one lasts, or a later review has found the condition gone."""
    return _alerts(
        connection,
        """
        INSERT INTO storage_alerts
            (created_at, alert_type, subject, message, current_bytes, previous_bytes, growth_percent)
        SELECT %(now)s, %(alert_type)s, %(subject)s, %(message)s, %(current_bytes)s, %(previous_bytes)s,
               %(growth_percent)s
        WHERE NOT EXISTS (
            SELECT FROM storage_alerts WHERE (alert_type, subject) = (%(alert_type)s, %(subject)s)
               AND (ended_at IS NULL OR (ended_at > %(now)s AND ended_at <= %(latest)s))
        )
        RETURNING *
        """,
        asdict(verdict) | {"now": now, "latest": now + _LATE},
    )


def _upkeep(database: Database, settings: Settings, now: datetime) -> Upkeep:
    today = now.date()
    # The day that has just become the last one ahead is made within minutes.
    last_day = (now - settings.midnight_grace).date() + timedelta(days=settings.partition_days_ahead)
    with database.borrow() as connection:
        row = connection.execute(
            """
            SELECT (SELECT min(coalesce(started_at, created_at)) FROM scrape_runs),
                   (SELECT min(sampled_at) FROM storage_samples WHERE odds_bytes IS NOT NULL), retained.at,
                   (
                       SELECT error_message FROM cleanup_runs
                       WHERE status = 'failed' AND started_at > coalesce(retained.at, '-infinity')
                       ORDER BY started_at DESC, id DESC LIMIT 1
                   )
            FROM (
                SELECT max(coalesce(completed_at, started_at)) AS at FROM cleanup_runs
                WHERE status = 'completed' AND coalesce(completed_at, started_at) <= %(latest)s
            ) AS retained
            """,
            {"latest": now + _LATE},
        ).fetchone()
        assert row is not None
        return Upkeep(*row, missing_days=missing_days(connection, today, last_day))


def _alerts(
    connection: psycopg.Connection, query: LiteralString, parameters: Mapping[str, Any] | None = None
) -> tuple[Alert, ...]:
    with connection.cursor(row_factory=class_row(Alert)) as cursor:
        return tuple(cursor.execute(query, parameters).fetchall())
