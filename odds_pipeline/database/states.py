"""From the changed rows of a diff to the rows that current and history store.

``changed_rows`` reads the full observations of the changed markets, builds their new states on the stored ones, and
resolves every dictionary id. Nothing is written to the odds tables here; ``apply.py`` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.dictionaries import Label, OutcomeSet, Source, label_ids, outcome_set_ids, source_ids
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.odds.diff import Change
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA
from odds_pipeline.odds.states import STORED, new_states

T = TypeVar("T")

_SLICE = 25_000
"""Changed markets handled at once: bounds the memory of a first cycle, in which every market is new."""

_WORDS = ("betpawa_market_name", "handicap_type", "market_groups")
_SOURCE = ("source_market_id", "source_specifier")
_LINES = ("line", "handicap_home", "handicap_away")

#: Rows of ``markets``: identity and words.
MARKETS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.Int32,
    "event_bookmaker_id": pl.Int32,
    "market_type_id": pl.Int32,
    "label_id": pl.Int32,
    "source_id": pl.Int32,
    "outcome_set_id": pl.Int32,
    "label_fingerprint": pl.Int64,
    "line": pl.Decimal(10, 3),
    "handicap_home": pl.Decimal(10, 3),
    "handicap_away": pl.Decimal(10, 3),
}

#: States that go to current, and to history too.
STATES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "captured_at": pl.Datetime("us", "UTC"),
    "fingerprint": pl.Int64,
    "state": pl.Binary,
}


class ChangedRows(NamedTuple):
    """What a slice of a cycle writes to the odds tables: two frames of MARKETS, two of STATES.

    ``changes``: what history gets (CHANGES, but for the run).
    """

    new_markets: pl.DataFrame
    relabelled: pl.DataFrame
    new_states: pl.DataFrame
    changed_states: pl.DataFrame
    changes: pl.DataFrame


def changed_rows(
    database: Database, connection: psycopg.Connection, changes: pl.DataFrame, observations: pl.LazyFrame
) -> Iterator[tuple[ChangedRows, pl.DataFrame]]:
    """The rows to write for the observed ``changes``: ``Diff.changes`` with ``captured_at`` (the answer's arrival).

    ``observations`` is ``Answers.observations``. New markets get their ids here. With the rows come the observations
    behind them, in the same columns as those, and behind markets that were merely seen again after a refusal.
    """
    observed = changes.filter(pl.col("row").is_not_null()).sort("row")
    with ThreadPoolExecutor(1) as reading:
        for part in observed.iter_slices(_SLICE):
            # The files are read while the database looks up what is stored.
            reading_files = reading.submit(_full, observations, part["row"])
            is_written = part["change"] != Change.SIGHTED.value
            written = part.filter(is_written)
            known = written.filter(pl.col("market_id").is_not_null()).select("row", "market_id")
            stored = _stored(database, connection, known)
            full = reading_files.result()
            # Both are in the order of their rows, so nothing needs to be joined.
            arrived = full.with_columns(part["captured_at"]).select(*OBSERVATION_SCHEMA)
            yield _rows(connection, written, full.filter(is_written), stored), arrived


def _full(observations: pl.LazyFrame, rows: pl.Series) -> pl.DataFrame:
    """The observations at these positions (ascending), as ``row`` and everything that is stored of them."""
    first, last = int(rows[0]), int(rows[-1])
    # The slice keeps what lies before and after from being decoded, which a condition on the row does not.
    within = observations.with_row_index("row").slice(first, last - first + 1)
    return within.filter(pl.col("row").is_in(rows.implode())).select("row", *OBSERVATION_SCHEMA).collect()


def _rows(connection: psycopg.Connection, part: pl.DataFrame, full: pl.DataFrame, stored: pl.DataFrame) -> ChangedRows:
    is_new = pl.col("market_id").is_null()
    states, sets = new_states(full.select("row", "outcomes"), stored.select(*STORED))
    part = part.join(states, on="row", how="left", maintain_order="left").with_columns(was_new=is_new)
    part = part.with_columns(market_id=_with_new_ids(connection, part["market_id"]))
    reworded = part.filter(pl.col("was_new") | pl.col("is_relabelled") | pl.col("row").is_in(sets["row"].implode()))
    markets = _markets(connection, reworded, full, sets, stored)
    was_new = reworded["was_new"]
    written = part.filter(pl.col("change") != Change.RELABELLED.value)
    return ChangedRows(
        new_markets=markets.filter(was_new),
        relabelled=markets.filter(~was_new),
        new_states=written.filter("was_new").select(*STATES),
        changed_states=written.filter(~pl.col("was_new")).select(*STATES),
        changes=written.select("market_id", "captured_at", "state", event_bookmaker_id="listing_id"),
    )


def _stored(database: Database, connection: psycopg.Connection, markets: pl.DataFrame) -> pl.DataFrame:
    """State and outcome set of the markets (row, market_id) that are stored already, in STORED and more."""
    schema = {**STORED, "outcome_set_id": pl.Int32}
    if markets.is_empty():
        return pl.DataFrame(schema=schema)
    query = sql.SQL(
        """
        SELECT current.market_id, market.outcome_set_id, current.state
        FROM current_odds AS current JOIN markets AS market ON market.id = current.market_id
        WHERE current.market_id = ANY (%s::int[])
        """
    )
    found: dict[str, pl.DataType | type[pl.DataType]] = {
        "market_id": pl.Int32,
        "outcome_set_id": pl.Int32,
        "state": pl.Binary,
    }
    # Planned for these ids: how many they are decides whether the tables are read or their indexes.
    states = ask(connection, query, found, [integers(markets["market_id"])], prepare=False)()
    sets_query = sql.SQL("SELECT id AS outcome_set_id, keys, names FROM outcome_sets WHERE id = ANY ({})")
    sets = database.read_frame(sets_query.format(sql.Literal(states["outcome_set_id"].unique().to_list())))
    return (
        markets.join(states, on="market_id", how="inner")
        .join(sets, on="outcome_set_id", how="inner")
        .select(pl.col(name).cast(kind) for name, kind in schema.items())
    )


def _with_new_ids(connection: psycopg.Connection, market_ids: pl.Series) -> pl.Series:
    """The ids, with fresh ones in the place of the nulls."""
    if not market_ids.null_count():
        return market_ids
    rows = connection.execute(
        "SELECT nextval(pg_get_serial_sequence('markets', 'id')) FROM generate_series(1, %s)",
        [market_ids.null_count()],
    ).fetchall()
    fresh = (row[0] for row in rows)
    ids = [next(fresh) if market_id is None else market_id for market_id in market_ids.to_list()]
    return pl.Series("market_id", ids, dtype=pl.Int32)


def _markets(
    connection: psycopg.Connection,
    part: pl.DataFrame,
    full: pl.DataFrame,
    sets: pl.DataFrame,
    stored: pl.DataFrame,
) -> pl.DataFrame:
    """Rows of MARKETS for ``part``, in its order."""
    if part.is_empty():
        return pl.DataFrame(schema=dict(MARKETS))
    words = full.select("row", *_WORDS, *_SOURCE, *_LINES)
    words = part.select("row").join(words, on="row", maintain_order="left")
    labels = _ids(
        words, _WORDS, lambda name, kind, groups: Label(name, kind, tuple(groups or ())), label_ids, connection
    )
    sources = _ids(words, _SOURCE, Source, source_ids, connection)
    new_sets = _ids(
        sets, ("keys", "names"), lambda keys, names: OutcomeSet(tuple(keys), tuple(names)), outcome_set_ids, connection
    )
    kept_sets = stored.select("row", "outcome_set_id").join(new_sets, on="row", how="anti")
    rows = (
        part.drop("line")
        .join(words, on="row", maintain_order="left")
        .join(labels.rename({"id": "label_id"}), on="row", maintain_order="left")
        .join(sources.rename({"id": "source_id"}), on="row", maintain_order="left")
        .join(
            pl.concat([new_sets.rename({"id": "outcome_set_id"}), kept_sets]),
            on="row",
            maintain_order="left",
        )
    )
    names = {"id": "market_id", "event_bookmaker_id": "listing_id", "market_type_id": "type_id"}
    return rows.select(pl.col(names.get(name, name)).cast(kind).alias(name) for name, kind in MARKETS.items())


def _ids(
    frame: pl.DataFrame,
    columns: Sequence[str],
    value: Callable[..., T],
    ids_of: Callable[[psycopg.Connection, list[T]], Mapping[T, int]],
    connection: psycopg.Connection,
) -> pl.DataFrame:
    """(row, id): each row's id in a dictionary table, asked for once for each different value of the columns."""
    distinct = frame.group_by(columns, maintain_order=True).agg("row")
    values = [value(*row) for row in _plain_rows(distinct.select(columns))]
    ids = ids_of(connection, values)
    numbers = pl.Series([ids[each] for each in values], dtype=pl.Int32)
    return distinct.select("row", id=numbers).explode("row")


def _plain_rows(frame: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_list() for column in frame.iter_columns()), strict=True)
