"""What lies ahead: days until the disk is full, what other lengths of retention take, and what snapshots would take."""

from __future__ import annotations

from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import AgainstSnapshots, Projection
from odds_pipeline.storage.measured import Ages, StorageProfile, Table, Turnover
from odds_pipeline.storage.opportunities.shapes import is_history

GB = 1_000_000_000
RETENTIONS = (14, 30, 90)
SNAPSHOT_ROW = 260.0
SNAPSHOT_ROW_FROM = (
    "what a market's row took in the earlier system, which stored whole snapshots: 22 GB for 85,408,740 rows, indexes "
    "included and raw answers not"
)
_HISTORY = "odds_history"


def projection(profile: StorageProfile, settings: Settings) -> Projection:
    """Everything at the growth measured; without growth, nothing is ever full, and no days are told."""
    growth = profile.growth.bytes_a_day if profile.growth else None
    return Projection(
        days_until_full=_days_until(settings.disk_gb * GB, profile.total_bytes, growth),
        days_until_target=_days_until(settings.storage_target_gb * GB, profile.total_bytes, growth),
        bytes_a_day=growth,
        retention_bytes=_retention_bytes(profile),
        against_snapshots=_against_snapshots(profile, profile.turnover) if profile.turnover else None,
    )


def _days_until(limit: float, total: int, growth: float | None) -> float | None:
    """(limit - everything) / growth a day; 0 once it is reached."""
    if total >= limit:
        return 0.0
    return (limit - total) / growth if growth is not None and growth > 0 else None


def _retention_bytes(profile: StorageProfile) -> dict[int, int] | None:
    """Everything but histories as it is, and of each history its bytes a day x days.

    Bytes a day: rows of the last whole days, at most 7, on the average x the table's bytes a row. A history without
    any row in them counts as it is; if it is the largest of all, nothing is known.
    """
    histories = [
        (table, _rows_a_day(table.ages) * (table.bytes_per_row or 0.0))
        for database in profile.databases
        for table in database.whole_tables
        if is_history(table) and table.ages
    ]
    _, largest_a_day = max(histories, key=lambda each: each[0].total_bytes, default=(None, 0.0))
    if not largest_a_day:
        return None
    growing = [(table, a_day) for table, a_day in histories if a_day]
    as_it_is = profile.total_bytes - sum(table.total_bytes for table, _ in growing)
    a_day = sum(a_day for _, a_day in growing)
    return {days: round(as_it_is + days * a_day) for days in RETENTIONS}


def _rows_a_day(ages: Ages) -> float:
    """A table younger than a week has rows on fewer days; the one of its first row is not known to be whole."""
    days = [day for day in ages.rows_by_day if day > ages.oldest.date()]
    return sum(ages.rows_by_day[day] for day in days) / len(days) if days else 0.0


def _against_snapshots(profile: StorageProfile, turnover: Turnover) -> AgainstSnapshots | None:
    """Rows by the cycles' own numbers, a day; ours are changes, and bytes are x what a change takes by measure."""
    if turnover.days <= 0 or not turnover.observations:
        return None
    history: Table | None = next(
        (table for database in profile.databases if (table := database.table(_HISTORY)) is not None), None
    )
    row_bytes = (history.bytes_per_change if history else None) or 0.0
    rows, snapshot_rows = turnover.history_rows / turnover.days, turnover.observations / turnover.days
    return AgainstSnapshots(
        rows_a_day=rows,
        snapshot_rows_a_day=snapshot_rows,
        bytes_a_day=rows * row_bytes,
        snapshot_bytes_a_day=snapshot_rows * SNAPSHOT_ROW,
        snapshot_row_bytes=SNAPSHOT_ROW,
        snapshot_row_from=SNAPSHOT_ROW_FROM,
        first_sightings_a_day=turnover.first_sightings / turnover.days,
    )
