"""Runs of a job that Dagster holds for queued or under way."""

from collections.abc import Sequence

import dagster as dg

UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.MANAGED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def unfinished_runs(instance: dg.DagsterInstance, job_name: str) -> Sequence[dg.RunRecord]:
    """The runs of ``job_name`` that are not over, oldest first."""
    return instance.get_run_records(dg.RunsFilter(job_name=job_name, statuses=list(UNFINISHED)), ascending=True)
