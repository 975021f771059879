"""The five strategies are judged for every database: with a reason, and marked where they cannot be had or measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import StrategyJudgement
from odds_pipeline.storage.measured import Column, StorageProfile
from odds_pipeline.storage.plan import plan
from odds_pipeline.storage.strategies import COMPRESSION, HYPERTABLES, NAMES, NORMALIZATION, RAW, RETENTION, strategies
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import GB

NOTHING = replace(empty(), databases=())


@pytest.mark.parametrize(
    "profile", [first_generation(), ours(), empty(), NOTHING], ids=["first generation", "ours", "empty", "nothing"]
)
def test_the_five_are_always_judged_in_one_order_with_words_for_everything(profile: StorageProfile):
    found = _judged(profile)
    assert tuple(found) == NAMES
    assert all(each.benefit and each.reason and each.risk_reason for each in found.values())


def test_the_earlier_system_is_told_to_drop_raw_responses_alone():
    found = _judged(first_generation())
    assert [name for name, each in found.items() if each.verdict == "recommended"] == [RAW]
    assert found[RAW].saving_bytes == pytest.approx(33 * GB, rel=0.01)
    assert found[RETENTION].saving_bytes == pytest.approx(37.2 * GB, rel=0.02)
    assert found[NORMALIZATION].saving_bytes == pytest.approx(11 * GB, rel=0.05)


def test_ours_has_done_what_can_be_done():
    done = {name for name, each in _judged(ours()).items() if each.verdict == "done"}
    assert done == {RAW, RETENTION, NORMALIZATION}


def test_hypertables_are_never_measured_and_say_whether_they_could_be_had():
    profile = first_generation()
    assert (_judged(profile)[HYPERTABLES].verdict, _judged(profile)[HYPERTABLES].basis) == (
        "not available here",
        "not measured here",
    )
    offered = replace(profile.databases[0], extensions={"timescaledb": False})
    judged = _judged(replace(profile, databases=(offered,)))[HYPERTABLES]
    assert (judged.verdict, judged.saving_bytes) == ("not recommended", None)
    unknown = replace(profile.databases[0], extensions=None)
    assert "cannot be known" in _judged(replace(profile, databases=(unknown,)))[HYPERTABLES].reason


def test_compression_is_told_by_what_it_does_already():
    judged = _judged(first_generation())[COMPRESSION]
    assert "112 GB take 33.0 GB" in judged.benefit
    assert (judged.verdict, "and has done so" in judged.reason) == ("done", True)
    nothing = _judged(empty())[COMPRESSION]
    assert (nothing.verdict, "nothing here that is long enough" in nothing.reason) == ("not recommended", True)
    assert judged.saving_bytes is None


def test_what_the_plan_needs_is_recommended():
    hard = _judged(first_generation(), Settings(storage_target_gb=1))
    assert {RAW, RETENTION, NORMALIZATION} == {name for name, each in hard.items() if each.verdict == "recommended"}


def test_columns_of_raw_answers_that_are_empty_are_named_as_such():
    odds = ours().databases[0]
    tables = tuple(
        replace(each, columns=(Column("raw_response", "jsonb", 0, 0.0, raw_bytes=0),))
        if each.name == "competitor_odds_snapshots"
        else each
        for each in odds.tables
    )
    judged = _judged(replace(ours(), databases=(replace(odds, tables=tables),)))[RAW]
    assert judged.verdict == "done"
    assert "competitor_odds_snapshots.raw_response is there, but empty" in judged.reason
    assert "imports of an earlier system" in judged.reason


def _judged(profile: StorageProfile, settings: Settings | None = None) -> dict[str, StrategyJudgement]:
    return {each.name: each for each in strategies(profile, plan(profile, settings or Settings()))}
