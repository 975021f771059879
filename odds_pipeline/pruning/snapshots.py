"""Snapshots of jobs and of execution plans: they go together, when no run refers to the job any more.

A run is created in two steps: Dagster sees that a snapshot is stored already, and stores the run a moment later. What
is deleted in between is missing for ever. A foreign key guards the snapshots of jobs against that: the deletion waits
for the run, or the run is refused. Nothing guards those of plans. So a plan stays as long as its job, and goes in one
transaction with it: a run that uses such a plan uses the job as well.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from odds_pipeline.pruning.sweep import Sweep

# Snapshots carry no time. But one that is older than a snapshot which a run of an hour ago refers to is not one that is
# being stored right now for a run that does not exist yet.
_STORED = """
    SELECT snapshot_id, snapshot_type = 'PIPELINE' AS is_job, id < coalesce((
        SELECT max(used.id) FROM snapshots AS used JOIN runs AS run USING (snapshot_id)
        WHERE to_timestamp(coalesce(run.end_time, run.start_time)) < now() - interval '1 hour'
    ), 0) AS is_old
    FROM snapshots
"""

# Found as text: a body need not be JSON to PostgreSQL, as Python writes NaN and escapes of NUL into it. A configuration
# that has such a key as well only keeps a snapshot more.
_USED = """
    SELECT snapshot_id FROM runs WHERE snapshot_id IS NOT NULL
    UNION SELECT (regexp_matches(run_body, '"execution_plan_snapshot_id": *"([^"]+)"', 'g'))[1] FROM runs
"""

_BODIES = "SELECT snapshot_id, snapshot_body FROM snapshots WHERE snapshot_id = ANY(%s)"

_DELETE = """
    WITH gone AS (
        DELETE FROM snapshots WHERE snapshot_id = ANY(%(ids)s)
        RETURNING snapshot_type, pg_column_size(snapshot_body) AS bytes
    )
    SELECT 'snapshots', snapshot_type, count(*), sum(bytes) FROM gone GROUP BY snapshot_type
"""


class _Snapshot(NamedTuple):
    id: str
    is_job: bool
    is_old: bool


def prune_snapshots(sweep: Sweep) -> None:
    """Delete the jobs that no run refers to, directly or as the whole job of a selection, with their plans."""
    if not sweep.may_go_on():
        return
    with sweep.part("snapshots"), sweep.batch():
        sweep.delete(_DELETE, {"ids": _unused(sweep)})


def _unused(sweep: Sweep) -> list[str]:
    stored = [_Snapshot(*row) for row in sweep.connection.execute(_STORED)]
    used = {row[0] for row in sweep.connection.execute(_USED)}
    jobs = {each.id for each in stored if each.is_job}
    job_of = {
        plan: body["pipeline_snapshot_id"]
        for plan, body in _bodies(sweep, {each.id for each in stored if not each.is_job} - used)
    }
    # A plan that was stored just now is about to be used, and its job with it.
    used |= {job_of[each.id] for each in stored if each.id in job_of and not each.is_old}
    used |= _wholes_of(sweep, jobs & used)
    unused = {each.id for each in stored if each.is_job and each.is_old} - used
    return [*unused, *(plan for plan, job in job_of.items() if job in unused)]


def _wholes_of(sweep: Sweep, jobs: set[str]) -> set[str]:
    """The whole jobs that ``jobs`` were selected from."""
    lineages = [body.get("lineage_snapshot") for _, body in _bodies(sweep, jobs)]
    return {lineage["parent_snapshot_id"] for lineage in lineages if lineage is not None}


def _bodies(sweep: Sweep, ids: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for snapshot, body in sweep.connection.execute(_BODIES, [list(ids)]):
        yield snapshot, json.loads(zlib.decompress(body))
