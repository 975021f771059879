"""How OpenAPI tells what answers look like: JSON Schema and an example from the very schemas that the frames have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from odds_pipeline.analysis.meanings import MEANINGS

FrameSchema = Mapping[str, Any]
"""Column to its polars type, as the questions define their answers."""

#: The UTC days that an answer may lack something of.
UNIMPORTED_DAYS: Mapping[str, Any] = {
    "type": "array",
    "description": "UTC days that may lack odds: an earlier system has them, and they were not imported",
    "items": {"type": "string", "format": "date"},
}


def row_schema(schema: FrameSchema) -> dict[str, Any]:
    """The JSON Schema of one row. Any column may be null; which ones are is part of their meaning."""
    return {
        "type": "object",
        "properties": {name: _told(name, kind) for name, kind in schema.items()},
        "required": list(schema),
        "additionalProperties": False,
    }


def rows_schema(schema: FrameSchema) -> dict[str, Any]:
    """The JSON Schema of a frame."""
    return {"type": "array", "items": row_schema(schema)}


def example_row(schema: FrameSchema) -> dict[str, Any]:
    """One row as it might be; without nulls, which FastAPI takes out of the document."""
    return {name: _example(name, _dtype(kind)) for name, kind in schema.items()}


def _told(name: str, kind: Any) -> dict[str, Any]:
    return {**_json_type(_dtype(kind)), "description": MEANINGS[name]}


def _json_type(kind: pl.DataType) -> dict[str, Any]:
    match kind:
        case pl.List():
            return {"type": ["array", "null"], "items": _json_type(_dtype(kind.inner))}
        case pl.Struct():
            return row_schema({field.name: field.dtype for field in kind.fields}) | {"type": ["object", "null"]}
        case pl.Datetime():
            return {"type": ["string", "null"], "format": "date-time"}
        case pl.Date():
            return {"type": ["string", "null"], "format": "date"}
        case pl.String():
            return {"type": ["string", "null"]}
        case pl.Boolean():
            return {"type": ["boolean", "null"]}
        case _ if kind.is_integer():
            return {"type": ["integer", "null"]}
        case _ if kind.is_numeric():
            return {"type": ["number", "null"]}
        case _:
            raise TypeError(f"{kind} has no form in JSON")


_EXAMPLES: Mapping[str, Any] = {
    "away_team": "Chelsea",
    "betpawa_market_id": "5000",
    "betpawa_market_name": "Total Score Over/Under - FT",
    "bookmaker_slug": "betpawa",
    "bucket": "1-6h",
    "country": "England",
    "direction": "up",
    "discovery_status": "complete",
    "error_type": "timeout",
    "external_event_id": "31415926",
    "handicap_type": "over_under",
    "home_team": "Arsenal",
    "key": "5001",
    "market_group": "popular",
    "market_groups": ["popular"],
    "message": "no answer within 30 s",
    "name": "Over",
    "point": "change",
    "source_market_id": "18",
    "source_specifier": "total=2.5",
    "sportradar_id": "50850679",
    "stage": "diff",
    "state": "available",
    "status": "completed",
    "tournament": "Premier League",
    "trigger": "scheduled",
}


def _example(name: str, kind: pl.DataType) -> Any:
    if name in _EXAMPLES and not isinstance(kind, pl.Struct):
        return _EXAMPLES[name]
    match kind:
        case pl.List():
            inner = _dtype(kind.inner)
            return [_example(name.removesuffix("s"), inner)]
        case pl.Struct():
            return example_row({field.name: field.dtype for field in kind.fields})
        case pl.Datetime():
            return "2026-11-20T12:00:10Z"
        case pl.Date():
            return "2026-11-20"
        case pl.String():
            return "..."
        case pl.Boolean():
            return False
        case pl.Decimal():
            return 2.5 if name == "line" else 1.85
        case _ if kind.is_integer():
            return 12
        case _:
            return 5.25


def _dtype(kind: Any) -> pl.DataType:
    return kind() if isinstance(kind, type) else kind
