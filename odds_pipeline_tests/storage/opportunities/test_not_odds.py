"""What is no answer of a bookmaker may be anybody's data: it is asked about, and no plan takes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import Opportunity
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import Column, ColumnReaders, DatabaseProfile, Repeats, StorageProfile, Table
from odds_pipeline.storage.opportunities.advice import Advice
from odds_pipeline.storage.opportunities.afterwards import without_repeats
from odds_pipeline.storage.opportunities.retain import old_rows, other_old_rows
from odds_pipeline.storage.opportunities.shapes import repeats_of
from odds_pipeline_tests.storage.hand_profiles import first_generation
from odds_pipeline_tests.storage.profile_parts import GB, MB, NOW, ages, table

ROOM = Settings()
NO_ROOM = Settings(storage_target_gb=0.1)
NOBODY = ColumnReaders("body", (), (), (), statements=(), source=())


def test_long_json_of_a_table_that_holds_no_answers_is_listed_with_its_risk_but_not_planned():
    documents = _with_columns(table("documents", 100_000, GB), _json("body"))
    judged = judge(_profile(documents), NO_ROOM)
    (found,) = (each for each in judged.opportunities if each.family == "eliminate")
    assert (found.id, found.risk) == ("eliminate:documents.body", "medium")
    assert "answers as they came" not in f"{found.title} {found.loses}"
    assert judged.plan.steps == ()


@pytest.mark.parametrize("column", ["raw", "raw_response"])
def test_what_is_called_raw_is_planned_wherever_it_stands(column: str):
    assert _planned(_with_columns(table("documents", 100_000, GB), _json(column))) == [f"eliminate:documents.{column}"]


def test_long_json_of_a_table_of_answers_is_planned():
    answers = _with_columns(table("answers", 100_000, GB), _json("body"), _number("event_id"), _time("captured_at"))
    assert _planned(answers) == ["eliminate:answers.body"]
    orders = _with_columns(table("orders", 100_000, GB), _json("body"), _number("event_id"), _time("occurred_at"))
    assert _planned(orders) == []


@pytest.mark.parametrize("time", ["recorded_at", "occurred_at", "logged_at"])
def test_a_history_of_something_else_is_listed_only_when_room_is_lacking_and_never_planned(time: str):
    payments = _with_columns(table("payments", 1000, GB, aged=ages(time, 1000, days=60)), _time(time))
    assert judge(_profile(payments), ROOM).opportunities == ()
    judged = judge(_profile(payments), NO_ROOM)
    assert {each.id for each in judged.opportunities} == {f"retain:{days} days of other rows" for days in (30, 14, 7)}
    assert not any("odds" in f"{each.title} {each.loses}" for each in judged.opportunities)
    assert {each.risk for each in judged.opportunities} == {"high"}
    assert judged.plan.steps == ()


def test_odds_are_kept_for_fourteen_days_and_the_audit_beside_them_is_left():
    audit = _with_columns(table("audit", 1000, GB, aged=ages("logged_at", 1000, days=60)), _time("logged_at"))
    profile = first_generation()
    database = replace(profile.databases[0], tables=(*profile.databases[0].tables, audit))
    planned = judge(replace(profile, databases=(database,)), ROOM).plan.steps
    assert planned[-1].opportunity.id == "retain:14 days"
    assert "audit" not in planned[-1].opportunity.tables


def test_tables_that_lose_rows_by_cascade_are_named_and_raise_the_risk():
    answers = _with_columns(
        table("answers", 1000, GB, aged=ages("captured_at", 1000, days=60)), _number("event_id"), _time("captured_at")
    )
    assert {each.risk for each in _kept(answers, 14)} == {"medium"}
    (found,) = _kept(replace(answers, cascades_to=("notes", "other.bets")), 14)
    assert found.risk == "high"
    assert "notes, other.bets" in (found.loses or "")
    assert "ON DELETE CASCADE" in found.evidence


def test_rows_that_go_with_their_answers_anyway_are_no_loss_by_cascade():
    database = first_generation().databases[0]
    tables = tuple(
        replace(each, cascades_to=("market_odds",)) if each.name == "odds_snapshots" else each
        for each in database.tables
    )
    advice = next(each for each in old_rows(replace(database, tables=tables), NOW) if "14" in each.opportunity.title)
    assert "CASCADE" not in advice.opportunity.evidence
    assert advice.opportunity.risk == "medium"


def test_what_is_sampled_of_a_table_says_nothing_of_one_of_its_name_in_another_schema():
    here, there = table("market_odds", 10, GB), replace(table("market_odds", 10, GB), schema="other")
    mine, theirs = Repeats("market_odds", 10, 9, 0, 0), Repeats("market_odds", 10, 1, 0, 0, schema="other")
    database = replace(_profile(here, there).databases[0], repeats=(mine, theirs))
    assert repeats_of(database, here) == mine
    assert repeats_of(database, there) == theirs
    left = without_repeats(database, theirs)
    assert left.repeats[0] == mine
    assert left.repeats[1].equal == 0
    assert database.table("market_odds", "other") == there


def _kept(found: Table, days: int) -> list[Opportunity]:
    return [each.opportunity for each in _aged(found) if each.opportunity.title == f"Keep {days} days"]


def _aged(found: Table) -> list[Advice]:
    database = _profile(found).databases[0]
    assert list(other_old_rows(database, NOW)) == []
    return list(old_rows(database, NOW))


def _planned(found: Table) -> list[str]:
    return [step.opportunity.id for step in judge(_profile(found), NO_ROOM).plan.steps]


def _profile(*tables: Table) -> StorageProfile:
    total = sum(each.total_bytes for each in tables)
    return StorageProfile(NOW, (DatabaseProfile("x", "18.4", is_replica=False, total_bytes=total, tables=tables),))


def _with_columns(found: Table, *columns: Column) -> Table:
    return replace(found, columns=columns)


def _json(name: str) -> Column:
    return Column(name, "jsonb", 900 * MB, 0.0, raw_bytes=900 * MB, readers=NOBODY)


def _number(name: str) -> Column:
    return Column(name, "bigint", 8000, 0.0)


def _time(name: str) -> Column:
    return Column(name, "timestamp with time zone", 8000, 0.0)
