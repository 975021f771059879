"""``odds-pipeline parse``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from odds_pipeline.cli.parse import UnreadableAnswer, parse, parse_file
from odds_pipeline_tests.bookmakers.answers import body, sample, sportybet_1x2, sportybet_event
from odds_pipeline_tests.captures import EVENT_CAPTURES, capture, needs_captures

app = typer.Typer()
app.command()(parse)


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    spoilt = sportybet_1x2()
    spoilt["outcomes"][0]["odds"] = "NaN"
    event = sample("sportybet")
    event["data"]["markets"] += [spoilt | {"id": "60200"}, sportybet_1x2() | {"id": "60100", "status": 2}]
    path = tmp_path / "answer.json"
    path.write_bytes(body(event))
    return path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_the_table_ends_with_the_accounting(answer: Path) -> None:
    """I7: in the answer = stored + not offered + refused, by reason."""
    code, out, _ = run("sportybet", str(answer))
    assert code == 0
    assert "Lagos Rovers - Abuja City, Nigeria, Premier Division, 2030-03-02 15:00 UTC" in out
    assert "31 outcomes in the answer = 25 stored + 3 not offered + 3 refused; 10 observations" in out
    assert "  not offered: 3 market_status" in out
    assert "  refused: 1 price_not_a_number" in out
    assert "  refused market 28000810 line -: price_not_a_number" in out
    row = next(line for line in out.splitlines() if line.startswith("5000 ") and " 2.5 " in line)
    assert "Total Score Over/Under - FT" in row
    assert "18 total=2.5" in row
    assert "Over 1.9 [5001] | Under 1.85 [5002]" in row


def test_ndjson_is_one_object_per_observation_and_the_accounting(answer: Path) -> None:
    code, out, _ = run("sportybet", str(answer), "--format", "ndjson")
    assert code == 0
    *observations, accounting = map(json.loads, out.splitlines())
    assert {one["type"] for one in observations} == {"observation"}
    assert accounting["type"] == "accounting"
    assert accounting["observations"] == len(observations)
    assert accounting["outcomes_stored"] == sum(len(one["outcomes"]) for one in observations)
    assert accounting["is_balanced"] is True
    assert accounting["outcomes_not_offered"] == {"market_status": 3}
    first = next(one for one in observations if one["betpawa_market_id"] == "3743")
    assert first["outcomes"][0] == {"key": "3744", "name": "1", "odds": "2.3", "is_active": True}


def test_an_answer_that_proves_nothing_exits_non_zero(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_bytes(body(sportybet_event()))
    code, out, err = run("sportybet", str(path))
    assert code == 1
    assert "0 outcomes in the answer = 0 stored" in out
    assert err.splitlines() == [f"Error: {path}: the answer proves nothing: empty"]


@pytest.mark.parametrize(
    ("bookmaker", "content", "message"),
    [
        ("sportybet", None, "cannot read"),
        ("acme", b"{}", "no bookmaker 'acme'; known are"),
        ("bet9ja", b"<html></html>", "unexpected_content"),
        ("bet9ja", b'{"R":"E"}', "not_found"),
        ("betpawa", b"{}", "parse_error"),
    ],
)
def test_what_cannot_be_parsed_is_one_clear_line(
    tmp_path: Path, bookmaker: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / "answer.json"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run(bookmaker, str(path))
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def test_the_reusable_function_raises_one_error_type(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAnswer, match="cannot read"):
        parse_file("betpawa", tmp_path)


@needs_captures
@pytest.mark.parametrize(("bookmaker", "name"), EVENT_CAPTURES)
def test_every_captured_answer_is_accounted_for(bookmaker: str, name: str) -> None:
    """I7: nothing else is missing."""
    code, out, err = run(bookmaker, str(capture(bookmaker, name)), "--format", "ndjson")
    assert (code, err) == (0, "")
    *observations, accounting = map(json.loads, out.splitlines())
    stored = Counter(one["type"] for one in observations)
    assert stored["observation"] == accounting["observations"] > 80
    lost = sum(accounting["outcomes_not_offered"].values()) + sum(accounting["outcomes_refused"].values())
    assert accounting["outcomes_in_answer"] == accounting["outcomes_stored"] + lost
    assert not accounting["refused"]
