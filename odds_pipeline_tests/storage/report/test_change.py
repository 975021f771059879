"""What the report says of growth and of change: the reason where something is not known."""

from __future__ import annotations

from dataclasses import replace

from odds_pipeline.settings import Settings
from odds_pipeline.storage.measured import Repeats, StorageProfile
from odds_pipeline.storage.projection import projection
from odds_pipeline.storage.report.change import change_section, growth_sentence
from odds_pipeline.storage.text import text
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours


def changed(profile: StorageProfile) -> str:
    return " ".join(text([change_section(profile, projection(profile, Settings()))], width=300).split())


def test_why_there_is_no_comparison_with_snapshots_is_told():
    young = replace(ours(), turnover=None)
    assert "Not compared with storing whole snapshots: it is told by the cycles' own numbers, once" in changed(young)
    assert "Not compared with storing whole snapshots: it is told by the numbers of cycles" in changed(
        first_generation()
    )
    turnover = ours().turnover
    assert turnover is not None
    idle = replace(ours(), turnover=replace(turnover, observations=0))
    assert "Not compared with storing whole snapshots: no cycle saw a market." in changed(idle)


def test_why_growth_per_event_is_not_known_is_told():
    assert "Growth per event and day not known, because growth is not" in changed(replace(ours(), growth=None))
    assert "Growth per event and day not known: nothing tells how many events" in changed(first_generation())


def test_few_rows_with_one_before_them_are_no_evidence_of_repeats():
    odds = ours().databases[0]
    young = replace(odds, repeats=(Repeats("odds_history", 6, 0, 0, 0, firsts=58),))
    told = changed(replace(ours(), databases=(young,)))
    assert "0 of 6, too few to tell: 58 of the changes looked at have none before them" in told
    assert "0 of 5,000: " in changed(ours())


def test_what_growth_takes_is_told():
    assert empty().growth is None
    assert "two samples an hour apart, or rows that say when they came" in growth_sentence(None)
