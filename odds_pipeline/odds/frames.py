"""From parsed answers to polars frames, and the check that a frame is what its schema says.

Columns are filled as flat arrays and handed to Arrow, which is about ten times faster than building list-of-struct
columns from Python rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from odds_pipeline.odds.arrow_columns import decimal_column, outcomes_column, text_column, texts_column
from odds_pipeline.odds.observation import (
    COVERAGE_SCHEMA,
    OBSERVATION_SCHEMA,
    AnswerStatus,
    Listing,
    ParsedAnswer,
)

_LISTING_COLUMNS = (
    "bookmaker",
    "external_event_id",
    "sportradar_id",
    "sport",
    "country",
    "tournament",
    "home_team",
    "away_team",
    "kickoff",
)
_TEXT_COLUMNS = (
    "betpawa_market_id",
    "betpawa_market_name",
    "source_market_id",
    "source_specifier",
    "handicap_type",
)
_DECIMAL_COLUMNS = ("line", "handicap_home", "handicap_away")


class SchemaMismatch(ValueError):
    """A frame or file lacks a column of its contract or holds another type; the message lists each difference."""


def observations_frame(answers: Iterable[tuple[ParsedAnswer, datetime]], *, cycle_at: datetime) -> pl.DataFrame:
    """Observations of the given (answer, arrival) pairs in ``OBSERVATION_SCHEMA``."""
    said = [(answer, captured_at) for answer, captured_at in answers if answer.observations]
    rows = [row for answer, _ in said for row in answer.observations]
    # What an answer's rows have in common is made once for each answer and repeated.
    common: dict[str, Any] = {
        "cycle_at": [cycle_at] * len(said),
        "captured_at": [captured_at for _, captured_at in said],
    }
    for name in _LISTING_COLUMNS:
        common[name] = [getattr(answer.listing, name) for answer, _ in said]
    repeats = pl.Series([len(answer.observations) for answer, _ in said], dtype=pl.UInt32)
    return (
        pl.DataFrame(common, schema={name: OBSERVATION_SCHEMA[name] for name in common})
        .select(pl.all().repeat_by(repeats).explode())
        .with_columns(
            *(text_column([getattr(row, name) for row in rows]).alias(name) for name in _TEXT_COLUMNS),
            *(
                decimal_column([getattr(row, name) for row in rows], precision=10).alias(name)
                for name in _DECIMAL_COLUMNS
            ),
            outcomes_column([row.outcomes for row in rows]).alias("outcomes"),
            texts_column([row.market_groups for row in rows]).alias("market_groups"),
        )
        .select(*OBSERVATION_SCHEMA)
    )


def coverage_frame(
    rows: Sequence[Mapping[str, Any]],
) -> pl.DataFrame:
    """Coverage rows (see ``coverage_row`` and ``discovery_row``) in ``COVERAGE_SCHEMA``."""
    return pl.DataFrame(list(rows), schema=dict(COVERAGE_SCHEMA))


def coverage_row(
    listing: Listing,
    *,
    cycle_at: datetime,
    captured_at: datetime,
    run_id: int | None,
    status: AnswerStatus,
    reason: str | None = None,
    message: str | None = None,
    answer: ParsedAnswer | None = None,
) -> dict[str, Any]:
    """The coverage of one event: what was asked, and what came of it."""
    return {
        "cycle_at": cycle_at,
        "captured_at": captured_at,
        "run_id": run_id,
        "status": str(status),
        "reason": reason,
        "message": message,
        "refused": []
        if answer is None
        else [{"betpawa_market_id": r.betpawa_market_id, "line": r.line, "reason": r.reason} for r in answer.refused],
        "content_hash": None if answer is None else answer.content_hash,
        "outcomes_stored": 0 if answer is None else answer.outcomes_stored,
        "outcomes_not_offered": 0 if answer is None else answer.outcomes_not_offered.total(),
        "outcomes_refused": 0 if answer is None else answer.outcomes_refused.total(),
        **{name: getattr(listing, name) for name in _LISTING_COLUMNS},
    }


def discovery_row(
    bookmaker: str,
    *,
    cycle_at: datetime,
    captured_at: datetime,
    run_id: int | None,
    status: AnswerStatus,
    reason: str | None = None,
    message: str | None = None,
) -> dict[str, Any]:
    """The coverage of a bookmaker's whole offer (``external_event_id`` null)."""
    row: dict[str, Any] = dict.fromkeys(COVERAGE_SCHEMA)
    return row | {
        "cycle_at": cycle_at,
        "captured_at": captured_at,
        "run_id": run_id,
        "bookmaker": bookmaker,
        "status": str(status),
        "reason": reason,
        "message": message,
        "refused": [],
    }


def conformed(
    frame: pl.DataFrame, schema: Mapping[str, pl.DataType | type[pl.DataType]], *, source: str
) -> pl.DataFrame:
    """The frame with columns cast to ``schema`` where that loses nothing: nulls without a type, another unit or width.

    For files that others wrote. Columns that would lose something stay as they are, for ``require_schema`` to name;
    columns beyond the schema stay too. Raises ``SchemaMismatch`` when a value does not fit its column.
    """
    casts = [pl.col(name).cast(kind) for name, kind in schema.items() if _is_lossless(frame.schema.get(name), kind)]
    try:
        return frame.with_columns(casts)
    except pl.exceptions.PolarsError as error:
        raise SchemaMismatch(f"{source} does not match its contract: {str(error).splitlines()[0]}") from error


def _is_lossless(actual: Any, wanted: Any) -> bool:
    if actual is None or actual == wanted:
        return False
    if isinstance(actual, pl.List) and isinstance(wanted, pl.List):
        return _is_lossless(_instance(actual.inner), wanted.inner)
    if isinstance(actual, pl.Struct) and isinstance(wanted, pl.Struct):
        there = actual.to_schema()
        return list(there) == list(wanted.to_schema()) and all(
            kind == there[name] or _is_lossless(_instance(there[name]), kind)
            for name, kind in wanted.to_schema().items()
        )
    if isinstance(actual, pl.Decimal) and isinstance(wanted, pl.Decimal):
        return actual.scale <= wanted.scale
    if isinstance(actual, pl.Datetime) and isinstance(wanted, pl.Datetime):
        return actual.time_zone == wanted.time_zone
    return isinstance(actual, (pl.Null, pl.Categorical, pl.Enum))


def _instance(kind: Any) -> Any:
    return kind() if isinstance(kind, type) else kind


def require_schema(
    frame: pl.DataFrame | pl.LazyFrame,
    schema: Mapping[str, pl.DataType | type[pl.DataType]],
    *,
    source: str,
    optional: frozenset[str] = frozenset(),
) -> None:
    """Raise ``SchemaMismatch`` naming ``source`` and every column that is missing or of another type."""
    actual = frame.collect_schema()
    wrong = [
        f"{name}: expected {kind}, got {actual.get(name, 'no such column')}"
        for name, kind in schema.items()
        if actual.get(name) != kind and not (name in optional and name not in actual)
    ]
    if wrong:
        raise SchemaMismatch(f"{source} does not match its contract: " + "; ".join(wrong))
