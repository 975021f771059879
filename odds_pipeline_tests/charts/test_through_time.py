"""Charts of odds and margins through time: what lines say, whatever is drawn and wherever."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.charts.margins import margin_chart
from odds_pipeline.charts.odds_history import odds_history_chart
from odds_pipeline.charts.rendering import WIDTH, png
from odds_pipeline.charts.steps import thinned
from odds_pipeline.odds.margin import with_margin
from odds_pipeline_tests.charts.drawing import HOUR, START, drawn, point, points, size, steps, texts, ticks

UNTIL = START + 12 * HOUR
OFFERED, SUSPENDED, NOT_OFFERED = "1,0", "1.5,3", "7,5"
#: A stretch without an offer from 3 to 6, one in which the first outcome is suspended from 6 to 9, gone from 10 on.
CHANGES = points(
    point(START, [("1", "Home", "2.00", True), ("2", "Away", "2.10", True)]),
    point(START + 3 * HOUR),
    point(START + 6 * HOUR, [("1", "Home", "2.20", False), ("2", "Away", "2.00", True)]),
    point(START + 9 * HOUR, [("1", "Home", "2.30", True), ("2", "Away", "1.90", True)]),
    point(START + 10 * HOUR),
)


def spans(lines: list[list[tuple[float, float]]]) -> set[tuple[int, int]]:
    """From which to which hour each line goes."""
    return {(round(line[0][0] * 12 / WIDTH), round(line[-1][0] * 12 / WIDTH)) for line in lines}


def test_what_was_not_offered_is_dashed_and_what_was_suspended_is_dotted() -> None:
    picture = drawn(odds_history_chart(CHANGES, heading="Arsenal - Chelsea", until=UNTIL))
    assert spans(steps(picture, NOT_OFFERED)) == {(3, 6), (10, 12)}
    assert spans(steps(picture, SUSPENDED)) == {(6, 9)}
    assert spans(steps(picture, OFFERED)) == {(0, 3), (6, 10), (9, 10)}
    # Dashed at the last price, in a straight line.
    assert all(line[0][1] == line[1][1] for line in steps(picture, NOT_OFFERED))


def test_the_titles_name_event_market_line_time_and_units_and_the_legend_what_is_drawn() -> None:
    line = CHANGES.with_columns(
        betpawa_market_name=pl.lit("Over/Under - FT"), line=pl.lit("2.500").cast(CHANGES.schema["line"])
    )
    shown = texts(drawn(odds_history_chart(line, heading="Arsenal - Chelsea", until=UNTIL)))
    for words in (
        *("Arsenal - Chelsea", "Over/Under - FT 2.5", "20 Nov 2026 06:00 to 20 Nov 2026 18:00 UTC"),
        *("betpawa", "decimal odds", "time (UTC)", "outcome", "Home", "Away", "06:00", "18:00"),
        *("offered", "suspended", "not offered, at the last price"),
    ):
        assert words in shown, words
    assert "last confirmed" not in shown


def test_the_end_of_a_line_says_whether_it_was_confirmed() -> None:
    outcome = [("1", "Home", "2.00", True)]
    confirmed = points(point(START, outcome), point(START + HOUR, outcome, point="confirmed"))
    picture = drawn(odds_history_chart(confirmed, heading="", until=UNTIL))
    assert spans(steps(picture, OFFERED)) == {(0, 1)}
    assert "last confirmed" in texts(picture)
    only = texts(drawn(odds_history_chart(points(point(START, outcome)), heading="", until=UNTIL)))
    assert "last change, not confirmed since" in only


def test_margins_have_gaps_where_there_is_none_and_say_why() -> None:
    margins = with_margin(CHANGES)
    picture = drawn(margin_chart(margins, heading="Arsenal - Chelsea", until=UNTIL))
    assert spans(steps(picture)) == {(0, 3), (9, 10)}
    shown = texts(picture)
    assert "margin (%)" in shown
    assert "no margin: 2 x unavailable, 1 x inactive outcome" in shown
    none = margin_chart(margins.filter("is_unavailable"), heading="Arsenal - Chelsea", until=UNTIL)
    assert "no margin: 2 x unavailable" in texts(drawn(none))


def test_the_axis_of_margins_says_true_values_for_each_line() -> None:
    rows = [
        point(START + hour * HOUR, [("o", "Over", price, True), ("u", "Under", "1.90", True)], line=line)
        for line, prices in (("2.5", ("1.90", "1.901")), ("3.5", ("1.05", "1.30")))
        for hour, price in enumerate(prices)
    ]
    several = with_margin(pl.DataFrame(rows, schema={**CHANGES.schema, "line": pl.String}).cast(CHANGES.schema))
    for line, margins in several.group_by("line", maintain_order=True).agg("margin").iter_rows():
        chart = margin_chart(several.filter(pl.col("line") == line), heading="", until=UNTIL)
        marks = [(height, float(words)) for height, words in ticks(drawn(chart))]
        (bottom, lowest), (top, highest) = marks[0], marks[-1]
        a_point = (highest - lowest) / (bottom - top)
        assert highest - lowest >= 1
        (corners,) = steps(drawn(chart))
        for (_, height), margin in zip(corners[1:], [margins[0], margins[1]], strict=True):
            assert abs(margin - (lowest + (bottom - height) * a_point)) < a_point
    picture = drawn(margin_chart(several, heading="", until=UNTIL))
    assert [words for words in texts(picture) if words.startswith("line")] == ["line 2.5", "line 3.5"]
    assert len({words for _, words in ticks(picture)}) > 8, "an axis for each line"


def test_each_bookmaker_and_line_has_a_panel_and_lines_beyond_six_panels_are_counted() -> None:
    outcome = [("o", "Over", "1.90", True)]
    rows = [
        point(START, outcome, bookmaker_slug=slug, betpawa_market_id="5000", line=f"{line}.5")
        for line in range(4)
        for slug in ("betpawa", "sportybet")
    ]
    several = pl.DataFrame(rows, schema={**CHANGES.schema, "line": pl.String}).cast(CHANGES.schema)
    shown = texts(drawn(odds_history_chart(several, heading="Match", until=UNTIL)))
    assert [words for words in shown if ", line" in words] == [
        f"{slug}, line {line}.5" for line in range(3) for slug in ("betpawa", "sportybet")
    ]
    assert "the 3 lines with the most even prices, of 4; give a line for one" in shown


def test_lines_with_the_most_even_prices_are_drawn_whole_with_betpawa_first() -> None:
    rows = [
        point(
            START,
            [("o", "Over", over, True), ("u", "Under", under, True)],
            bookmaker_slug=slug,
            betpawa_market_id="5000",
            line=line,
        )
        for line, over, under in (
            ("0.5", "1.05", "9.00"),
            ("1.5", "1.30", "3.20"),
            ("2.5", "1.90", "1.92"),
            ("3.5", "3.00", "1.35"),
        )
        for slug in ("bet9ja", "betpawa", "sportybet")
    ]
    several = pl.DataFrame(rows, schema={**CHANGES.schema, "line": pl.String}).cast(CHANGES.schema)
    shown = texts(drawn(odds_history_chart(several, heading="Match", until=UNTIL)))
    assert [words for words in shown if ", line" in words] == [
        f"{slug}, line {line}" for line in ("2.5", "3.5") for slug in ("betpawa", "sportybet", "bet9ja")
    ]
    assert "the 2 lines with the most even prices, of 4; give a line for one" in shown


def test_of_many_outcomes_those_with_the_lowest_prices_are_drawn() -> None:
    scores = [(str(number), f"{number}-0", f"{50 - number}.00", True) for number in range(30)]
    shown = texts(drawn(odds_history_chart(points(point(START, scores)), heading="Match", until=UNTIL)))
    assert "the 10 outcomes with the lowest prices, of 30" in shown
    assert [words for words in shown if words.endswith("-0")] == [f"{number}-0" for number in range(29, 19, -1)]


def test_names_are_shown_as_they_are_whatever_they_hold() -> None:
    odd = ["a:b[0].c", '<script>alert("1")</script>', 'it\'s \\ "quoted"', "Ünïcödé Łódź", "new\nline"]
    outcomes = [(name, name, f"{place + 2}.00", True) for place, name in enumerate(odd)]
    named = points(point(START, [*outcomes, ("1", "same", "1.5", True), ("2", "same", "1.6", True)]))
    picture = drawn(odds_history_chart(named, heading='<b>FC "A[b]":</b> \u202e' + "x" * 200, until=UNTIL))
    shown = texts(picture)
    assert [words for words in shown if words in {*odd, "new line", "same [1]", "same [2]"}] == [
        *odd[:-1],
        "new line",
        "same [1]",
        "same [2]",
    ]
    assert len(steps(picture, OFFERED)) == 7
    heading = next(words for words in shown if words.startswith('<b>FC "A[b]":</b> x'))
    assert len(heading) == 85
    assert heading.endswith("…")


def test_nothing_and_one_point_are_pictures_too() -> None:
    for chart in (odds_history_chart, margin_chart):
        rows = CHANGES if chart is odds_history_chart else with_margin(CHANGES)
        assert "There are no odds in this time." in texts(drawn(chart(rows.clear(), heading="Empty", until=UNTIL)))
        width, height = size(png(chart(rows.head(1), heading="One", until=UNTIL)))
        assert width > 1000
        assert height > 200


def test_twenty_thousand_points_are_a_small_picture() -> None:
    dice = random.Random(1)
    rows = []
    for slug in ("betpawa", "sportybet", "bet9ja"):
        prices = [2.1, 3.3, 3.6]
        for minute in range(6_700):
            prices = [max(1.05, price * dice.uniform(0.97, 1.03)) for price in prices]
            outcomes = [(key, key, f"{price:.2f}", True) for key, price in zip("1X2", prices, strict=True)]
            rows.append(point(START + minute * HOUR / 60, outcomes if minute % 500 else (), bookmaker_slug=slug))
    many = points(*rows)
    assert len(png(odds_history_chart(many, heading="Many", until=UNTIL))) < 80_000
    assert len(png(margin_chart(with_margin(many), heading="Many", until=UNTIL))) < 80_000


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_thinning_keeps_every_extreme_and_every_state_of_each_line(seed: int, lines: int) -> None:
    dice = random.Random(seed)
    rows = [
        {"line": line, "at": START + minute * HOUR / 60, "odds": dice.uniform(1, 9), "state": dice.choice("aaaaaaaab")}
        for line in range(lines)
        for minute in range(6_000)
    ]
    whole = pl.DataFrame(rows, schema_overrides={"at": pl.Datetime("us", "UTC")})
    few = thinned(whole, series=["line"], value="odds", state="state")
    assert few.height < 20_000 // 2
    assert few.join(whole, on=whole.columns, how="anti").is_empty()
    assert few.equals(few.sort("line", "at"))
    extremes = [
        pl.col("odds").min().alias("low"),
        pl.col("odds").max().alias("high"),
        pl.col("at").min().alias("first"),
        pl.col("at").max().alias("last"),
    ]
    for by in (["line"], ["line", "state"]):
        assert few.group_by(by).agg(extremes).sort(by).equals(whole.group_by(by).agg(extremes).sort(by))
    assert thinned(whole.head(4_000), series=["line"], value="odds", state="state").height == 4_000


_IN_A_ZONE = """
from odds_pipeline.charts.odds_history import odds_history_chart
from odds_pipeline.charts.rendering import png
from odds_pipeline_tests.charts.test_through_time import CHANGES, UNTIL
import sys
sys.stdout.buffer.write(png(odds_history_chart(CHANGES, heading="Zones", until=UNTIL)))
"""


def test_times_are_utc_in_whatever_zone_the_machine_is() -> None:
    pictures = {
        hashlib.sha256(
            subprocess.run(
                [sys.executable, "-c", _IN_A_ZONE], env=os.environ | {"TZ": zone}, capture_output=True, check=True
            ).stdout
        ).hexdigest()
        for zone in ("UTC", "Africa/Lagos")
    }
    assert len(pictures) == 1
