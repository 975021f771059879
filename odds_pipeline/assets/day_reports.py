"""The reports of UTC days: the margins of the headline markets hour by hour, and how odds moved towards kick-off.

A day of which there is nothing to tell fails with a sentence, so that it does not look reported; the other days of the
same run are reported all the same.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from odds_pipeline.analysis.bookmaker_order import in_order
from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.analysis.kickoff import TO_KICKOFF, summed_to_kickoff, time_to_kickoff_rows
from odds_pipeline.analysis.margins_of_day import MARGINS_OF_DAY, margins_of_day
from odds_pipeline.analysis.meanings import MEANINGS
from odds_pipeline.analysis.source import OddsSource, open_source
from odds_pipeline.assets.launches import LaunchRefused, launched_partitions
from odds_pipeline.charts.kickoff import kickoff_chart
from odds_pipeline.charts.margins_of_day import margins_of_day_chart
from odds_pipeline.charts.rendering import png
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import midnight
from odds_pipeline.metadata import HISTORY, MARGINS, OWNERS, TIME_TO_KICKOFF, frame_columns, picture, sample
from odds_pipeline.odds.kickoff import BUCKETS
from odds_pipeline.settings import Settings

_A_DAY = timedelta(days=1)


class NothingToReport(Exception):
    """A day that a report has no row of; the message says what is missing."""


Report = Callable[[OddsSource, date, datetime], Mapping[str, Any]]
"""Of a source, a day and now: what is to be seen of it. Raises ``NothingToReport``."""


def report_days(days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The reports of the given days, which are those of history."""
    return [
        _report(
            dg.AssetSpec(
                MARGINS,
                deps=[HISTORY],
                partitions_def=days,
                group_name="reports",
                kinds={"polars", "postgres", "altair"},
                owners=list(OWNERS),
                code_version="1",
                description="""Margins of the headline markets through a UTC day: at each full hour and its end, or now.

- **Grain**: one row per moment, market, line and bookmaker: the mean over the events on offer. **Key**: `at`,
  `betpawa_market_id`, `line`, `bookmaker_slug`.
- **Writes**: nothing; tables and picture are this materialization's metadata. Today's is made anew after cycles, at
  most every `ODDS_REPORT_INTERVAL`, and once more when the day is over.
- **Days**: a day that has left PostgreSQL is read from the archive. One of which no odds are known fails and says so;
  the other days of a range are reported.
- **Plotted**: the mean margin of 1X2 by bookmaker, in percent.
""",
                metadata={"dagster/column_schema": frame_columns(MARGINS_OF_DAY, MEANINGS)},
            ),
            _margins,
        ),
        _report(
            dg.AssetSpec(
                TIME_TO_KICKOFF,
                deps=[HISTORY],
                partitions_def=days,
                group_name="reports",
                kinds={"polars", "postgres", "altair"},
                owners=list(OWNERS),
                code_version="1",
                description="""How odds and margins of the headline markets of a day's matches moved towards kick-off.

- **Grain**: one row per market, line, bookmaker and bucket of time before kick-off. **Key**: `betpawa_market_id`,
  `line`, `bookmaker_slug`, `bucket`.
- **Writes**: nothing; tables and picture are this materialization's metadata. Today's is made anew after cycles, at
  most every `ODDS_REPORT_INTERVAL`, and once more when the day is over.
- **Days**: the matches of a day are those whose kick-off, as known now, lies in it; their odds may be of days before.
  Days that have left PostgreSQL are read from the archive, but matches are known for `ODDS_MATCH_RETENTION_DAYS` only.
  A day of which none is known fails and says so; the other days of a range are reported.
- **Plotted**: in the last hour before kick-off, by bookmaker: the mean margin of 1X2, and how far its odds are from
  their opening, both in percent.
""",
                metadata={"dagster/column_schema": frame_columns(TO_KICKOFF, MEANINGS)},
            ),
            _time_to_kickoff,
        ),
    ]


def _report(spec: dg.AssetSpec, report: Report) -> dg.AssetsDefinition:
    """The asset whose days ``report`` tells of; a range of days is one run."""

    @dg.multi_asset(name="_".join(spec.key.path), specs=[spec], backfill_policy=dg.BackfillPolicy.single_run())
    def asset(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
        database: dg.ResourceParam[Database],
    ) -> dg.MaterializeResult:
        partitions = launched_partitions(context)
        if partitions is None:
            raise LaunchRefused(
                f"{spec.key.to_user_string()} is made by days: launch it for one day or a range of days"
            )
        first, last = map(date.fromisoformat, partitions)
        told: dict[str, Mapping[str, Any]] = {}
        lacking: list[str] = []
        with open_source(settings, database) as source:
            for number in range((last - first).days + 1):
                day = first + number * _A_DAY
                try:
                    told[day.isoformat()] = report(source, day, clock.now())
                except NothingToReport as nothing:
                    lacking.append(str(nothing))
        if lacking:
            for day, metadata in told.items():
                context.log_event(dg.AssetMaterialization(spec.key, partition=day, metadata=metadata))
            reported = f" Reported: {', '.join(told)}." if told else ""
            raise dg.Failure(f"{'; '.join(lacking)}.{reported}", allow_retries=False)
        for day, metadata in told.items():
            context.add_asset_metadata(metadata, spec.key, day)
        return dg.MaterializeResult(spec.key)

    return asset


def _margins(source: OddsSource, day: date, now: datetime) -> Mapping[str, Any]:
    rows, changes, unimported = margins_of_day(source, day, now=now)
    if rows.is_empty():
        raise NothingToReport(f"of {day} no odds of the headline markets are known{_lacking(unimported)}")
    until = rows["at"].max()
    assert isinstance(until, datetime)
    chart = margins_of_day_chart(
        rows, heading=f"Margins on {day}", note=f"Mean over events, until {until:%d %b %H:%M} UTC"
    )
    of_result = rows.filter(_is_result()).group_by("bookmaker_slug", maintain_order=True).agg(pl.col("margin").mean())
    by_series = in_order(source, rows, "betpawa_market_id", "line", "bookmaker_slug", "at")
    return {
        "dagster/partition_row_count": rows.height,
        "chart": picture(png(chart), f"Mean margins of the headline markets on {day}, by hour and bookmaker"),
        **_numbers(of_result, "margin_1x2", "margin"),
        "changes": changes,
        "until": dg.MetadataValue.timestamp(until),
        "markets": sample(_by_market(by_series).iter_rows(named=True)),
        **_not_imported(unimported),
    }


def _by_market(rows: pl.DataFrame) -> pl.DataFrame:
    """The day of each market and bookmaker: the mean over its moments, and how it stood at the last of them.

    ``rows``: by market, bookmaker and ``at``.
    """
    why = pl.format("{} {}", pl.element().struct.field("markets"), pl.element().struct.field("margin_missing"))
    return rows.group_by(_market(), pl.col("bookmaker_slug").alias("bookmaker"), maintain_order=True).agg(
        mean_margin=pl.col("margin").mean().round(3),
        last_margin=pl.col("margin").last().round(3),
        events=pl.col("markets").last(),
        without=pl.col("missing").last().list.eval(why),
    )


def _time_to_kickoff(source: OddsSource, day: date, now: datetime) -> Mapping[str, Any]:
    markets, unimported = time_to_kickoff_rows(
        source, kickoff_since=midnight(day), kickoff_until=midnight(day + _A_DAY), now=now
    )
    if markets.is_empty():
        raise NothingToReport(f"no match with odds is known that kicks off on {day}{_lacking(unimported)}")
    rows = summed_to_kickoff(source, markets, ("betpawa_market_id", "line", "bookmaker_slug"))
    events = markets["event_id"].n_unique()
    chart = kickoff_chart(rows, heading=f"Towards kick-off, matches of {day}", note=f"{events:,} matches")
    last_hour = rows.filter(_is_result() & (pl.col("bucket") == "<1h"))
    return {
        "dagster/partition_row_count": rows.height,
        "chart": picture(png(chart), f"Margins and moves of the odds towards kick-off, matches of {day}"),
        **_numbers(last_hour, "margin_1x2_last_hour", "mean_margin"),
        **_numbers(last_hour, "odds_move_1x2_last_hour", "mean_odds_move"),
        "events": events,
        "changes": int(rows["changes"].sum()),
        "mean_margins": sample(_by_bucket(rows, "mean_margin")),
        "mean_odds_moves": sample(_by_bucket(rows, "mean_odds_move")),
        **_not_imported(unimported),
    }


def _by_bucket(rows: pl.DataFrame, column: str) -> Iterator[dict[str, Any]]:
    """A row for each market and bookmaker, with a number for each bucket that has begun."""
    begun = [bucket for bucket in BUCKETS if bucket in rows["bucket"]]
    wide = rows.with_columns(_market(), pl.col(column).round(3)).pivot(
        "bucket", index=["market", "bookmaker_slug"], values=column
    )
    return wide.select("market", pl.col("bookmaker_slug").alias("bookmaker"), *begun).iter_rows(named=True)


def _market() -> pl.Expr:
    """Name and line of a market in one column."""
    return pl.concat_str(
        "betpawa_market_name", pl.col("line").cast(pl.Float64), separator=" ", ignore_nulls=True
    ).alias("market")


def _is_result() -> pl.Expr:
    """Whether a row is of 1X2, which every bookmaker has for every match."""
    return pl.col("betpawa_market_id") == HEADLINE[0][0]


def _numbers(rows: pl.DataFrame, name: str, column: str) -> dict[str, float]:
    """A number for each bookmaker that has one, which Dagster plots from run to run."""
    return {
        f"{name}_{slug}": round(value, 3)
        for slug, value in rows.select("bookmaker_slug", column).drop_nulls().iter_rows()
    }


def _lacking(unimported: list[date]) -> str:
    return (
        f" ({len(unimported)} days of an earlier system are not imported, the last {unimported[-1]})"
        if unimported
        else ""
    )


def _not_imported(unimported: list[date]) -> dict[str, Any]:
    return {"not_imported": ", ".join(map(str, unimported))} if unimported else {}
