"""The report assets on a real instance: of one day, of a range, and of a day that there is nothing of."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest

from odds_pipeline.analysis.coverage import coverage
from odds_pipeline.analysis.kickoff import time_to_kickoff
from odds_pipeline.analysis.margins_of_day import margins_of_day
from odds_pipeline.analysis.source import open_source
from odds_pipeline.days.retention import retain
from odds_pipeline.metadata import COVERAGE, MARGINS, TIME_TO_KICKOFF, UNMAPPED
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.assets.test_legacy import configured
from odds_pipeline_tests.dagster_fixtures import NOON, Pipeline, failure_of
from odds_pipeline_tests.legacy.earlier_system import make_earlier_system

TODAY = NOON.date()
A_DAY = timedelta(days=1)
LARGEST_PICTURE = 80_000


def told(result: dg.ExecuteInProcessResult) -> dict[tuple[dg.AssetKey, str | None], dict[str, Any]]:
    """Metadata by asset and day."""
    return {
        (event.asset_key, event.partition): {
            name: [record.data for record in value.records] if isinstance(value, dg.TableMetadataValue) else value.value
            for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def picture(metadata: dict[str, Any]) -> bytes:
    """The chart, out of its Markdown."""
    text = metadata["chart"]
    assert text.startswith("![")
    return b64decode(text.partition("(data:image/png;base64,")[2].removesuffix(")"), validate=True)


def report_days(pipeline: Pipeline, first: date, last: date, *assets: dg.AssetKey) -> dg.ExecuteInProcessResult:
    """As the daemon launches a backfill of several days."""
    tags = {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
    return pipeline.job("day_reports", tags=tags, asset_selection=list(assets) or None)


def kick_off(pipeline: Pipeline, at: datetime) -> None:
    """Have every match kick off at this moment, as was known from the beginning."""
    with pipeline.database.connect() as connection:
        connection.execute("UPDATE events SET kickoff = %s", [at])
        connection.execute("UPDATE event_kickoffs SET kickoff = %s", [at])


def test_the_margins_of_today_are_those_of_the_question_up_to_now(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance(timedelta(minutes=65))
    result = pipeline.cycle([MARGINS], job="day_reports")
    assert result.success, failure_of(result)
    metadata = told(result)[MARGINS, "2026-01-14"]
    with open_source(pipeline.settings, pipeline.database) as source:
        asked = margins_of_day(source, TODAY, now=pipeline.clock.now())
    rows = asked.rows
    assert rows["at"].unique().sort().to_list() == [NOON, NOON + timedelta(hours=1), NOON + timedelta(minutes=65)]
    assert metadata["dagster/partition_row_count"] == rows.height
    assert metadata["changes"] == asked.changes > 0
    assert metadata["until"] == pipeline.clock.now().timestamp()
    means = rows.filter(pl.col("betpawa_market_id") == "3743").group_by("bookmaker_slug").agg(pl.col("margin").mean())
    assert means.height == 3
    for slug, mean in means.iter_rows():
        assert metadata[f"margin_1x2_{slug}"] == pytest.approx(mean, abs=0.001)
    shown = {(row["market"], row["bookmaker"]): row["last_margin"] for row in metadata["markets"]}
    last = rows.filter(pl.col("at") == pipeline.clock.now())
    columns = ("betpawa_market_name", "line", "bookmaker_slug", "margin")
    assert shown == {
        (name if line is None else f"{name} 2.5", slug): margin if margin is None else round(margin, 3)
        for name, line, slug, margin in last.select(columns).iter_rows()
    }


def test_a_tournament_that_one_bookmaker_lists_alone_is_a_row_like_the_others(pipeline: Pipeline):
    pipeline.fill()
    with pipeline.database.connect() as connection:
        (alone,) = connection.execute("SELECT min(tournament_id) FROM events").fetchone() or (None,)
        connection.execute(
            """
            UPDATE event_bookmakers SET is_primary = false FROM events, bookmakers
            WHERE event_id = events.id AND bookmaker_id = bookmakers.id
              AND events.tournament_id = %s AND bookmakers.slug <> 'sportybet'
            """,
            [alone],
        )
    result = pipeline.job("offer_reports", asset_selection=[COVERAGE])
    assert result.success, failure_of(result)
    rows = {row["tournament_id"]: row for row in told(result)[COVERAGE, None]["tournaments"]}
    assert len(rows) > 1
    assert (rows[alone]["betpawa"], rows[alone]["bet9ja"]) == (0, 0)
    assert rows[alone]["sportybet"] > 0


def test_pictures_are_png_and_small_enough_to_live_in_an_event(pipeline: Pipeline):
    """They are stored with each materialization, and Dagster's storage is not ours to prune."""
    pipeline.fill()
    kick_off(pipeline, NOON + timedelta(hours=3))
    pipeline.advance(timedelta(hours=11))
    days, offer = report_days(pipeline, TODAY, TODAY), pipeline.job("offer_reports")
    metadata = told(days) | told(offer)
    for key in ((MARGINS, "2026-01-14"), (TIME_TO_KICKOFF, "2026-01-14"), (COVERAGE, None)):
        png = picture(metadata[key])
        assert png.startswith(b"\x89PNG\r\n")
        assert len(metadata[key]["chart"]) < LARGEST_PICTURE


def test_a_range_of_days_is_one_run_with_the_numbers_of_each_day(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance(A_DAY)
    pipeline.fill()
    result = report_days(pipeline, TODAY, TODAY + A_DAY, MARGINS)
    assert result.success, failure_of(result)
    metadata = told(result)
    assert set(metadata) == {(MARGINS, "2026-01-14"), (MARGINS, "2026-01-15")}
    changes = pipeline.rows(
        """
        SELECT (captured_at AT TIME ZONE 'UTC')::date::text, count(*) FROM market_odds_history
        WHERE (betpawa_market_id, coalesce(line, 0)) IN (('3743', 0), ('5000', 2.5), ('3795', 0), ('4693', 0))
        GROUP BY 1
        """
    )
    assert {day: told["changes"] for (_, day), told in metadata.items()} == dict(changes)
    assert pipeline.instance.get_materialized_partitions(MARGINS) == {"2026-01-14", "2026-01-15"}


def test_a_day_without_odds_fails_with_a_sentence_and_the_others_are_reported(pipeline: Pipeline):
    pipeline.fill()
    result = report_days(pipeline, TODAY - 2 * A_DAY, TODAY, MARGINS)
    assert not result.success
    message = failure_of(result)
    assert "of 2026-01-12 no odds of the headline markets are known; of 2026-01-13 no odds" in message
    assert "Reported: 2026-01-14" in message
    assert pipeline.instance.get_materialized_partitions(MARGINS) == {"2026-01-14"}


def test_a_day_on_which_no_known_match_kicks_off_fails_with_a_sentence(pipeline: Pipeline):
    pipeline.fill()
    kick_off(pipeline, NOON + 3 * A_DAY)
    result = report_days(pipeline, TODAY, TODAY, TIME_TO_KICKOFF)
    assert not result.success
    assert "no match with odds is known that kicks off on 2026-01-14" in failure_of(result)
    assert pipeline.instance.get_materialized_partitions(TIME_TO_KICKOFF) == set()


def test_a_day_that_has_not_begun_is_no_day_to_report(pipeline: Pipeline):
    pipeline.fill()
    result = pipeline.cycle([MARGINS], job="day_reports", partition="2026-01-15")
    assert not result.success
    assert "2026-01-15 has not begun" in failure_of(result)


def test_days_of_an_earlier_system_that_were_not_imported_are_named(pipeline: Pipeline):
    """R18: here in the failure, as nothing else is known of the day."""
    with pipeline.database.connect() as connection:
        make_earlier_system(connection, schema="earlier", events=2, days=3, interval=timedelta(hours=6))
    earlier = configured(pipeline)
    result = report_days(earlier, date(2026, 2, 2), date(2026, 2, 2), MARGINS)
    assert not result.success
    assert "days of an earlier system are not imported" in failure_of(result)


def test_time_to_kickoff_tells_of_the_matches_that_kick_off_on_the_day(pipeline: Pipeline):
    pipeline.fill()
    kick_off(pipeline, NOON + timedelta(minutes=50))
    pipeline.advance(timedelta(minutes=20))
    pipeline.fill()
    pipeline.advance(timedelta(minutes=5))
    result = pipeline.cycle([TIME_TO_KICKOFF], job="day_reports")
    assert result.success, failure_of(result)
    metadata = told(result)[TIME_TO_KICKOFF, "2026-01-14"]
    start = datetime(2026, 1, 14, tzinfo=UTC)
    with open_source(pipeline.settings, pipeline.database) as source:
        rows, _ = time_to_kickoff(source, kickoff_since=start, kickoff_until=start + A_DAY, now=pipeline.clock.now())
    assert metadata["dagster/partition_row_count"] == rows.height > 0
    ((events,),) = pipeline.rows(
        "SELECT count(DISTINCT event_id) FROM market_odds_history WHERE betpawa_market_id = ANY (%s)",
        ["3743", "5000", "3795", "4693"],
    )
    assert metadata["events"] == events
    assert all(set(row) == {"market", "bookmaker", "<1h"} for row in metadata["mean_margins"])
    assert len(metadata["mean_margins"]) == len(metadata["mean_odds_moves"]) == rows.height
    result_rows = rows.filter(pl.col("betpawa_market_id") == "3743")
    for slug, margin, move in result_rows.select("bookmaker_slug", "mean_margin", "mean_odds_move").iter_rows():
        assert metadata[f"margin_1x2_last_hour_{slug}"] == round(margin, 3)
        assert metadata[f"odds_move_1x2_last_hour_{slug}"] == round(move, 3)


def test_a_retired_day_is_reported_from_the_archive_as_before(pipeline: Pipeline):
    pipeline.fill()
    pipeline.advance(4 * A_DAY)
    settings = pipeline.settings.model_copy(update={"retention_days": 1})
    before = told(report_days(pipeline, TODAY, TODAY, MARGINS))
    archive = archive_of(pipeline.database)
    retired = retain(pipeline.database, archive, settings=settings, now=pipeline.clock.now(), trigger="manual")
    assert TODAY in [day.day for day in retired.retired]
    assert told(report_days(pipeline, TODAY, TODAY, MARGINS)) == before


def test_what_is_on_offer_is_reported_with_numbers_to_plot(pipeline: Pipeline):
    pipeline.fill()
    result = pipeline.job("offer_reports")
    assert result.success, failure_of(result)
    metadata = told(result)
    assert set(metadata) == {(UNMAPPED, None), (COVERAGE, None)}
    with open_source(pipeline.settings, pipeline.database) as source:
        asked = coverage(source, now=pipeline.clock.now())
    total = asked.total.row(0, named=True)
    found = metadata[COVERAGE, None]
    assert {name: found[name] for name in ("events", "matched", "betpawa_only", "competitor_only")} == {
        name: total[name] for name in ("events", "matched", "betpawa_only", "competitor_only")
    }
    assert found["matched_share"] == round(100 * total["matched"] / total["events"], 2)
    assert found["dagster/row_count"] == asked.tournaments.height
    for slug, share in asked.mapped.select("bookmaker_slug", "mapped_share").iter_rows():
        assert found[f"mapped_share_{slug}"] == round(share, 2)
    assert sum(row["events"] for row in found["tournaments"]) == total["events"]
    ((unmapped,),) = pipeline.rows(
        """
        SELECT count(*) FROM market_odds_current
        WHERE unavailable_at IS NULL AND starts_with(betpawa_market_id, bookmaker_slug || ':')
        """
    )
    assert metadata[UNMAPPED, None]["unmapped_markets"] == unmapped > 0
    (check,) = result.get_asset_check_evaluations()
    assert (check.asset_key, check.check_name, check.passed) == (UNMAPPED, "unmapped_share", True)


def test_an_empty_offer_is_reported_as_empty(pipeline: Pipeline):
    result = pipeline.job("offer_reports")
    assert result.success, failure_of(result)
    found = told(result)[COVERAGE, None]
    assert (found["events"], found["dagster/row_count"]) == (0, 0)
    assert "matched_share" not in found
    assert picture(found).startswith(b"\x89PNG")


def test_one_report_of_the_offer_can_be_made_alone(pipeline: Pipeline):
    pipeline.fill()
    assert set(told(pipeline.job("offer_reports", asset_selection=[COVERAGE]))) == {(COVERAGE, None)}
