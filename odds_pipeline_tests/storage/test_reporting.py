"""The report of a profile: everything that it must hold (R21), never blank (R25), and the same in JSON."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from odds_pipeline.storage.alerts import Alert
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.measured import ColumnReaders, DatabaseProfile, StorageProfile, Table, Wal
from odds_pipeline.storage.reporting import report, report_json, sections
from odds_pipeline_tests.storage.hand_judgements import AGAINST, FULL, NOTHING
from odds_pipeline_tests.storage.hand_profiles import empty, first_generation, ours
from odds_pipeline_tests.storage.profile_parts import NOW, table

MB = 10**6
STYLES: tuple[Literal["markdown", "text"], ...] = ("markdown", "text")
ALERT = Alert(
    id=7,
    created_at=NOW - timedelta(hours=3),
    alert_type="size_limit",
    subject="everything",
    message="Storage takes 63.0 GB, more than the limit of 50.0 GB; odds-pipeline profile says what can go",
    current_bytes=63 * 10**9,
    previous_bytes=None,
    growth_percent=None,
    resolved_at=None,
    resolved_by=None,
    ended_at=None,
)
UNKNOWN = Table("public", "untold", "table", 0, "statistics", 0, 0, 0)
"""A table of which nothing but its name is known."""


def written(profile: StorageProfile, judgement: Judgement = FULL, alerts: tuple[Alert, ...] = (ALERT,)) -> str:
    return report(profile, judgement, alerts, style="text", width=400)


def lines_with(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_the_headline_tells_size_growth_what_lies_ahead_and_alerts():
    head = written(first_generation()).split("Top drivers")[0]
    assert head.startswith("63.0 GB in all")
    assert "3.60 GB a day, by the ages of the rows" in head
    assert "the size target is exceeded already, and the disk is full in 3 days" in head
    assert "From 63.0 GB to 40.0 GB (36.5 % less): that is above the target of 10.0 GB but fits the disk" in head
    assert lines_with(head, "To do", "1. Drop odds_snapshots.raw_response. From 63.0 GB")
    assert lines_with(head, "size_limit", "more than the limit of 50.0 GB")


def test_every_table_tells_size_share_rows_and_who_counted_them():
    text = written(first_generation())
    assert lines_with(
        text, "market_odds", "by statistics", "22.0 GB", "34.9 %", "85,408,740", "258", "18.5 GB", "15.7 %"
    )
    assert lines_with(text, "odds_snapshots ", "24.0 GB", "23.0 GB")
    assert "Data 58.4 GB, indexes 4.35 GB: 6.9 % are indexes." in text
    tables = (replace(table("few", 5, MB), rows_from="counted"), replace(table("many", 5, MB), rows_from="sampled"))
    text = written(StorageProfile(NOW, (DatabaseProfile("x", "18.4", False, 9 * MB, tables),)))
    assert lines_with(text, "few", "counted", "1.00 MB")
    assert lines_with(text, "many", "by a sample", "1.00 MB")


def test_of_many_partitions_the_first_and_the_last_stand_there_and_the_others_are_counted():
    text = written(ours())
    assert lines_with(text, "- odds_history_20260130", "14.0 MB")
    assert lines_with(text, "- odds_history_20260213", "7.00 MB")
    assert lines_with(text, "- 13 partitions between", "182 MB", "1,300,000")
    assert not lines_with(text, "odds_history_20260206")
    told = [each["name"] for each in report_json(ours(), FULL, ())["databases"][0]["tables"]]
    assert sum(name.startswith("odds_history_") for name in told) == 15


def test_smaller_tables_are_told_together():
    tables = tuple(table(f"table_{number:02}", 10, number * MB) for number in range(1, 21))
    text = written(StorageProfile(NOW, (DatabaseProfile("x", "18.4", False, 300 * MB, tables),)))
    assert lines_with(text, "5 smaller tables", "15.0 MB", "50")
    assert lines_with(text, "own catalogue", "90.0 MB", "30.0 %")


def test_rows_that_could_not_be_looked_at_say_why():
    locked = replace(table("locked", 0, MB), skipped="somebody holds it exclusively")
    text = written(StorageProfile(NOW, (DatabaseProfile("x", "18.4", True, 9 * MB, (locked,)),)))
    assert "locked: somebody holds it exclusively" in text
    assert "a read replica" in text


def test_the_top_three_drivers_are_named_with_their_share():
    text = written(first_generation()).split("Recommended strategy")[0]
    assert lines_with(text, "1", "odds_snapshots.raw_response", "23.0 GB", "36.5 %")
    assert lines_with(text, "3", "competitor_odds_snapshots.raw_response", "10.0 GB")
    assert not lines_with(text, "competitor_market_odds")


def test_columns_of_json_come_first_with_what_compression_does():
    text = written(first_generation()).split("Columns\n")[1]
    rows = [line for line in text.splitlines() if line.startswith("│")]
    assert "odds_snapshots.raw_response" in rows[0]
    assert "78.2 GB" in rows[0]
    assert "29.4 %" in rows[0]
    kinds = ["json" in row for row in rows[:12]]
    assert kinds == sorted(kinds, reverse=True)
    assert lines_with(text, "market_odds.outcomes", "2.9")


def test_windows_growth_and_the_days_are_told():
    text = written(first_generation())
    assert lines_with(text, "market_odds ", "odds_snapshots.captured_at", "≈39,000,000 (45.5 %)", "≈85,000,000 (100 %)")
    assert lines_with(text, "odds_snapshots ", "≈230,000 (45.5 %)", "≈470,000 (95.0 %)")
    assert lines_with(text, "table", "06 Feb", "12 Feb")
    assert lines_with(text, "bytes of all of them", "3.63 GB")
    assert lines_with(text, "pawarisk.odds_snapshots", "1.56 GB")


def test_what_changed_is_told_of_answers_and_of_markets():
    text = written(ours())
    assert lines_with(text, "Answers that changed anything", "711,000 of 907,200: 78.4 %")
    assert lines_with(text, "Markets that changed", "2,562,000 of 50,400,000: 5.1 %")
    assert lines_with(text, "seen for the first time", "42,000")
    assert lines_with(text, "Changes that odds_history holds", "5,220,000: 3.6 to a row, 38.9 bytes each")
    assert lines_with(text, "Changes of odds_history that say what the change before them said", "0 of 5,000: 0 %")
    assert lines_with(text, "Growth per event and day", "0.100 MB")
    assert (
        "366,000 changes a day were stored where whole snapshots would have taken 7,200,000 rows: 94.9 % fewer, and "
        "95.0 % beside the 6,000 a day that are a market's first sighting."
    ) in text
    earlier = written(first_generation())
    assert lines_with(earlier, "Rows of market_odds that say what the row before them said", "19,000 of 20,000: 95.0 %")
    assert lines_with(earlier, "Growth per event and day", "not known")
    database = replace(first_generation().databases[0], events_a_day=1_200)
    told = written(replace(first_generation(), databases=(database,)))
    assert lines_with(told, "Growth per event and day", "3.000 MB (1,200 events)")
    assert lines_with(earlier, "Answers of market_odds that changed anything", "120 of 120: 100 %")


def test_archives_log_bloat_and_retention_are_told():
    bloated = replace(table("bloated", 5, 10 * MB), dead_rows=1_234, bloat_bytes=4 * MB)
    odds = ours().databases[0]
    profile = replace(ours(), databases=(replace(odds, tables=(*odds.tables, bloated)), *ours().databases[1:]))
    text = written(profile)
    assert lines_with(text, "observations", "2026-01-30", "4,176", "230 MB", "5,220,000", "44.1")
    assert lines_with(text, "odds: bloated", "1,234", "4.00 MB", "40.0 %")
    assert "The server of odds and dagster wrote 12.0 GB of log" in text
    assert "857 MB a day" in text
    dagster = replace(profile.databases[1], wal=Wal(12 * 10**9 + 4_096, NOW - timedelta(days=14)))
    later = written(replace(profile, databases=(profile.databases[0], dagster)))
    assert "The server of odds and dagster wrote 12.0 GB" in later, "one server, looked at twice"
    assert lines_with(text, "odds_history", "14 days", "ODDS_RETENTION_DAYS", "nothing")
    assert "Kept for as long as they are needed: markets." in text
    unknown = replace(profile.policies[0], not_known="its rows could not be read")
    assert lines_with(written(replace(profile, policies=(unknown,))), "not known: its rows could not be read")


def test_the_plan_tells_phases_savings_and_whether_target_and_disk_are_met():
    text = written(first_generation())
    assert lines_with(text, "1 schema", "Drop odds_snapshots.raw_response", "low", "23.0 GB", "40.0 GB")
    assert lines_with(text, "2 monitoring", "0", "23.0 GB")
    assert "- schema: tell who reads raw answers" in text
    assert "- monitoring: watch the alert size_limit" in text


def test_the_strategies_are_told_with_verdict_reason_benefit_and_risk():
    text = written(first_generation())
    assert lines_with(text, "TimescaleDB hypertables", "not available here", "high", "medium", "not measured here")
    assert "the server does not offer the extension Benefit: chunks are compressed Risk: another server." in text


def test_opportunities_stand_with_their_evidence_and_their_statement():
    text = report(first_generation(), FULL, (), style="markdown")
    assert "| 1 | Drop odds_snapshots.raw_response | eliminate | 23.0 GB | 36.5 % | low | low |" in text
    assert "```sql\nALTER TABLE odds_snapshots DROP COLUMN raw_response;\nVACUUM FULL odds_snapshots;\n```" in text
    assert "23.0 GB of 24.0 GB are raw answers" in text
    assert "| TimescaleDB hypertables | partition | not measured here |" in text
    assert "```\nshared_preload_libraries = 'timescaledb'\n```" in text


def test_who_reads_a_column_is_told_or_that_it_cannot_be_known():
    database = first_generation().databases[0]
    snapshots = database.table("odds_snapshots")
    assert snapshots is not None
    readers = ColumnReaders("raw_response", ("answers",), (), ("ix_raw",), None, tuple(f"a.py:{n}" for n in range(9)))
    asked = replace(snapshots, columns=tuple(replace(column, readers=readers) for column in snapshots.columns[-1:]))
    text = written(replace(first_generation(), databases=(replace(database, tables=(asked,)),)))
    assert lines_with(text, "odds_snapshots.raw_response", "answers", "none", "ix_raw", "cannot be known", "4 more")


@pytest.mark.parametrize("judgement", [FULL, NOTHING], ids=["full", "nothing"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "profile",
    [
        first_generation(),
        ours(),
        empty(),
        StorageProfile(NOW, ()),
        StorageProfile(NOW, (DatabaseProfile("bare", "15.1", False, 0, ()),)),
        StorageProfile(NOW, (DatabaseProfile("untold", "15.1", False, 0, (UNKNOWN,)),)),
    ],
    ids=["first", "ours", "empty", "none", "bare", "untold"],
)
def test_no_section_is_ever_blank(profile: StorageProfile, style: Literal["markdown", "text"], judgement: Judgement):
    """R25."""
    for section in sections(profile, judgement, ()):
        assert section.title
        assert section.parts
    text = report(profile, judgement, (), style=style)
    assert "None" not in text
    assert "nan" not in text
    for words in ("Top drivers", "Recommended strategy", "Columns", "Growth", "Ages of rows", "Projection", "Archives"):
        assert words in text
    for words in ("Retention against its policy", "Strategies", "Opportunities", "Open alerts"):
        assert words in text


def test_of_nothing_it_is_said_that_it_is_nothing():
    text = report(StorageProfile(NOW, ()), NOTHING, (), style="text")
    for sentence in (
        "No alert is open.",
        "There is nothing that takes room.",
        "Nothing to do: 0 B is within the target of 10.0 GB and fits the disk of 75.0 GB.",
        "No rows were sampled",
        "Growth is not known yet",
        "What keeping more or fewer days would take is not known: that is told by a whole day of history",
        "No table has rows that say how old they are.",
        "How much of what is stored has changed is not known",
        "No archived files are known here.",
        "No policy of retention is known",
        "Nothing was found whose saving would be worth its effort.",
    ):
        assert sentence in text


def test_what_was_not_measured_is_said_beside_the_size():
    text = written(replace(ours(), unmeasured=("dagster", "archive")))
    assert lines_with(text, "Not measured", "dagster, archive")
    assert "Not measured" not in written(ours())


def test_of_a_database_that_is_not_ours_nothing_is_told_that_only_ours_has():
    text = report(first_generation(), FULL, None, style="text", width=400)
    for words in ("alert is open", "Open alerts", "Archives", "Retention against its policy"):
        assert words not in text
    assert lines_with(text, "Target and disk", "10.0 GB and 75.0 GB, by the settings here")
    assert report_json(first_generation(), FULL, None)["alerts"] is None


def test_a_table_takes_the_width_that_there_is():
    for width in (60, 100):
        lines = report(ours(), FULL, (ALERT,), style="text", width=width).splitlines()
        assert max(len(line) for line in lines if not line.startswith("    ")) <= width


def test_what_would_move_the_cursor_is_not_written_to_a_terminal():
    name = "a\x1b[31mb\u202ec\x07"
    hostile = replace(FULL.opportunities[0], title=name, statement=f'DROP TABLE "{name}";')
    profile = StorageProfile(NOW, (DatabaseProfile(name, "18.4", False, MB, (table(name, 1, MB),)),))
    text = written(profile, replace(FULL, opportunities=(hostile,)))
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert "[31mb" in text


def fields_of(value: Any, told: Any, place: str = "profile") -> None:
    """Every field of every part stands in what is told, whatever is added later."""
    if is_dataclass(value):
        for field in fields(value):
            assert field.name in told, f"{place}.{field.name}"
            fields_of(getattr(value, field.name), told[field.name], f"{place}.{field.name}")
    elif isinstance(value, tuple):
        assert len(value) == len(told), place
        for part, written_part in zip(value, told, strict=True):
            fields_of(part, written_part, place)


@pytest.mark.parametrize("profile", [first_generation(), ours(), empty()], ids=["first", "ours", "empty"])
def test_json_holds_every_field_and_what_follows_from_it(profile: StorageProfile):
    told = json.loads(json.dumps(report_json(profile, FULL, (ALERT,)), allow_nan=False))
    fields_of(profile, told)
    fields_of(FULL, told)
    assert told["total_bytes"] == profile.total_bytes
    assert told["measured_at"] == "2026-02-13T12:00:00Z"
    assert told["plan"]["meets_target"] is False
    assert told["plan"]["fits_disk"] is True
    against = told["projection"]["against_snapshots"]
    assert against["fewer_rows"] == AGAINST.fewer_rows
    assert against["fewer_rows_beside_first_sightings"] == pytest.approx(0.95)
    assert report_json(profile, NOTHING, ())["projection"]["retention_bytes"] is None
    assert told["projection"]["retention_bytes"]["14"] == 59 * 10**9
    assert told["alerts"][0]["message"] == ALERT.message


def test_json_tells_what_follows_for_each_table():
    told = report_json(first_generation(), FULL, ())
    (market_odds,) = [each for each in told["databases"][0]["tables"] if each["name"] == "market_odds"]
    assert market_odds["total_bytes"] == 22 * 10**9
    assert round(market_odds["bytes_per_row"]) == 258
    assert market_odds["ages"]["rows_within"]["7"] == 38_822_154
    assert market_odds["ages"]["rows_by_day"]["2026-02-12"] == 5_546_022
    assert market_odds["columns"][8]["is_json"] is True
