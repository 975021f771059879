"""What every asset says about itself: its key, owner, column schema, and the tables shown with a materialization.

Column schemas are generated from the one definition of each relation: ``OBSERVATION_SCHEMA`` for observations, the
SQLAlchemy models for what is in PostgreSQL. What a column means is said once, in ``COLUMN_MEANINGS``.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import polars as pl
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase

OWNERS = ("team:odds",)

_ITEMS_SHOWN = 3
"""Items of a list in a cell of a sample: a market may have a hundred outcomes."""

CHANGES = dg.AssetKey(["odds", "changes"])
CURRENT = dg.AssetKey(["odds", "current"])
HISTORY = dg.AssetKey(["odds", "history"])
RETENTION = dg.AssetKey(["odds", "retention"])
UNMAPPED = dg.AssetKey(["markets", "unmapped"])
MARGINS = dg.AssetKey(["reports", "margins"])
TIME_TO_KICKOFF = dg.AssetKey(["reports", "time_to_kickoff"])
COVERAGE = dg.AssetKey(["reports", "coverage"])
LEGACY_HISTORY = dg.AssetKey(["legacy", "history"])
STORAGE_PROFILE = dg.AssetKey(["storage", "profile"])
DAGSTER_PRUNING = dg.AssetKey(["storage", "dagster_pruning"])


def observations_key(bookmaker: str) -> dg.AssetKey:
    """The asset of one bookmaker's observations."""
    return dg.AssetKey([bookmaker, "observations"])


#: Every column of the relations that assets show, in the words of docs/data-dictionary.md.
COLUMN_MEANINGS: Mapping[str, str] = {
    "cycle_at": "The cycle (UTC); rows of one cycle are applied together",
    "captured_at": "Arrival of the answer (UTC), for a disappearance the arrival of what proved it",
    "bookmaker": "Slug of the bookmaker",
    "bookmaker_slug": "Slug of the bookmaker",
    "event_id": "The match, whoever offers it",
    "external_event_id": "The bookmaker's own id of the event",
    "event_bookmaker_id": "The bookmaker's listing of the event",
    "sportradar_id": "SportRadar id, digits only; null if the bookmaker gives none",
    "sport": "Sport",
    "country": "Country or region of the tournament",
    "tournament": "Tournament, unique within its country",
    "home_team": "Home team in the bookmaker's spelling",
    "away_team": "Away team in the bookmaker's spelling",
    "kickoff": "Announced kick-off (UTC)",
    "market_id": "Key of the market in the compact tables",
    "betpawa_market_id": "Canonical market id: betPawa's, or an own id where betPawa lacks the market",
    "betpawa_market_name": "Canonical name of the market, without its line",
    "source_market_id": "The bookmaker's own market id",
    "source_specifier": "The bookmaker's own specifier of the market",
    "line": "Total, home handicap or goal number; null means that the market has no line",
    "handicap_type": "over_under, asian, european, number or null",
    "handicap_home": "Handicap of the home side",
    "handicap_away": "Handicap of the away side",
    "outcomes": "Selections: key, name, decimal odds (null if never priced), is_active (false = suspended)",
    "market_groups": "betPawa's tabs, or the bookmaker's own groups with its prefix",
    "unavailable_at": "When the market was first proved gone; null while it is offered",
    "last_updated_at": "When odds or availability last changed",
    "last_confirmed_at": "When the market was last seen",
    "is_stale": "Whether the bookmaker's answers for this event fail or are too old",
    "run_id": "The scrape run that wrote the row",
    "is_trusted": "False where an imported row carries a known fault of the system it is from",
}


def frame_columns(
    schema: Mapping[str, pl.DataType | type[pl.DataType]], meanings: Mapping[str, str] = COLUMN_MEANINGS
) -> dg.TableSchema:
    """The column schema of a polars frame; ``meanings``: what its columns mean, where they have their own."""
    return dg.TableSchema(
        columns=[_column(name, _polars_type(kind), meanings[name], is_required=False) for name, kind in schema.items()]
    )


def relation_columns(model: type[DeclarativeBase], meanings: Mapping[str, str] = COLUMN_MEANINGS) -> dg.TableSchema:
    """The column schema of a table or view, from its SQLAlchemy class; ``meanings``: of its columns."""
    dialect = postgresql.dialect()
    return dg.TableSchema(
        columns=[
            _column(
                column.name,
                column.type.compile(dialect).lower(),
                meanings[column.name],
                is_required=not column.nullable,
            )
            for column in model.__table__.columns
        ]
    )


def _column(name: str, kind: str, meaning: str, *, is_required: bool) -> dg.TableColumn:
    return dg.TableColumn(
        name,
        kind,
        description=meaning,
        constraints=dg.TableColumnConstraints(nullable=not is_required),
    )


def _polars_type(kind: object) -> str:
    """A short name: ``datetime[us, UTC]`` and not the repr of the class."""
    dtype = kind() if isinstance(kind, type) else kind
    if isinstance(dtype, pl.Struct):
        return "struct{" + ", ".join(field.name for field in dtype.fields) + "}"
    if isinstance(dtype, pl.List):
        return f"list[{_polars_type(dtype.inner)}]"
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit}, {dtype.time_zone}]"
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    return str(dtype).lower()


def sample(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue:
    """A few rows as a table, values in the form in which people read them."""
    records = [dg.TableRecord({name: _readable(value) for name, value in row.items()}) for row in rows]
    columns = [dg.TableColumn(name) for name in (records[0].data if records else ())]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def picture(png: bytes, shows: str) -> dg.MetadataValue:
    """A chart in the event itself, so that it is there without any further server; ``shows``: said instead of it."""
    return dg.MetadataValue.md(f"![{shows}](data:image/png;base64,{b64encode(png).decode()})")


def _readable(value: Any) -> str | int | float | bool | None:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = [_outcome(item) if isinstance(item, Mapping) else str(item) for item in value[:_ITEMS_SHOWN]]
        return ", ".join(shown) + (f", {len(value) - len(shown)} more" if len(value) > len(shown) else "")
    return value


def _outcome(outcome: Mapping[str, Any]) -> str:
    price = "-" if outcome["odds"] is None else f"{Decimal(str(outcome['odds'])).normalize():f}"
    return f"{outcome['name']} {price}{'' if outcome['is_active'] else ' (suspended)'}"
