"""The questions on the command line: tables for people, JSON, charts, and what is said when one cannot be answered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest

from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.cli import asking
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import NOW, HandMade, hand_made
from odds_pipeline_tests.cli.asking import answered, ask, lead_to, lines_of


@pytest.fixture(scope="module")
def made(shared_migrated_database: str) -> Iterator[HandMade]:
    """The hand-made world in a database of the module's own, to be read."""
    with Database(shared_migrated_database) as database:
        yield hand_made(database)


@pytest.fixture
def world(made: HandMade, monkeypatch: pytest.MonkeyPatch) -> HandMade:
    """The hand-made world, which the commands ask."""
    lead_to(made.source.database, monkeypatch)
    return made


def cells(table: str) -> list[list[str]]:
    """The lines of a printed table that have cells, each cell without the room around it."""
    return [[cell.strip() for cell in line.strip("│┃").split("│")] for line in table.splitlines() if line[:1] == "│"]


def test_the_event_list_shows_headline_prices_of_every_bookmaker_and_where_the_next_page_is(world: HandMade) -> None:
    derby, home = world.events["derby"], world.events["home"]
    first = ask("events", "--limit", 1)
    assert cells(first.stdout) == [
        [str(home), "2026-11-20 12:08:00", "Lagos Rovers - Abuja City", "betpawa (gone)", "gone 1.45 4.20 7.00"],
        ["", "", "Premier Division, Nigeria", "", ""],
    ]
    after = first.stderr.removeprefix("There are more: --after ").strip()
    second = cells(answered("events", "--limit", 1, "--after", after))
    assert second == [
        [
            *(str(derby), "2026-11-20 18:00:00", "Arsenal - Chelsea", "betpawa"),
            *("1.90 3.50 4.10", "1.85 1.95", "1.75 (2.10)", "1.25 1.75 1.30"),
        ],
        ["", "", "Premier League, England", "sportybet", "1.92 3.40 4.00", "1.83 1.97", "1.72 2.05", ""],
        ["", "", "", "bet9ja (stale)", "1.88 3.45 4.05", "gone 1.80 2.00", "", ""],
    ]
    assert [row["name"] for row in lines_of("events", "--not-started", "--country", "Nigeria")] == [
        "Kano Pillars - Enugu Rangers"
    ]


@pytest.mark.parametrize("width", [80, 100])
def test_prices_stand_beside_the_name_of_their_bookmaker_however_narrow_the_terminal(
    world: HandMade, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """What is wrapped goes on below it, beside an empty name."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": str(width)}.items():
        monkeypatch.setenv(name, value)
    told = re.sub("\x1b\\[[0-9;]*m", "", answered("events", "--name", "arsenal"))
    assert max(map(len, told.splitlines())) <= width
    assert "…" not in told, "nothing is cut off"
    prices: dict[str, list[str]] = {}
    for *_, bookmaker, result, _over_under, _both, _double in cells(told):
        if bookmaker.startswith(("betpawa", "sportybet", "bet9ja")):
            prices[bookmaker.partition(" ")[0]] = []
        if result:
            prices[list(prices)[-1]] += result.split()
    assert prices == {
        "betpawa": ["1.90", "3.50", "4.10"],
        "sportybet": ["1.92", "3.40", "4.00"],
        "bet9ja": ["1.88", "3.45", "4.05"],
    }


def test_one_event_shows_each_market_beside_those_who_have_it_took_it_away_or_never_had_it(world: HandMade) -> None:
    shown = answered("event", world.events["derby"])
    assert shown.startswith("Arsenal - Chelsea, Premier League, England, kick-off 2026-11-20 18:00:00 UTC\n")
    assert "bet9ja (stale): event n1, last confirmed 2026-11-20 12:00:14 UTC" in shown
    markets = {(row[1], row[2]): row[3:] for row in cells(shown)}
    assert markets["Total Score Over/Under - FT", "2.5"] == [
        "Over / Under",
        "1.85 / 1.95",
        "1.83 / 1.97",
        "gone since 2026-11-20 12:00:14: 1.80 / 2.00",
    ]
    assert markets["First scorer", ""] == ["Saka", "never", "5.50", "never"]
    assert list(markets)[:4] == [
        ("1X2 - FT", ""),
        ("Total Score Over/Under - FT", "2.5"),
        ("Both Teams To Score - FT", ""),
        ("Double Chance - FT", ""),
    ]
    few = answered("event", world.events["derby"], "--show", 2, "--bookmaker", "betpawa")
    assert len(cells(few)) == 2
    assert "4 more markets" in few


def test_history_shows_changes_gone_stretches_and_up_to_when_the_last_state_was_confirmed(world: HandMade) -> None:
    shown = answered("history", world.events["derby"], "--market", "5000", "--line", "3.5")
    assert shown.startswith("Total Score Over/Under - FT")
    assert cells(shown) == [
        ["2026-11-20 11:50:10", "betpawa", "3.5", "change", "Over 2.50, Under 1.50"],
        ["2026-11-20 12:00:10", "betpawa", "3.5", "change", "not on offer"],
        ["2026-11-20 12:10:10", "betpawa", "3.5", "change", "Over 2.60, Under 1.45"],
        ["2026-11-20 12:15:10", "betpawa", "3.5", "confirmed", "Over 2.60, Under 1.45"],
    ]
    newest = answered("history", world.events["derby"], "--market", "5000", "--line", "3.5", "--show", 1)
    assert len(cells(newest)) == 1
    assert "3 more earlier points" in newest


def test_a_market_may_be_given_by_its_name_and_a_suspended_price_is_in_brackets(world: HandMade) -> None:
    by_name = answered("history", world.events["derby"], "--market", "Both Teams To Score - FT", "--no-line")
    assert by_name == answered("history", world.events["derby"], "--market", "3795")
    assert "Yes 1.75, No (2.10)" in by_name
    assert by_name == answered("history", world.events["derby"], "--market", "both teams to score - ft")


def test_margins_are_percent_or_a_reason(world: HandMade) -> None:
    shown = cells(answered("margins", world.events["derby"], "--market", "3795", "--bookmaker", "betpawa"))
    assert shown == [
        ["2026-11-20 11:50:10", "betpawa", "change", "6.44", ""],  # 1/1.70 + 1/2.10 = 1.0644
        ["2026-11-20 12:05:10", "betpawa", "change", "", "inactive_outcome"],
        ["2026-11-20 12:15:10", "betpawa", "confirmed", "", "inactive_outcome"],
    ]


def test_the_state_at_a_moment_says_how_fresh_it_was(world: HandMade) -> None:
    shown = answered("at", "2026-11-20T12:58:00+01:00", "--event", world.events["derby"], "--market", "3743")
    assert "State at 2026-11-20 11:58:00 UTC" in shown
    assert [row[2:] for row in cells(shown)] == [
        ["bet9ja", "1 1.88, X 3.45, 2 4.05", "2026-11-20 11:55:14", "2026-11-20 11:55:14"],
        ["betpawa", "1 2.00, X 3.40, 2 3.80", "2026-11-20 11:50:10", "2026-11-20 11:55:10"],
        ["sportybet", "1 2.05, X 3.30, 2 3.70", "2026-11-20 11:50:12", "2026-11-20 11:55:12"],
    ]
    assert "10 more markets" in answered("at", NOW.isoformat(), "--event", world.events["derby"], "--show", 1)


def test_a_moment_of_which_nothing_is_known_says_why_on_standard_error(world: HandMade) -> None:
    """Tables and JSON alike: what is read by a program is empty."""
    before = ask("at", "2026-11-20T11:00Z", "--json")
    assert (before.exit_code, before.stdout) == (0, "")
    assert before.stderr == (
        "Nothing was known yet at 2026-11-20 11:00:00 UTC: the first cycle was at 2026-11-20 11:50:00 UTC\n"
    )
    other = ask("at", NOW.isoformat(), "--event", world.events["derby"], "--line", "7.5")
    assert (other.stdout, other.stderr) == (
        "",
        "Nothing of what was asked for had been seen by 2026-11-20 12:16:00 UTC\n",
    )


def test_an_empty_answer_says_what_is_missing(world: HandMade) -> None:
    assert answered("history", world.events["derby"], "--market", "5000", "--line", "7.5").startswith("No odds of this")
    assert answered("events", "--country", "Atlantis").startswith("No events: ")
    assert "no odds of these markets" in answered(
        "kickoff", "--since", "2026-01-01T00:00Z", "--until", "2026-01-02T00:00Z"
    )
    assert "nothing has closed" in ask("kickoff", "--event", world.events["derby"], "--opening-closing").stderr
    assert "nothing has closed" not in ask("kickoff", "--event", world.events["home"], "--opening-closing").stderr


def test_comparison_names_the_best_price_and_the_difference_to_betpawas(world: HandMade) -> None:
    shown = {(row[0], row[1], row[2]): row[3:] for row in cells(answered("compare", world.events["derby"]))}
    assert shown["1X2 - FT", "", "1"] == ["1.90", "1.92 (+1.1)", "1.88 (-1.1)*", "1.92", "sportybet"]
    assert shown["1X2 - FT", "", "2"] == ["4.10", "4.00 (-2.4)", "4.05 (-1.2)*", "4.10", "betpawa"]
    assert shown["Both Teams To Score - FT", "", "No"] == ["-", "2.05", "", "2.05", "sportybet"]
    markets = list(dict.fromkeys(key[:2] for key in shown))
    assert markets[:2] == [("1X2 - FT", ""), ("Total Score Over/Under - FT", "2.5")], "headline markets come first"


def test_a_comparison_without_betpawa_says_why_it_has_no_differences(world: HandMade) -> None:
    two = ["--bookmaker", "bet9ja", "--bookmaker", "sportybet", "--market", "1x2 - ft"]
    told = answered("compare", world.events["derby"], *two)
    assert "no differences, because betPawa is not among the bookmakers that offered this" in " ".join(told.split())
    assert cells(told)[0] == ["1X2 - FT", "1", "1.92", "1.88*", "1.92", "sportybet"]
    assert "Nothing of this had been offered" in answered("compare", world.events["derby"], "--line", "7.5")


def test_moves_tell_who_was_first_and_who_followed_how_much_later(world: HandMade) -> None:
    shown = answered("moves", world.events["derby"], "--market", "1X2 - FT")
    assert cells(shown)[0] == [
        *("2026-11-20 11:55:14", "1X2 - FT", "1", "1.98", "1.88", "bet9ja"),
        "betpawa +0:04:56, sportybet +0:09:58",
    ]
    assert "Moved first and was followed: bet9ja 3 times\nFollowed by nobody: 0 of 3 moves\n" in shown
    assert "?" not in shown
    everything = answered("moves", world.events["derby"])
    assert "Moved first and was followed: bet9ja 3 times\nFollowed by nobody: 3 of 6 moves\n" in everything
    assert {row[1] for row in cells(answered("moves", world.events["derby"], "--show", 3))} == {"1X2 - FT"}
    assert "No price moved" in answered("moves", world.events["derby"], "--until", "2026-11-20T00:00Z")
    alone = cells(answered("moves", world.events["derby"], "--market", "3743", "--within", 1))
    assert [row[5:] for row in alone if row[2] == "1"] == [["bet9ja"], ["betpawa"], ["sportybet"]]


def test_time_to_kickoff_is_of_today_unless_a_window_or_events_are_given(world: HandMade) -> None:
    today = answered("kickoff")
    assert "Kick-offs from 2026-11-20 00:00:00 to 2026-11-21 00:00:00 UTC" in today
    assert ["1X2 - FT", "", "sportybet", "1-6h", "1", "1"] in [row[:6] for row in cells(today)]
    tomorrow = ["--since", "2026-11-21T00:00Z", "--until", "2026-11-22T00:00Z"]
    assert [row[:5] for row in cells(answered("kickoff", *tomorrow))] == [
        ["1X2 - FT", "sportybet", "24-72h", "1", "0"],
        ["1X2 - FT", "sportybet", "6-24h", "1", "1"],
    ]
    opened = answered("kickoff", "--event", world.events["home"], "--opening-closing")
    assert cells(opened)[0][3:8] == ["1", "2026-11-20 11:50:10", "1.50", "2026-11-20 11:55:10", "1.45"]


def test_coverage_counts_matches_once(world: HandMade) -> None:
    shown = answered("coverage")
    assert shown.startswith("3 matches in 2 tournaments of 2 countries: 2 matched, 0 betPawa only, 1 competitor only\n")
    assert ["Premier League", "England", "2", "1", "0", "1"] in cells(shown)
    assert "1 betPawa only" in answered("coverage", "--everything")
    (whole,) = lines_of("coverage")
    assert whole["total"]["matched"] == 2


def test_runs_come_with_errors_and_what_fails_again_and_again(world: HandMade) -> None:
    shown = "\n".join(map(str.rstrip, answered("runs", "--limit", 1).splitlines()))
    runs, _, others = shown.partition("\nErrors\n")
    errors, _, failures = others.partition("\nFailures that recur\n")
    assert cells(runs)[0][0] == str(world.runs[-1])
    assert f"--after {world.runs[-1]}" in runs
    assert ["bet9ja", "timeout"] in [row[:2] for row in cells(errors)]
    assert ["bet9ja", "timeout", str(world.events["derby"]), "3"] in [row[:4] for row in cells(failures)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["event", "999"], "no event 999"),
        (["history", "999", "--market", "3743"], "no event 999"),
        (["history", "1", "--market", "nope"], "no market 'nope'; one event, shown, lists its markets"),
        (["compare", "1", "--market", "1x2"], "no market '1x2'; perhaps '1X2 - FT', '1X2 - 1H', "),
        (["moves", "1", "--market", "Total over under"], "perhaps 'Total Score Over/Under - FT', "),
        (["margins", "1", "--market", "Double chanse - FT"], "perhaps 'Double Chance - FT'"),
        (["kickoff", "--market", "99999999"], "no market '99999999'"),
        (["events", "--bookmaker", "pinnacle"], "known are betpawa, sportybet, bet9ja"),
        (["events", "--after", "elsewhere"], "no place in the event list"),
        (["events", "--since", "2026-11-21T00:00Z", "--until", "2026-11-20T00:00Z"], "before it begins"),
        (["kickoff", "--by", "weather"], "no grouping by weather"),
        (["history", "1", "--market", "5000", "--line", "2.5", "--no-line"], "not both"),
    ],
)
def test_a_question_that_cannot_be_answered_fails_with_one_line(
    world: HandMade, arguments: list[str], message: str
) -> None:
    failed = ask(*arguments)
    assert failed.exit_code == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("Error: ")
    assert failed.stderr.count("\n") == 1
    assert message in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["at", "2026-11-20T12:00"], "no time with its zone"),
        (["events", "--since", "yesterday"], "no time with its zone"),
        (["history", "1", "--market", "5000", "--line", "nan"], "is no line"),
        (["history", "1", "--market", "5000", "--line", "2.0001"], "at most 3 decimals"),
        (["history", "1", "--market", "5000", "--chart", "missing/odds.png"], "there is no folder"),
        (["history", "1", "--market", "5000", "--chart", "odds.svg"], "does not end in .png"),
        (["history", "1", "--market", "5000", "--chart", f"{'o' * 300}.png"], "File name too long"),
        (["events", "--limit", "0"], "greater than or equal to 1"),
        (["kickoff", "--line", "2.5"], "give --market as well"),
        (["kickoff", "--opening-closing", "--by", "line"], "leave out --chart and --by"),
    ],
)
def test_what_is_not_understood_is_refused_before_anything_is_asked(arguments: list[str], message: str) -> None:
    refused = ask(*arguments)
    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.replace("│", " ").split())


def test_days_that_only_an_earlier_system_has_are_told_on_standard_error(
    world: HandMade, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = [date(2026, 2, day) for day in range(1, 8)]
    source = OddsSource(world.source.database, world.source.archive, lambda first, last: lacking)
    monkeypatch.setattr(asking, "open_source", lambda settings: nullcontext(source))
    told = ask("history", world.events["derby"], "--market", "3743", "--json")
    assert "2026-02-05 and 2 more (odds-pipeline legacy import --from 2026-02-01 --to 2026-02-07)" in told.stderr
    assert all(json.loads(line) for line in told.stdout.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", "derby", "--market", "5000"],
        ["margins", "derby", "--market", "1X2 - FT"],
        ["kickoff"],
        ["coverage"],
    ],
)
def test_a_chart_is_a_png_over_one_that_was_there(world: HandMade, tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "chart.png"
    file.write_bytes(b"of yesterday")
    drawn = ask(*(world.events.get(word, word) for word in arguments), "--chart", file)
    assert drawn.exit_code == 0, drawn.output
    assert file.read_bytes().startswith(b"\x89PNG")
    assert drawn.stderr == f"Chart: {file}\n"
    assert drawn.stdout == ""


def test_questions_are_answered_by_the_database_that_the_settings_name(world: HandMade) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "odds_pipeline.cli", "events", "--json"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert {json.loads(line)["event_id"] for line in answer.stdout.splitlines()} == set(world.events.values())
