"""Answers as JSON: exact numbers, times with Z, null for null, however deep."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odds_pipeline.analysis.encode import rows, to_json, to_ndjson
from odds_pipeline.odds.shown import ODDS_ROWS

NOON = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)


def test_an_answer_has_exact_numbers_and_times_with_z():
    frame = pl.DataFrame(
        {
            "event_id": [1],
            "line": [Decimal("-0.250")],
            "outcomes": [[{"key": "1", "name": "Über \u2028 2.5", "odds": Decimal("1.850"), "is_active": True}]],
            "captured_at": [NOON.replace(microsecond=4500)],
        },
        schema={name: ODDS_ROWS[name] for name in ("event_id", "line", "outcomes", "captured_at")},
    )
    assert to_json(frame).decode() == (
        '[{"event_id":1,"line":-0.25,"outcomes":[{"key":"1","name":"Über \u2028 2.5","odds":1.85,"is_active":true}],'
        '"captured_at":"2026-01-14T12:00:00.004500Z"}]'
    )


def test_what_is_unknown_is_null_however_deep():
    moments = pl.List(pl.Struct({"at": pl.Datetime("us", "UTC"), "odds": pl.Decimal(12, 3)}))
    frame = pl.DataFrame(
        {"margin": [float("nan"), None], "moments": [[{"at": NOON, "odds": None}, None], None]},
        schema={"margin": pl.Float64, "moments": moments},
    )
    assert json.loads(to_json(frame)) == [
        {"margin": None, "moments": [{"at": "2026-01-14T12:00:00Z", "odds": None}, None]},
        {"margin": None, "moments": None},
    ]


def test_a_margin_is_written_to_six_decimals_however_deep():
    frame = pl.DataFrame({"margin": [100 * (2 / 1.9 - 1), -3.0], "means": [[{"margin": 258.81519299999997}], []]})
    assert to_json(frame) == (b'[{"margin":5.263158,"means":[{"margin":258.815193}]},{"margin":-3.0,"means":[]}]')


def test_an_empty_answer_is_an_empty_array():
    assert to_json(pl.DataFrame(schema=dict(ODDS_ROWS))) == b"[]"


def test_an_object_holds_frames_and_plain_values():
    frame = pl.DataFrame({"event_id": [7]})
    assert to_json({"rows": frame, "next": None, "day": NOON.date()}) == (
        b'{"rows":[{"event_id":7}],"next":null,"day":"2026-01-14"}'
    )
    assert rows(frame) == [{"event_id": 7}]


def test_lines_hold_the_same_objects_one_each_whatever_the_names_hold():
    frame = pl.DataFrame(
        {"name": ["a\nb", '"c"', None], "odds": [Decimal("1.850"), Decimal("2"), None], "at": [NOON, NOON, None]},
        schema_overrides={"odds": pl.Decimal(12, 3)},
    )
    lines = to_ndjson(frame).decode().splitlines()
    assert lines[0] == '{"name":"a\\nb","odds":1.85,"at":"2026-01-14T12:00:00Z"}'
    assert [json.loads(line) for line in lines] == json.loads(to_json(frame))
    assert to_ndjson(frame.clear()) == b""


@given(st.lists(st.decimals(-(10**9) + 1, 10**9 - 1, places=3), min_size=1))
def test_every_price_is_written_with_the_digits_that_are_stored(prices: list[Decimal]):
    frame = pl.DataFrame({"odds": prices}, schema={"odds": pl.Decimal(12, 3)})
    written = json.loads(to_json(frame), parse_float=Decimal, parse_int=Decimal)
    assert [row["odds"] for row in written] == prices


@pytest.mark.parametrize(
    "kind", [pl.Datetime("us"), pl.Datetime("us", "Africa/Lagos"), pl.List(pl.Datetime("us")), pl.Decimal(38, 3)]
)
def test_what_has_no_exact_form_is_refused(kind: pl.DataType):
    with pytest.raises(TypeError):
        to_json(pl.DataFrame(schema={"value": kind}))
