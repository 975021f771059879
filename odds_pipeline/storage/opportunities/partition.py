"""The family partition: tables that grow with time, and whose old rows can only be deleted, not dropped.

Partitions save nothing at once. What they would have saved is the room that deleting left empty: without any, there is
no opportunity, only a way to do retention better.
"""

from __future__ import annotations

from collections.abc import Iterator

from odds_pipeline.storage.measured import DatabaseProfile, Table
from odds_pipeline.storage.opportunities.advice import Advice, advise, called
from odds_pipeline.storage.opportunities.afterwards import compact, with_table
from odds_pipeline.storage.opportunities.eliminate import LEAST_BLOAT, empty_share
from odds_pipeline.storage.opportunities.shapes import is_dagsters, is_history
from odds_pipeline.storage.words import in_bytes, in_percent

LARGE = 1_000_000_000
"""Bytes from which on a table is worth partitions."""


def is_deleted_from(profile: DatabaseProfile, table: Table) -> bool:
    """Whether retention can only delete: no partition of the table is bounded by time."""
    if not is_history(table) or table.ages is None or "." in table.ages.said_by:
        return False
    bounded = [
        part for part in profile.partitions_of(table) if part.partition_bound not in (None, "DEFAULT") and part.rows
    ]
    return not bounded


def by_day(profile: DatabaseProfile) -> Iterator[Advice]:
    """Large histories that are deleted from, and show it. Saving: the bloat, which partitions would not have."""
    if is_dagsters(profile):
        return
    for table in profile.own_tables:
        share = empty_share(table)
        if table.total_bytes < LARGE or not is_deleted_from(profile, table) or share < LEAST_BLOAT:
            continue
        in_default = "all rows are in the DEFAULT partition" if table.kind == "partitioned" else "it has no partitions"
        yield advise(
            profile,
            with_table(profile, table, compact),
            kind="partitions",
            family="partition",
            subject=called(profile, table),
            title=f"Partition {table.name} by day",
            tables=(table,),
            evidence=f"Its rows age ({table.ages.said_by if table.ages else ''}), but {in_default}: they can only be "
            f"deleted, which left {in_bytes(table.bloat_bytes)} ({in_percent(share)}) empty.",
            effort="high",
            risk="medium",
            risk_reason="the table is made anew and its rows are copied; every unique key must contain the time",
            statement=f"Make {table.name} anew as PARTITION BY RANGE on its time with one partition a day and no "
            "DEFAULT, copy the rows that are kept, and end a day by DROP TABLE of its partition.",
            is_sql=False,
            basis="statistics",
        )
