"""The report of market types that the catalogue does not know: what to map next."""

import dagster as dg
import polars as pl

from odds_pipeline.database.engine import Database
from odds_pipeline.database.offered import offered_by_bookmaker, own_id_markets
from odds_pipeline.markets.unmapped import UNMAPPED_SCHEMA, unmapped_markets
from odds_pipeline.metadata import CURRENT, OWNERS, UNMAPPED, frame_columns, sample

TOLERATED_UNMAPPED_SHARE = 0.60
"""Share of a bookmaker's markets that may be unmapped before the check warns: player and minute markets are many, but
a bookmaker that renumbers its markets would come out near 1."""

_SHOWN = 50

_MEANINGS = {
    "bookmaker": "Slug of the bookmaker",
    "source_market_id": "The bookmaker's own market id",
    "name": "The bookmaker's own name of the market type",
    "markets": "Markets on offer of this type, each line counted",
    "events": "Bookmaker events that offer them",
    "outcomes": "Selections of all those markets",
}


@dg.asset(
    key=UNMAPPED,
    deps=[CURRENT],
    group_name="reports",
    kinds={"polars", "postgres"},
    owners=list(OWNERS),
    code_version="1",
    description="""Market types on offer that the catalogue does not map, most frequent first.

- **Grain**: one row per bookmaker and own market id. **Key**: `bookmaker`, `source_market_id`.
- **Writes**: nothing; the table is this materialization's metadata. Their odds are stored all the same, under the
  bookmaker's own id.
""",
    metadata={"dagster/column_schema": frame_columns(UNMAPPED_SCHEMA, _MEANINGS)},
    check_specs=[
        dg.AssetCheckSpec(
            "unmapped_share",
            asset=UNMAPPED,
            description=f"At most {TOLERATED_UNMAPPED_SHARE:.0%} of each bookmaker's markets on offer are unmapped.",
        )
    ],
)
def unmapped(database: dg.ResourceParam[Database]) -> dg.MaterializeResult:
    """Count the unmapped types among the markets that are offered now."""
    report = unmapped_markets(own_id_markets(database))
    by_bookmaker = report.group_by("bookmaker").agg(pl.col("markets").sum())
    offered = offered_by_bookmaker(database)
    shares = {slug: round(count / offered[slug], 4) for slug, count in sorted(by_bookmaker.iter_rows())}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": report.height,
            "unmapped_markets": int(report["markets"].sum()),
            "offered_markets": sum(offered.values()),
            "share": dg.MetadataValue.json(shares),
            "types": sample(report.head(_SHOWN).iter_rows(named=True)),
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
