"""What the report says of tables, bloat and retention: no figure that tells nothing, no row without its meaning."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from odds_pipeline.storage.measured import DatabaseProfile, Kept, StorageProfile, Table
from odds_pipeline.storage.report.parts import Section
from odds_pipeline.storage.report.sizes import column_section, health_section, retention_section, table_sections
from odds_pipeline.storage.text import text
from odds_pipeline_tests.storage.hand_profiles import first_generation
from odds_pipeline_tests.storage.profile_parts import NOW, table

MB = 10**6


def profile_of(*tables: Table, size: int = 100 * MB, kept: tuple[Kept, ...] = ()) -> StorageProfile:
    return StorageProfile(NOW, (DatabaseProfile("odds", "18.4", False, size, tables),), policies=kept)


def cells(section: Section, name: str) -> list[str]:
    """The cells of the row of that name."""
    (line,) = [line for line in text([section], width=300).splitlines() if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def words(*sections: Section) -> str:
    return " ".join(text(sections, width=300).split())


def test_bytes_a_row_are_told_where_there_are_enough_of_either():
    tables = (table("lone", 1, 900_000), table("long", 9, 9 * MB), table("many", 1_000, 900_000))
    (section,) = table_sections(profile_of(*tables))
    assert "900,000" not in cells(section, "lone")
    assert "1,000,000" in cells(section, "long")
    assert "900" in cells(section, "many")


def test_tables_that_are_next_to_nothing_are_told_together():
    (section,) = table_sections(
        profile_of(table("large", 10, 90 * MB), *(table(f"t{n}", 1, 100_000) for n in range(4)))
    )
    assert cells(section, "4 smaller tables")[2:5] == ["400 kB", "0.4 %", "4"]
    assert "t3" not in words(section)


def test_little_bloat_is_not_told():
    little = replace(table("little", 10, 5 * MB), bloat_bytes=999_999, dead_rows=9_999)
    assert "No table has a bloat of 1.00 MB or 10,000 dead rows." in words(health_section(profile_of(little)))
    bloated, dead = replace(little, name="bloated", bloat_bytes=MB), replace(little, name="dead", dead_rows=10_000)
    section = health_section(profile_of(little, bloated, dead))
    assert cells(section, "bloated") == ["bloated", "9,999", "1.00 MB", "20.0 %"]
    assert cells(section, "dead")[:2] == ["dead", "10,000"]
    assert "little" not in words(section)


def test_the_oldest_row_is_told_apart_from_no_row_and_from_what_is_not_known():
    def kept(name: str, oldest: datetime | None = None) -> Kept:
        return Kept(name, 14, "ODDS_MATCH_RETENTION_DAYS", oldest, 0)

    tables = (table("full", 5, MB), table("bare", 0, MB), table("untold", 5, MB), table("locked", 0, MB))
    tables = (*tables[:3], replace(tables[3], skipped="somebody holds it"))
    policies = (kept("full", NOW), kept("bare"), kept("untold"), kept("locked"))
    section = retention_section(profile_of(*tables, kept=policies))
    assert [cells(section, each.table)[3] for each in policies] == [
        "2026-02-13 12:00",
        "no row",
        "not known",
        "not known",
    ]
    assert "of events and all that hangs on them the earliest kick-off" in words(section)


def test_the_order_of_columns_is_told():
    assert "Those of JSON come first, each kind by its size." in words(column_section(first_generation()))
    database = first_generation().databases[0]
    plain = [replace(each, columns=tuple(c for c in each.columns if not c.is_json)) for each in database.tables]
    section = column_section(profile_of(*plain))
    assert "The largest come first." in words(section)
