"""The SQL functions that read packed states, against bytes packed by hand and by the writer."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from odds_pipeline.odds.packed import OutcomeStatus, pack


def outcomes(url: str, state: bytes, keys: list[str]) -> list[tuple[Any, ...]]:
    """What ``odds_outcomes`` says: (key, name, odds as PostgreSQL writes it, is_active), in its order."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            """
            SELECT outcome ->> 'key', outcome ->> 'name', outcome ->> 'odds', (outcome ->> 'is_active')::bool
            FROM jsonb_array_elements(odds_outcomes(%s, %s::text[], %s::text[])) WITH ORDINALITY AS o (outcome, place)
            ORDER BY place
            """,
            [state, keys, [key.upper() for key in keys]],
        ).fetchall()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("00", []),
        ("00 00b9 0140 00fa", [("a", "A", "1.85", True), ("b", "B", "3.2", True), ("c", "C", "2.5", True)]),
        ("00 0064 3fff 4190", [("a", "A", "1", True), ("b", "B", "163.83", True), ("c", "C", "4", False)]),
        ("00 4000 0000", [("a", "A", None, False), ("b", "B", None, True)]),
        ("00 80fa 00fb 8000", [("b", "B", "2.51", True)]),
        ("02 00b9", [("a", "A", "1.85", True)]),
        ("01 000003e9 3b9aca00", [("a", "A", "1.001", True), ("b", "B", "1000000", True)]),
        ("03 40000834 800003e9 0000044c", [("a", "A", "2.1", False), ("c", "C", "1.1", True)]),
    ],
    ids=[
        "no outcomes",
        "narrow",
        "whole prices, the largest narrow one, inactive",
        "no price",
        "absent left out, order kept",
        "unavailable, shorter than its set",
        "wide",
        "wide, inactive, absent, unavailable",
    ],
)
def test_outcomes_are_read_from_bytes_packed_by_hand(
    shared_migrated_database: str, state: str, expected: list[tuple[Any, ...]]
) -> None:
    assert outcomes(shared_migrated_database, bytes.fromhex(state), ["a", "b", "c"]) == expected


def test_outcomes_are_read_as_the_writer_packs_them(shared_migrated_database: str) -> None:
    prices = [0, 1010, 2500, 163_830, 163_840, 1_234_567, 1_000_000_000]
    expected = [None, "1.01", "2.5", "163.83", "163.84", "1234.567", "1000000"]
    keys = [str(place) for place in range(len(prices))]
    for size in range(1, len(prices) + 1):
        state = pack([(OutcomeStatus.INACTIVE.value, price) for price in prices[:size]])
        read = outcomes(shared_migrated_database, state, keys)
        assert [(odds, is_active) for _, _, odds, is_active in read] == [(odds, False) for odds in expected[:size]]


def test_odds_are_json_numbers_with_all_fields_present(shared_migrated_database: str) -> None:
    with psycopg.connect(shared_migrated_database) as connection:
        row = connection.execute(
            "SELECT odds_outcomes('\\x0000fa4000', '{a,b}', '{Home,Away}'), odds_outcomes(NULL, '{}', '{}')"
        ).fetchone()
    assert row == (
        [
            {"key": "a", "name": "Home", "odds": 2.5, "is_active": True},
            {"key": "b", "name": "Away", "odds": None, "is_active": False},
        ],
        None,
    )


@pytest.mark.parametrize(("header", "expected"), [(0, False), (1, False), (2, True), (3, True)])
def test_availability_is_bit_one_of_the_header(shared_migrated_database: str, header: int, expected: bool) -> None:
    with psycopg.connect(shared_migrated_database) as connection:
        row = connection.execute("SELECT odds_is_unavailable(%s)", [bytes([header])]).fetchone()
    assert row == (expected,)
