"""What the pages of the Dagster UI ask for, through the same GraphQL, before and after a pruning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceRequestContext
from dagster_graphql.test.utils import execute_dagster_graphql

from odds_pipeline.database.engine import Database
from odds_pipeline_tests.pruning import small_world
from odds_pipeline_tests.pruning.small_world import let_days_pass, run_small
from odds_pipeline_tests.pruning.standing import pruned

ASSETS = """
query Assets($now: String) {
  assetNodes {
    assetKey { path }
    partitionStats { numMaterialized numFailed numMaterializing numPartitions }
    assetPartitionStatuses {
      ... on DefaultPartitionStatuses {
        materializedPartitions failedPartitions unmaterializedPartitions materializingPartitions
      }
    }
    latestMaterializationByPartition(partitions: ["2026-01-01", "2026-01-02", "2026-01-03"]) {
      runId timestamp partition metadataEntries { label } stepStats { stepKey }
      runOrError { __typename ... on Run { runId status } }
    }
    latestRunForPartition(partition: "2026-01-02") { runId status }
    assetMaterializations(limit: 1, beforeTimestampMillis: $now) {
      runId timestamp partition stepStats { stepKey } metadataEntries { label ... on IntMetadataEntry { intValue } }
      runOrError { __typename ... on Run { runId status startTime endTime } }
    }
    assetObservations(limit: 1) { runId runOrError { __typename } }
    staleStatus
    freshnessInfo { __typename }
    assetChecksOrError {
      __typename
      ... on AssetChecks {
        checks {
          name
          executionForLatestMaterialization {
            id runId status
            evaluation { success targetMaterialization { storageId } metadataEntries { label } }
          }
        }
      }
    }
  }
}
"""

LATEST = """
query Latest {
  assetsLatestInfo(assetKeys: [{path: ["small", "counted"]}, {path: ["small", "watched"]}]) {
    assetKey { path } latestMaterialization { runId timestamp } latestRun { id status } inProgressRunIds unstartedRunIds
  }
}
"""

RUN = """
query Run($run: ID!) {
  runOrError(runId: $run) {
    __typename
    ... on Run {
      status startTime endTime jobName pipelineSnapshotId tags { key value } runConfigYaml
      assets { key { path } } assetSelection { path } assetChecks { name }
      executionPlan { steps { key } }
      stepStats { stepKey status startTime endTime }
      stats { __typename ... on RunStatsSnapshot { startTime endTime stepsSucceeded stepsFailed materializations } }
      eventConnection { events { __typename } }
      rootConcurrencyKeys hasReExecutePermission canTerminate
    }
  }
  runGroupOrError(runId: $run) { __typename }
}
"""

OVER_TIME = """
query OverTime($after: String) {
  assetOrError(assetKey: {path: ["small", "watched"]}) {
    ... on Asset {
      assetMaterializations(afterTimestampMillis: $after) {
        timestamp metadataEntries { label ... on IntMetadataEntry { intValue } }
      }
      assetObservations { timestamp metadataEntries { label ... on IntMetadataEntry { intValue } } }
    }
  }
  assetCheckExecutions(assetKey: {path: ["small", "watched"]}, checkName: "is_fresh", limit: 100) {
    id status timestamp runId evaluation { metadataEntries { label ... on IntMetadataEntry { intValue } } }
  }
}
"""

LISTS = """
query Lists {
  runsOrError { ... on Runs { results { runId status jobName startTime endTime } } }
  failed: runsOrError(filter: {statuses: [FAILURE]}) { ... on Runs { results { runId } } }
  partitionBackfillsOrError { __typename ... on PartitionBackfills { results { id status } } }
}
"""


@pytest.fixture
def pages(dagster_instance: dg.DagsterInstance) -> Iterator[WorkspaceRequestContext]:
    """What answers GraphQL, with the small world as its code location."""
    origin = LoadableTargetOrigin(module_name=small_world.__name__)
    with in_process_test_workspace(dagster_instance, origin) as workspace:
        yield workspace


def asked(pages: WorkspaceRequestContext, query: str, **variables: Any) -> dict[str, Any]:
    """The answer; an error in any field fails."""
    # As each visit of a page: nothing is remembered from the one before.
    result = execute_dagster_graphql(pages.process_context.create_request_context(), query, variables)
    assert not result.errors, result.errors
    assert result.data is not None
    return dict(result.data)


def test_pages_of_assets_partitions_and_checks_show_the_same(
    pages: WorkspaceRequestContext, dagster_instance: dg.DagsterInstance, stored: Database
):
    for day, fails in ((0, False), (1, False), (1, True), (2, False)):
        run_small(dagster_instance, day, day, fails=fails)
        run_small(dagster_instance, day, day)
        let_days_pass(stored, 2)
    run_small(dagster_instance, 3, 1, fails=True)
    let_days_pass(stored, 6)
    before = [asked(pages, query) for query in (ASSETS, LATEST)]
    (counted, _) = sorted(before[0]["assetNodes"], key=lambda node: node["assetKey"]["path"])
    assert counted["partitionStats"]["numMaterialized"] == 3
    done = pruned(dagster_instance, stored)
    assert done.rows_of("event_logs")
    assert done.rows_of("asset_check_executions")
    assert done.rows_of("runs")
    assert [asked(pages, query) for query in (ASSETS, LATEST)] == before
    # Partition status is remembered; without its memory it comes out the same.
    for key in (small_world.COUNTED, small_world.WATCHED):
        dagster_instance.event_log_storage.wipe_asset_cached_status(key)
    assert [asked(pages, query) for query in (ASSETS, LATEST)] == before


def test_the_page_of_a_run_without_its_log_still_tells_how_it_went(
    pages: WorkspaceRequestContext, dagster_instance: dg.DagsterInstance, stored: Database
):
    run_id = run_small(dagster_instance, 1).run_id
    let_days_pass(stored, 3)
    before = asked(pages, RUN, run=run_id)
    assert before["runOrError"]["stats"]["stepsSucceeded"] == 2
    pruned(dagster_instance, stored)
    after = asked(pages, RUN, run=run_id)
    for answer in (before, after):
        events = answer["runOrError"].pop("eventConnection")["events"]
    assert {event["__typename"] for event in events} == {
        *("RunStartEvent", "ExecutionStepStartEvent", "MaterializationEvent", "ObservationEvent"),
        *("ExecutionStepSuccessEvent", "RunSuccessEvent", "AssetMaterializationPlannedEvent"),
    }
    assert after == before


def test_the_page_of_a_run_that_is_gone_says_so(
    pages: WorkspaceRequestContext, dagster_instance: dg.DagsterInstance, stored: Database
):
    """A link to it from somewhere else, as in scrape_runs, finds a page that says what happened."""
    run_id = run_small(dagster_instance, 1).run_id
    let_days_pass(stored, 10)
    run_small(dagster_instance, 2)
    pruned(dagster_instance, stored)
    assert asked(pages, RUN, run=run_id)["runOrError"]["__typename"] == "RunNotFoundError"


def test_graphs_and_lists_show_the_last_days_as_they_did(
    pages: WorkspaceRequestContext, dagster_instance: dg.DagsterInstance, stored: Database
):
    for number in range(6):
        run_small(dagster_instance, number, fails=number == 1)
        let_days_pass(stored, 1.5)
    before, listed = asked(pages, OVER_TIME), asked(pages, LISTS)
    pruned(dagster_instance, stored)
    after, still = asked(pages, OVER_TIME), asked(pages, LISTS)
    assert [each["metadataEntries"][0]["intValue"] for each in after["assetOrError"]["assetObservations"]] == [5, 4, 3]
    for name in ("assetMaterializations", "assetObservations"):
        assert after["assetOrError"][name] == before["assetOrError"][name][:3]
    gone = {run["runId"] for run in listed["runsOrError"]["results"]} - {
        run["runId"] for run in still["runsOrError"]["results"]
    }
    # The one that failed is whole for longer, and its check, which never came to be, with it.
    assert len(gone) == 2
    assert still["failed"] == listed["failed"]
    assert after["assetCheckExecutions"] == [one for one in before["assetCheckExecutions"] if one["runId"] not in gone]
    assert [one["status"] for one in after["assetCheckExecutions"]][3:] == ["EXECUTION_FAILED"]
    for run in listed["runsOrError"]["results"]:
        assert (run in still["runsOrError"]["results"]) is (run["runId"] not in gone)
