"""Judgements made by hand, for tests of what is written down and not of what is judged."""

from __future__ import annotations

from dataclasses import replace

from odds_pipeline.storage.judged import (
    AgainstSnapshots,
    Driver,
    Judgement,
    Opportunity,
    Phase,
    Plan,
    Projection,
    Step,
    StrategyJudgement,
)

GB = 10**9

DROP = Opportunity(
    id="eliminate:odds_snapshots.raw_response",
    family="eliminate",
    title="Drop odds_snapshots.raw_response",
    database="pawarisk",
    tables=("odds_snapshots",),
    evidence="23.0 GB of 24.0 GB are raw answers that nothing in the database reads.",
    saving_bytes=23 * GB,
    saving_share=23 / 63,
    basis="sampled",
    effort="low",
    risk="low",
    risk_reason="no view and no function reads it",
    loses="the answers as they came",
    statement="ALTER TABLE odds_snapshots DROP COLUMN raw_response;\nVACUUM FULL odds_snapshots;\n",
    is_sql=True,
)
CHUNKS = replace(
    DROP,
    id="partition:hypertables",
    family="partition",
    title="TimescaleDB hypertables",
    saving_bytes=None,
    saving_share=None,
    basis="not measured here",
    loses=None,
    statement="shared_preload_libraries = 'timescaledb'",
    is_sql=False,
)
TIMESCALE = StrategyJudgement(
    name="TimescaleDB hypertables",
    benefit="chunks are compressed",
    risk="medium",
    risk_reason="another server",
    effort="high",
    verdict="not available here",
    reason="the server does not offer the extension",
    saving_bytes=None,
    basis="not measured here",
)
PLAN = Plan(
    phases=(
        Phase("schema", (Step(DROP, 23 * GB, 40 * GB),), ("tell who reads raw answers",), 23 * GB, 23 * GB, "low"),
        Phase("monitoring", (), ("watch the alert size_limit",), 0, 23 * GB, "low"),
    ),
    before_bytes=63 * GB,
    after_bytes=40 * GB,
    target_bytes=10 * GB,
    disk_bytes=75 * GB,
)
AGAINST = AgainstSnapshots(
    rows_a_day=366_000,
    snapshot_rows_a_day=7_200_000,
    bytes_a_day=38e6,
    snapshot_bytes_a_day=1.872e9,
    snapshot_row_bytes=260,
    snapshot_row_from="a row of the earlier system's market_odds",
    first_sightings_a_day=6_000,
)
FULL = Judgement(
    drivers=(
        Driver("pawarisk", "odds_snapshots.raw_response", 23 * GB, 23 / 63),
        Driver("pawarisk", "market_odds", 22 * GB, 22 / 63),
        Driver("pawarisk", "competitor_odds_snapshots.raw_response", 10 * GB, 10 / 63),
        Driver("pawarisk", "competitor_market_odds", 6 * GB, 6 / 63),
    ),
    opportunities=(DROP, CHUNKS),
    strategies=(TIMESCALE,),
    plan=PLAN,
    projection=Projection(3.3, 0.0, 3.6e9, {14: 59 * GB, 30: 100 * GB, 90: 300 * GB}, AGAINST),
)
"""Something of everything."""

NOTHING = Judgement(
    drivers=(),
    opportunities=(),
    strategies=(),
    plan=Plan((), 0, 0, 10 * GB, 75 * GB),
    projection=Projection(None, None, None, None, None),
)
"""What is left to say of nothing."""
