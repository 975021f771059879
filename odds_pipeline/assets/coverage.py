"""The reports of what is on offer now: matches by who lists them, and market types that the catalogue does not know."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl

from odds_pipeline.analysis import coverage as question
from odds_pipeline.analysis.meanings import MEANINGS
from odds_pipeline.analysis.source import open_source
from odds_pipeline.charts.coverage import coverage_chart
from odds_pipeline.charts.rendering import png
from odds_pipeline.clock import Clock
from odds_pipeline.database.engine import Database
from odds_pipeline.metadata import COVERAGE, CURRENT, OWNERS, UNMAPPED, frame_columns, picture, sample
from odds_pipeline.settings import Settings

TOLERATED_UNMAPPED_SHARE = 0.60
"""Share of a bookmaker's markets that may be unmapped before the check warns: player and minute markets are many, but
a bookmaker that renumbers its markets would come out near 1."""

_TYPES_SHOWN = 50
_TOURNAMENTS_SHOWN = 25

_SPECS = [
    dg.AssetSpec(
        UNMAPPED,
        deps=[CURRENT],
        group_name="reports",
        kinds={"polars", "postgres"},
        owners=list(OWNERS),
        code_version="2",
        description="""Market types on offer that the catalogue does not map, most frequent first.

- **Grain**: one row per bookmaker and own market id. **Key**: `bookmaker_slug`, `source_market_id`.
- **Writes**: nothing; the table is this materialization's metadata. Their odds are stored all the same, under the
  bookmaker's own id.
""",
        metadata={"dagster/column_schema": frame_columns(question.UNMAPPED, MEANINGS)},
    ),
    dg.AssetSpec(
        COVERAGE,
        deps=[CURRENT],
        group_name="reports",
        kinds={"polars", "postgres", "altair"},
        owners=list(OWNERS),
        code_version="1",
        description="""Matches on offer now: by betPawa and competitors, by betPawa alone, by competitors alone.

- **Grain**: one row per tournament. **Key**: `tournament_id`. A match counts once, however many bookmakers list it;
  listings that a bookmaker has beside its primary one count nowhere.
- **Writes**: nothing; tables and picture are this materialization's metadata.
- **Plotted**: the matches of each kind, the share of them that is matched, and of each bookmaker's markets on offer the
  share that the catalogue knows, in percent.
""",
        metadata={"dagster/column_schema": frame_columns(question.COVERAGE, MEANINGS)},
    ),
]


@dg.multi_asset(
    name="report_offer",
    specs=_SPECS,
    can_subset=True,
    check_specs=[
        dg.AssetCheckSpec(
            "unmapped_share",
            asset=UNMAPPED,
            description=f"At most {TOLERATED_UNMAPPED_SHARE:.0%} of each bookmaker's markets on offer are unmapped.",
        )
    ],
)
def report_offer(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
):
    """Ask once for both reports."""
    with open_source(settings, database) as source:
        found = question.coverage(source, now=clock.now())
    if UNMAPPED in context.selected_asset_keys:
        yield _unmapped(found)
    if COVERAGE in context.selected_asset_keys:
        # Metadata of a result stands in two events, the output's and the materialization's; the picture is large.
        context.add_asset_metadata(_coverage(found), COVERAGE)
        yield dg.MaterializeResult(COVERAGE)


def _unmapped(found: question.Coverage) -> dg.MaterializeResult:
    offering = found.mapped.filter(pl.col("markets") > 0)
    shares = {
        slug: round(unmapped / markets, 4)
        for slug, markets, unmapped in offering.select("bookmaker_slug", "markets", "unmapped").iter_rows()
    }
    return dg.MaterializeResult(
        UNMAPPED,
        metadata={
            "dagster/row_count": found.unmapped.height,
            "unmapped_markets": int(offering["unmapped"].sum()),
            "offered_markets": int(offering["markets"].sum()),
            "share": dg.MetadataValue.json(shares),
            "types": sample(found.unmapped.head(_TYPES_SHOWN).iter_rows(named=True)),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=UNMAPPED,
                check_name="unmapped_share",
                passed=all(share <= TOLERATED_UNMAPPED_SHARE for share in shares.values()),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"share": dg.MetadataValue.json(shares)},
            )
        ],
    )


def _coverage(found: question.Coverage) -> dict[str, Any]:
    total = found.total.row(0, named=True)
    counts = ("events", "matched", "betpawa_only", "competitor_only")
    shares = found.mapped.drop_nulls("mapped_share")
    return {
        "dagster/row_count": found.tournaments.height,
        "chart": picture(png(coverage_chart(found.tournaments)), "Matches on offer by country and tournament"),
        **{name: total[name] for name in counts},
        **({"matched_share": round(100 * total["matched"] / total["events"], 2)} if total["events"] else {}),
        **{
            f"mapped_share_{slug}": round(share, 2)
            for slug, share in shares.select("bookmaker_slug", "mapped_share").iter_rows()
        },
        "countries": total["countries"],
        "bookmakers": sample(_rounded(found.mapped).iter_rows(named=True)),
        "tournaments": sample(_with_events(found.tournaments.head(_TOURNAMENTS_SHOWN))),
    }


def _rounded(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Float64).round(2))


def _with_events(tournaments: pl.DataFrame) -> Sequence[dict[str, Any]]:
    """The rows with a column for each bookmaker instead of the nested one; 0 where it lists none of the matches."""
    rows = tournaments.to_dicts()
    listed = [{each["bookmaker_slug"]: each["events"] for each in row.pop("bookmakers")} for row in rows]
    none = dict.fromkeys(sorted(set().union(*listed)), 0)
    return [row | none | own for row, own in zip(rows, listed, strict=True)]
