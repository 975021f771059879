"""Charts of sums: margins of a day, time to kick-off, coverage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import polars as pl

from odds_pipeline.analysis.coverage import COVERAGE
from odds_pipeline.analysis.margins_of_day import MARGINS_OF_DAY
from odds_pipeline.charts.coverage import coverage_chart
from odds_pipeline.charts.kickoff import kickoff_chart
from odds_pipeline.charts.margins_of_day import margins_of_day_chart
from odds_pipeline.charts.rendering import png
from odds_pipeline.odds.kickoff import BUCKETS, TO_KICKOFF
from odds_pipeline_tests.charts.drawing import HOUR, START, drawn, steps, texts, ticks

MARKETS: list[tuple[str, str, Decimal | None]] = [
    ("3743", "1X2 - FT", None),
    ("5000", "Over/Under - FT", Decimal("2.5")),
]
BOOKMAKERS = ("betpawa", "sportybet", "bet9ja")


def frame(schema: Any, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(schema) | row for row in rows], schema=dict(schema))


def margins_of_day(hours: int, *, gap: int | None = None) -> pl.DataFrame:
    return frame(
        MARGINS_OF_DAY,
        [
            {
                "at": START + hour * HOUR,
                "betpawa_market_id": market_id,
                "betpawa_market_name": name,
                "line": line,
                "bookmaker_slug": slug,
                "margin": None if hour == gap else 5.0 + place + hour / 10,
            }
            for market_id, name, line in MARKETS
            for place, slug in enumerate(BOOKMAKERS)
            for hour in range(hours)
        ],
    )


def to_kickoff(buckets: tuple[str, ...] = BUCKETS) -> pl.DataFrame:
    return frame(
        TO_KICKOFF,
        [
            {
                "betpawa_market_id": market_id,
                "betpawa_market_name": name,
                "line": line,
                "bookmaker_slug": slug,
                "bucket": bucket,
                "events": 20 + place + (slug == "bet9ja"),
                "mean_margin": 6.0 + place,
                "mean_odds_move": 2.0 * place,
            }
            for market_id, name, line in MARKETS
            for slug in BOOKMAKERS
            for place, bucket in enumerate(BUCKETS)
            if bucket in buckets
        ],
    )


def coverage(tournaments: int) -> pl.DataFrame:
    return frame(
        COVERAGE,
        [
            {
                "country": f"Country {number % 12:02}",
                "tournament": f"League {number:02}",
                "tournament_id": number,
                "events": 3 + number,
                "matched": number,
                "betpawa_only": 1,
                "competitor_only": 2,
            }
            for number in range(tournaments)
        ],
    )


def colours(picture: ElementTree.Element) -> set[str]:
    return {
        element.get("stroke", "") for element in picture.iter() if element.get("aria-roledescription") == "line mark"
    }


def test_a_days_margins_have_a_panel_for_each_market_and_gaps_where_nothing_was_computed() -> None:
    picture = drawn(margins_of_day_chart(margins_of_day(6, gap=3), heading="Margins of 20 November", note="hourly"))
    shown = texts(picture)
    for words in ("Margins of 20 November", "hourly", "1X2 - FT", "Over/Under - FT 2.5", "margin (%)", "time (UTC)"):
        assert words in shown, words
    assert {*BOOKMAKERS} <= {*shown}
    assert len(steps(picture)) == len(MARKETS) * len(BOOKMAKERS)
    for line in picture.iter():
        if line.get("aria-roledescription") == "line mark":
            assert line.get("d", "").count("M") == 2  # one line on each side of the gap


def test_buckets_stand_in_their_order_with_margin_and_odds_move_side_by_side() -> None:
    picture = drawn(kickoff_chart(to_kickoff(), heading="Time to kick-off"))
    shown = texts(picture)
    first = shown.index(BUCKETS[0])
    assert tuple(shown[first : first + 2 * len(BUCKETS) : 2]) == BUCKETS
    assert shown.count("mean margin (%)") == shown.count("mean odds move (%)") == len(MARKETS)
    assert shown.count("Over/Under - FT 2.5") == 2
    some = texts(drawn(kickoff_chart(to_kickoff(("1-6h",)), heading="Time to kick-off")))
    assert some.count("7d+") == 2 * len(MARKETS)


def test_a_bucket_says_how_many_matches_it_rests_on() -> None:
    chart = kickoff_chart(to_kickoff(("24-72h", "1-6h")), heading="Time to kick-off")
    shown = texts(drawn(chart))
    assert "each bucket: the matches that have it, their number under it; other buckets have others" in shown
    first = shown.index("7d+")
    assert shown[first : first + 9] == ["7d+", "3-7d", "24-72h", "22-23", "6-24h", "1-6h", "24-25", "<1h", "after"]


def test_margins_of_double_chance_say_why_they_are_so_high() -> None:
    words = "Double Chance - FT (each result counted twice)"
    renamed = pl.lit("Double Chance - FT").alias("betpawa_market_name")
    day = margins_of_day(3).filter(pl.col("line").is_null()).with_columns(renamed)
    assert words in texts(drawn(margins_of_day_chart(day, heading="")))
    buckets = to_kickoff().filter(pl.col("line").is_null()).with_columns(renamed)
    shown = texts(drawn(kickoff_chart(buckets, heading="")))
    assert [shown.count(words), shown.count("Double Chance - FT")] == [1, 1], "over margins, not over odds moves"


def test_labels_of_percentages_are_true_even_where_hardly_anything_changes() -> None:
    day = margins_of_day(3).filter(pl.col("line").is_null())
    for low, high in ((6.753, 7.157), (6.753, 6.753), (6.0, 6.004), (5.0, 30.0), (106.3, 119.8), (-1.4, 0.2)):
        margin = pl.when(pl.col("at") == START).then(low).otherwise(high)
        picture = drawn(margins_of_day_chart(day.with_columns(margin=margin), heading=""))
        marks = [(height, float(words.replace("−", "-"))) for height, words in ticks(picture)]
        assert len({value for _, value in marks}) == len(marks) > 3
        (bottom, lowest), (top, highest) = marks[0], marks[-1]
        assert highest - lowest >= 1, "what hardly changes looks it"
        a_point = (highest - lowest) / (bottom - top)
        for height, value in marks:
            assert abs(value - (lowest + (bottom - height) * a_point)) < a_point
        for line in steps(picture):
            for (_, height), value in zip(line, (low, high, high), strict=True):
                assert abs(value - (lowest + (bottom - height) * a_point)) < a_point
                assert 4 < height < bottom - 4, "a dot is within the frame"


def test_a_day_goes_from_midnight_to_midnight_however_little_of_it_is_known() -> None:
    for hours in (1, 3):
        shown = texts(drawn(margins_of_day_chart(margins_of_day(hours), heading="")))
        times = [words for words in shown if ":" in words]
        assert times == ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00", "24:00"] * len(MARKETS)


def test_a_bookmaker_has_one_colour_in_every_chart() -> None:
    whole = margins_of_day(3)
    every = colours(drawn(margins_of_day_chart(whole, heading="")))
    assert len(every) == len(BOOKMAKERS)
    alone = [
        colours(drawn(margins_of_day_chart(whole.filter(pl.col("bookmaker_slug") == slug), heading="")))
        for slug in BOOKMAKERS
    ]
    assert set.union(*alone) == every
    kickoff = to_kickoff().filter(pl.col("bookmaker_slug") == "bet9ja")
    assert colours(drawn(kickoff_chart(kickoff, heading=""))) == alone[BOOKMAKERS.index("bet9ja")]


def test_coverage_draws_the_largest_and_counts_the_others() -> None:
    shown = texts(drawn(coverage_chart(coverage(30), note="now")))
    assert "525 matches: 435 matched, 30 betPawa only, 60 competitor only" in shown
    assert "By tournament: the 20 largest of 30" in shown
    assert "the other 10 tournaments: 75 matches, 45 matched, 10 betPawa only, 20 competitor only" in shown
    assert "By country: the 10 largest of 12" in shown
    drawn_leagues = [words for words in shown if words.startswith("League")]
    assert drawn_leagues == [f"League {number:02} (Country {number % 12:02})" for number in range(29, 9, -1)]
    few = texts(drawn(coverage_chart(coverage(2))))
    assert "By tournament" in few


def test_sums_of_nothing_are_pictures_that_say_so() -> None:
    assert "No margin was computed in this time." in texts(drawn(margins_of_day_chart(margins_of_day(0), heading="-")))
    assert "Nothing was on offer in any bucket." in texts(drawn(kickoff_chart(to_kickoff(()), heading="-")))
    assert "No match is offered." in texts(drawn(coverage_chart(coverage(0))))


def test_pictures_of_reports_are_small_enough_to_be_kept_with_them() -> None:
    for chart in (
        margins_of_day_chart(margins_of_day(24), heading="Margins"),
        kickoff_chart(to_kickoff(), heading="Time to kick-off"),
        coverage_chart(coverage(200)),
    ):
        assert 5_000 < len(png(chart)) <= 60_000
