"""What could be done, the best saving for its effort first; not what is too little, or not ours to change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from odds_pipeline.storage.judged import Opportunity
from odds_pipeline.storage.measured import (
    Column,
    ColumnReaders,
    DatabaseProfile,
    Index,
    Kept,
    StorageProfile,
    Table,
)
from odds_pipeline.storage.opportunities import indexes, retain
from odds_pipeline.storage.ranking import opportunities, worth
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import GB, MB, NOW, ages, index, table


def test_the_earlier_system_has_raw_responses_first():
    found = opportunities(first_generation())
    assert found[0].id == "eliminate:odds_snapshots.raw_response"
    assert found[0].saving_bytes == pytest.approx(23 * GB, rel=0.01)
    assert found[0].saving_share == pytest.approx(23 / 63, rel=0.01)
    assert "46.1 kB a value" in found[0].evidence


def test_the_earlier_system_is_advised_in_every_family_that_has_something_to_say():
    assert {each.family for each in opportunities(first_generation())} == {"eliminate", "retain", "normalize"}


def test_opportunities_are_ranked_by_saving_for_effort_and_risk():
    worths = [worth(each) for each in opportunities(first_generation())]
    assert worths == sorted(worths, reverse=True)


def test_little_work_for_the_same_saving_comes_first_and_what_loses_answers_later():
    easy = next(each for each in opportunities(first_generation()) if each.family == "eliminate")
    assert worth(easy) > worth(replace(easy, effort="high"))
    assert worth(easy) > worth(replace(easy, risk="high"))
    assert worth(easy) > worth(replace(easy, family="retain"))


@pytest.mark.parametrize("profile", [ours(), empty()], ids=["ours", "empty"])
def test_a_healthy_database_has_no_opportunity(profile: StorageProfile):
    assert opportunities(profile) == ()


def test_what_saves_less_than_a_hundredth_and_ten_megabytes_is_not_listed():
    assert _ids(_with(_duplicate(size=11 * MB), of=2 * GB)) == ["eliminate:bets.ix_bets_a"]
    assert _ids(_with(_duplicate(size=9 * MB), of=2 * GB)) == []
    assert _ids(_with(_duplicate(size=9 * MB), of=GB // 2)) == ["eliminate:bets.ix_bets_a"]
    assert _ids(_with(_duplicate(size=MB // 2), of=20 * MB)) == []


def test_an_index_is_unused_only_when_the_server_has_counted_long_enough():
    bets = table("bets", 10, GB, (index("bets", "a", size=50 * MB, scans=0), index("bets", "b", size=MB)))
    assert _ids(_with(bets, of=2 * GB, counted=timedelta(days=8))) == ["eliminate:bets.ix_bets_a"]
    assert _ids(_with(bets, of=2 * GB, counted=timedelta(days=6))) == []
    assert _ids(_with(bets, of=2 * GB, counted=None)) == []


def test_unused_indexes_of_constraints_of_unique_ones_of_replicas_and_of_dagster_stay():
    used, plain = index("bets", "b", size=MB), index("bets", "a", size=50 * MB, scans=0)
    key = table("bets", 10, GB, (index("bets", "a", size=50 * MB, constraint=True, scans=0), used))
    unique = table("bets", 10, GB, (replace(plain, is_unique=True), used))
    unused = table("bets", 10, GB, (plain, used))
    counted = timedelta(days=30)
    assert _ids(_with(key, of=2 * GB, counted=counted)) == []
    assert _ids(_with(unique, of=2 * GB, counted=counted)) == []
    assert _ids(_with(unused, of=2 * GB, counted=counted, is_replica=True)) == []
    assert _ids(_with(unused, of=2 * GB, counted=counted, name="dagster")) == []


@pytest.mark.parametrize(
    ("mine", "other", "is_redundant"),
    [
        ("(a)", "(a, b)", True),
        ("(a)", "(a DESC, b)", False),
        ("(a)", "(ab)", False),
        ("(b)", "(a, b)", False),
        ("(a) WHERE (a > 1)", "(a, b)", False),
        ("(a)", "(a, b) WHERE (a > 1)", False),
        ("(a)", "(a) INCLUDE (b)", False),
        ("(a)", "(a)", True),
    ],
)
def test_an_index_is_redundant_when_a_plain_one_begins_with_its_keys(mine: str, other: str, is_redundant: bool):
    bets = table("bets", 10, GB, (_index("one", mine), _index("another", other)))
    assert ("eliminate:bets.one" in _ids(_with(bets, of=2 * GB))) == is_redundant


def test_of_two_equal_indexes_one_stays():
    bets = table("bets", 10, GB, (_index("one", "(a)"), _index("another", "(a)")))
    assert _ids(_with(bets, of=2 * GB)) == ["eliminate:bets.one"]


def test_an_index_that_does_the_work_of_a_redundant_one_is_not_called_unused():
    equal = tuple(replace(_index(each, "(a)"), scans=0) for each in ("one", "another"))
    database = _with(table("bets", 10, GB, equal), of=2 * GB, counted=timedelta(days=8))
    assert _ids(database) == ["eliminate:bets.one"]
    left = next(indexes.useless_indexes(database, NOW)).afterwards
    assert list(indexes.useless_indexes(left, NOW)) == []


def test_room_is_given_back_when_much_is_empty_but_what_updates_work_in_is_left():
    assert _ids(_with(replace(table("bets", 10, GB), bloat_bytes=GB // 3), of=2 * GB)) == ["eliminate:bets.bloat"]
    assert _ids(_with(replace(table("bets", 10, GB), bloat_bytes=GB // 4), of=2 * GB)) == []
    assert _ids(_with(replace(table("bets", 10, 9 * MB), bloat_bytes=6 * MB), of=20 * MB)) == []


def test_tables_of_one_name_in_two_schemas_are_told_apart():
    bets = replace(table("bets", 10, GB), bloat_bytes=GB // 2)
    both = replace(_with(bets, of=4 * GB), tables=(bets, replace(bets, schema="old")))
    assert _ids(both) == ["eliminate:old.bets.bloat", "eliminate:public.bets.bloat"]


def test_histories_of_one_name_in_two_schemas_age_both():
    times = (Column("captured_at", "timestamp with time zone", MB, 0.0), Column("event_id", "bigint", MB, 0.0))
    bets = replace(table("bets", 1000, GB, aged=ages("captured_at", 1000, days=60)), columns=times)
    (week, *_) = retain.old_rows(_of(bets, replace(bets, schema="other")), NOW)
    assert week.opportunity.saving_bytes == pytest.approx(GB, rel=0.01)
    assert "500 of public.bets" in week.opportunity.evidence
    assert "500 of other.bets" in week.opportunity.evidence


def test_rows_whose_age_no_statement_can_ask_for_are_not_advised_to_be_deleted():
    times = (
        *(Column(name, "bigint", MB, 0.0) for name in ("id", "event_id")),
        Column("captured_at", "timestamp with time zone", MB, 0.0),
    )
    answers = replace(table("answers", 10, GB, aged=ages("captured_at", 10, days=60)), columns=times)
    said = replace(
        table("said", 10, GB, aged=ages("answers.captured_at", 10, days=60)), columns=(Column("of", "bigint", MB, 0.0),)
    )
    found = list(retain.old_rows(_of(answers, said), NOW))
    assert {advice.opportunity.tables for advice in found} == {("answers",)}


def test_who_reads_a_raw_column_is_told_and_makes_it_risky():
    nobody = ColumnReaders("raw", (), (), (), statements=None, source=None)
    assert _raw(nobody).risk == "low"
    assert "statements cannot be known" in _raw(nobody).evidence.lower()
    assert "was not looked for" in _raw(None).evidence
    assert _raw(replace(nobody, source=("models.py:12",))).risk == "medium"
    assert "models.py:12" in _raw(replace(nobody, source=("models.py:12",))).evidence
    assert _raw(replace(nobody, views=("answers",))).risk == "high"
    assert "views: answers" in _raw(replace(nobody, views=("answers",))).evidence


def test_small_json_is_not_taken_for_raw_answers():
    rows = 100_000
    bets = replace(
        table("bets", rows, GB), columns=(Column("settings", "jsonb", 400 * rows, 0.0, raw_bytes=400 * rows),)
    )
    assert _ids(_with(bets, of=2 * GB)) == []


def test_long_values_that_are_read_could_be_compressed_by_lz4_but_nobody_knows_to_how_much():
    notes = replace(
        table("notes", 100_000, GB), columns=(Column("text", "text", GB // 2, 0.0, raw_bytes=GB, distinct_share=1.0),)
    )
    (found,) = opportunities(_profile(_with(notes, of=2 * GB, can_lz4=True)))
    assert (found.id, found.saving_bytes, found.basis) == ("compress:notes.text", None, "not measured here")
    assert _ids(_with(notes, of=2 * GB, can_lz4=False)) == []


def test_rows_beyond_the_policy_are_what_retention_has_left():
    profile = ours()
    late = Kept("odds_history", 14, "ODDS_RETENTION_DAYS", NOW - timedelta(days=20), 150 * MB)
    (found,) = opportunities(replace(profile, policies=(late,)))
    assert (found.id, found.saving_bytes) == ("retain:odds_history.policy", pytest.approx(150 * MB, rel=0.01))
    assert not found.is_sql


def test_rows_newer_than_the_moment_asked_for_are_not_old():
    rows, aged = 1_000_000, ages("captured_at", 1_000_000, days=19)
    seen = replace(aged, rows_within={7: 200_000, 14: 400_000, 30: 600_000}, rows_ahead=400_000)
    columns = (Column("captured_at", "timestamp with time zone", 8 * rows, 0.0), Column("event_id", "bigint", MB, 0.0))
    bets = replace(table("bets", rows, GB, aged=seen), columns=columns)
    found = opportunities(_profile(_with(bets, of=2 * GB)))
    assert {each.id: each.saving_bytes for each in found} == {
        "retain:14 days": pytest.approx(0.2 * GB, rel=0.01),
        "retain:7 days": pytest.approx(0.4 * GB, rel=0.01),
    }


def test_deleting_from_a_large_history_leaves_room_that_partitions_would_not():
    history = next(each for each in first_generation().databases[0].tables if each.name == "odds_snapshots")
    bloated = replace(history, columns=(), bloat_bytes=8 * GB)
    found = {each.id for each in opportunities(_profile(_with(bloated, of=30 * GB)))}
    assert {"partition:odds_snapshots", "eliminate:odds_snapshots.bloat"} <= found


def _raw(readers: ColumnReaders | None) -> Opportunity:
    bets = replace(
        table("bets", 1_000, 10 * MB),
        toast_bytes=GB,
        columns=(Column("raw", "jsonb", GB, 0.0, raw_bytes=3 * GB, readers=readers),),
    )
    (found,) = opportunities(_profile(_with(bets, of=2 * GB)))
    return found


def _duplicate(size: int) -> Table:
    return table("bets", 10, MB, (index("bets", "a", size=size), index("bets", "a", "b", size=size)))


def _index(name: str, definition: str) -> Index:
    return Index(name, 50 * MB, f"CREATE INDEX {name} ON public.bets USING btree {definition}", ("a",), False, False)


def _with(
    found: Table,
    *,
    of: int,
    counted: timedelta | None = None,
    is_replica: bool = False,
    name: str = "other",
    can_lz4: bool = False,
) -> DatabaseProfile:
    since = None if counted is None else NOW - counted
    return DatabaseProfile(name, "18.4", is_replica, of, (found,), scans_since=since, can_lz4=can_lz4)


def _profile(database: DatabaseProfile) -> StorageProfile:
    return StorageProfile(NOW, (database,))


def _ids(database: DatabaseProfile) -> list[str]:
    return [each.id for each in opportunities(_profile(database))]


def _of(*tables: Table) -> DatabaseProfile:
    return DatabaseProfile("x", "18.4", is_replica=False, total_bytes=len(tables) * 2 * GB, tables=tables)
