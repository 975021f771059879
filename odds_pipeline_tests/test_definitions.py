"""The definitions as Dagster loads them: lineage, what each asset says about itself, and what starts it."""

import dagster as dg
import pytest

from odds_pipeline.definitions import build_definitions
from odds_pipeline.metadata import (
    CHANGES,
    COVERAGE,
    CURRENT,
    DAGSTER_PRUNING,
    HISTORY,
    LEGACY_HISTORY,
    MARGINS,
    RETENTION,
    STORAGE_PROFILE,
    TIME_TO_KICKOFF,
    UNMAPPED,
    observations_key,
)

SCRAPES = [observations_key(slug) for slug in ("betpawa", "sportybet", "bet9ja")]
ASSETS = [
    *SCRAPES,
    *(CHANGES, CURRENT, HISTORY, RETENTION),
    *(UNMAPPED, COVERAGE, MARGINS, TIME_TO_KICKOFF),
    LEGACY_HISTORY,
    STORAGE_PROFILE,
    DAGSTER_PRUNING,
]
BY_DAY = [HISTORY, MARGINS, TIME_TO_KICKOFF, LEGACY_HISTORY]
defs = build_definitions()


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return defs.get_repository_def()


def spec(key: dg.AssetKey) -> dg.AssetSpec:
    return next(spec for spec in defs.resolve_all_asset_specs() if spec.key == key)


def test_the_definitions_are_valid():
    dg.Definitions.validate_loadable(build_definitions())


def test_the_lineage_is_the_one_required():
    """C2: scrapes, then changes, then current and history; what later parts add hangs below."""
    parents = {spec.key: {dep.asset_key for dep in spec.deps} for spec in defs.resolve_all_asset_specs()}
    assert parents == {
        **{key: set() for key in SCRAPES},
        CHANGES: set(SCRAPES),
        CURRENT: {CHANGES},
        HISTORY: {CHANGES},
        RETENTION: {HISTORY},
        UNMAPPED: {CURRENT},
        COVERAGE: {CURRENT},
        MARGINS: {HISTORY},
        TIME_TO_KICKOFF: {HISTORY},
        LEGACY_HISTORY: set(),
        STORAGE_PROFILE: {HISTORY, CURRENT, RETENTION},
        DAGSTER_PRUNING: set(),
    }


def test_history_and_what_is_told_of_its_days_are_partitioned_by_utc_day():
    assert {key for key in ASSETS if spec(key).partitions_def is not None} == set(BY_DAY)
    assert spec(MARGINS).partitions_def == spec(TIME_TO_KICKOFF).partitions_def == spec(HISTORY).partitions_def


@pytest.mark.parametrize("key", BY_DAY, ids=lambda key: key.to_user_string())
def test_a_range_of_days_up_to_today_is_one_run(key: dg.AssetKey):
    days = spec(key).partitions_def
    assert isinstance(days, dg.DailyPartitionsDefinition)
    assert (days.timezone, days.end_offset) == ("UTC", 1)
    (node,) = [asset for asset in defs.assets or () if key in getattr(asset, "keys", ())]
    assert isinstance(node, dg.AssetsDefinition)
    assert node.backfill_policy == dg.BackfillPolicy.single_run()


@pytest.mark.parametrize("key", ASSETS, ids=lambda key: key.to_user_string())
def test_every_asset_says_what_it_is(key: dg.AssetKey):
    found = spec(key)
    assert found.group_name == {"markets": "reports"}.get(key.path[0], key.path[0])
    assert found.kinds
    assert found.owners == ["team:odds"]
    assert found.code_version
    for word in ("**Grain", "**Key" if key not in (CURRENT,) else "and key**", "**Writes**"):
        assert word in (found.description or "")
    columns = found.metadata["dagster/column_schema"]
    assert isinstance(columns, dg.TableSchema)
    assert all(column.description for column in columns.columns)


def test_scrapes_are_one_step_and_changes_current_history_are_one_step():
    """I5: reading current, the diff and the write are never apart."""
    keys_of_steps = {frozenset(asset.keys) for asset in defs.assets or () if isinstance(asset, dg.AssetsDefinition)}
    assert keys_of_steps == {
        frozenset(SCRAPES),
        frozenset({CHANGES, CURRENT, HISTORY}),
        frozenset({RETENTION}),
        frozenset({UNMAPPED, COVERAGE}),
        frozenset({MARGINS}),
        frozenset({TIME_TO_KICKOFF}),
        frozenset({LEGACY_HISTORY}),
        frozenset({STORAGE_PROFILE}),
        frozenset({DAGSTER_PRUNING}),
    }


def test_every_sensor_runs_by_default_and_no_asset_lacks_one(repository: dg.RepositoryDefinition):
    """C3: everything is started by sensors."""
    started: set[dg.AssetKey] = set()
    for sensor in repository.sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
        for target in sensor.targets:
            started |= set(repository.get_job(target.job_name).asset_layer.selected_asset_keys)
    assert started == set(ASSETS)


def test_the_sensors_are_the_ones_required(repository: dg.RepositoryDefinition):
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "cycle_due",
        "unprepared_days",
        "retention_due",
        "reports_due",
        "run_failures",
        "dead_runs",
        "legacy_import_due",
        "pruning_due",
        "refresh_requested",
        "profile_due",
    }


def test_checks_for_schema_and_uniqueness_block_and_the_others_warn(repository: dg.RepositoryDefinition):
    graph = repository.asset_graph
    blocking = {(key.asset_key, key.name) for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert blocking == {(key, name) for key in SCRAPES for name in ("schema", "unique")} | {
        (CURRENT, "schema"),
        (CURRENT, "unique"),
        (HISTORY, "schema"),
    }
    warning = {key.name for key in graph.asset_check_keys} - {"schema", "unique"}
    assert warning == {
        *("coverage", "price_bounds", "row_count", "guard_held", "refused", "staleness", "recurring_failures"),
        *("secondary_listings", "partitions_ahead", "unmapped_share", "days_kept"),
        *("alerts", "size_target", "disk_fits"),
    }


def test_the_cycle_runs_the_checks_of_what_it_writes(repository: dg.RepositoryDefinition):
    cycle = repository.get_job("odds_cycle")
    assert {node.name for node in cycle.nodes} == {"scrape", "odds", "check_odds"}


def test_steps_run_in_one_process(repository: dg.RepositoryDefinition):
    assert all(job.executor_def.name == "in_process" for job in repository.get_all_jobs())
