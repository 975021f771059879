"""From the changed rows of a diff to the rows that current and history store.

``changed_rows`` reads the full observations of the changed markets, packs their outcomes in the order of each market's
outcome set, carries the last active prices over, and resolves every dictionary id. Nothing is written to the odds
tables here; ``apply.py`` does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import polars as pl
import psycopg

from odds_pipeline.database.dictionaries import (
    Label,
    OutcomeSet,
    Source,
    label_ids,
    outcome_set_ids,
    source_ids,
)
from odds_pipeline.odds.diff import Change
from odds_pipeline.odds.packed import OutcomeStatus, pack, unpack, with_availability

_SLICE = 100_000
"""Observations read at once: bounds the memory of a first cycle, in which every market is new."""

_ABSENT = (OutcomeStatus.ABSENT.value, 0)


class StoredMarket(NamedTuple):
    """What a market's new state builds on: its packed state and its outcome set."""

    state: bytes
    outcome_set_id: int
    outcome_set: OutcomeSet


class MarketRow(NamedTuple):
    """A row of ``markets``: identity and words."""

    market_id: int
    listing_id: int
    type_id: int
    label_id: int
    source_id: int
    outcome_set_id: int
    label_fingerprint: int
    line: Decimal | None
    handicap_home: Decimal | None
    handicap_away: Decimal | None


class StateRow(NamedTuple):
    """A state that goes to current, and to history too."""

    captured_at: datetime
    market_id: int
    listing_id: int
    fingerprint: int
    state: bytes
    is_unavailable: bool


class ChangedRows(NamedTuple):
    """Everything that one cycle writes to the odds tables."""

    new_markets: list[MarketRow]
    relabelled: list[MarketRow]
    new_states: list[StateRow]
    changed_states: list[StateRow]


def changed_rows(connection: psycopg.Connection, changes: pl.DataFrame, observations: pl.LazyFrame) -> ChangedRows:
    """The rows to write for ``changes``: ``Diff.changes`` with ``captured_at`` (the answer's arrival) added.

    ``observations`` is ``Answers.observations``. New markets get their ids here.
    """
    rows = ChangedRows([], [], [], [])
    observed = changes.filter(pl.col("row").is_not_null() & (pl.col("change") != Change.SIGHTED.value)).sort("row")
    for part in _slices(observed):
        _add_observed(connection, part, observations, rows)
    _add_unavailable(connection, changes.filter(pl.col("change") == Change.UNAVAILABLE.value), rows)
    return rows


def stored_markets(connection: psycopg.Connection, market_ids: list[int]) -> dict[int, StoredMarket]:
    """State and outcome set of markets, by market id."""
    rows = connection.execute(
        """
        SELECT current.market_id, current.state, market.outcome_set_id
        FROM current_odds AS current JOIN markets AS market ON market.id = current.market_id
        WHERE current.market_id = ANY(%s)
        """,
        [market_ids],
    ).fetchall()
    sets = {
        set_id: OutcomeSet(tuple(keys), tuple(names))
        for set_id, keys, names in connection.execute(
            "SELECT id, keys, names FROM outcome_sets WHERE id = ANY(%s)", [list({row[2] for row in rows})]
        )
    }
    return {market_id: StoredMarket(state, set_id, sets[set_id]) for market_id, state, set_id in rows}


def merge_state(
    stored: StoredMarket | None, keys: list[str], names: list[str], prices: list[int | None], active: list[bool]
) -> tuple[OutcomeSet, bytes]:
    """The market's outcome set and packed state after seeing these outcomes.

    The set keeps its order and grows at its end. An inactive outcome, and one that is gone, keeps the last price that
    it had while active.
    """
    if stored is None:
        return OutcomeSet(tuple(keys), tuple(names)), pack(
            [
                (OutcomeStatus.ACTIVE.value, price or 0) if is_active else (OutcomeStatus.INACTIVE.value, 0)
                for price, is_active in zip(prices, active, strict=True)
            ]
        )
    set_keys, set_names = list(stored.outcome_set.keys), list(stored.outcome_set.names)
    places = {key: place for place, key in enumerate(set_keys)}
    last = [outcome.price for outcome in unpack(stored.state).outcomes]
    last += [0] * (len(set_keys) - len(last))
    outcomes = [(OutcomeStatus.ABSENT.value, price) for price in last]
    for key, name, price, is_active in zip(keys, names, prices, active, strict=True):
        place = places.get(key)
        if place is None:
            set_keys.append(key)
            set_names.append(name)
            outcomes.append(
                (OutcomeStatus.ACTIVE.value, price or 0) if is_active else (OutcomeStatus.INACTIVE.value, 0)
            )
        else:
            set_names[place] = name
            outcomes[place] = (
                (OutcomeStatus.ACTIVE.value, price or 0) if is_active else (OutcomeStatus.INACTIVE.value, last[place])
            )
    while outcomes and outcomes[-1] == _ABSENT:
        outcomes.pop()
    return OutcomeSet(tuple(set_keys), tuple(set_names)), pack(outcomes)


def _slices(observed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    if observed.is_empty():
        return
    for _, part in observed.group_by(pl.col("row") // _SLICE, maintain_order=True):
        yield part


def _add_observed(
    connection: psycopg.Connection, part: pl.DataFrame, observations: pl.LazyFrame, rows: ChangedRows
) -> None:
    first, last = int(part["row"][0]), int(part["row"][-1])
    places = part["row"] - first
    full = (
        observations.slice(first, last - first + 1)
        .select(
            "betpawa_market_name",
            "handicap_type",
            "market_groups",
            "source_market_id",
            "source_specifier",
            "line",
            "handicap_home",
            "handicap_away",
            "outcomes",
        )
        .collect()[places]
    )
    outcome = pl.element().struct
    lists = full.select(
        keys=pl.col("outcomes").list.eval(outcome.field("key")),
        names=pl.col("outcomes").list.eval(outcome.field("name")),
        prices=pl.col("outcomes").list.eval((outcome.field("odds") * 1000).cast(pl.Int64)),
        active=pl.col("outcomes").list.eval(outcome.field("is_active")),
    )
    stored = stored_markets(connection, part["market_id"].drop_nulls().to_list())
    labels = [
        Label(name, handicap_type, tuple(groups or ()))
        for name, handicap_type, groups in full.select(
            "betpawa_market_name", "handicap_type", "market_groups"
        ).iter_rows()
    ]
    sources = [Source(*row) for row in full.select("source_market_id", "source_specifier").iter_rows()]
    merged = [
        merge_state(stored.get(market_id) if market_id is not None else None, keys, names, prices, active)
        for market_id, keys, names, prices, active in zip(
            part["market_id"].to_list(),
            *(lists[name].to_list() for name in ("keys", "names", "prices", "active")),
            strict=True,
        )
    ]
    label_id = label_ids(connection, labels)
    source_id = source_ids(connection, sources)
    set_id = outcome_set_ids(connection, {outcome_set for outcome_set, _ in merged})
    fresh = iter(_new_market_ids(connection, part["market_id"].null_count()))
    key_columns = ("market_id", "listing_id", "type_id", "change", "is_relabelled", "captured_at")
    columns = part.select(*key_columns, "fingerprint", "label_fingerprint").iter_rows()
    lines = full.select("line", "handicap_home", "handicap_away").iter_rows()
    for key, line_columns, label, source, (outcome_set, state) in zip(
        columns, lines, labels, sources, merged, strict=True
    ):
        known_id, listing_id, type_id, change, is_relabelled, captured_at, fingerprint, label_fingerprint = key
        market_id = next(fresh) if known_id is None else known_id
        outcome_set_id = set_id[outcome_set]
        has_new_words = is_relabelled or (known_id is not None and stored[known_id].outcome_set_id != outcome_set_id)
        if known_id is None or has_new_words:
            market = MarketRow(
                market_id, listing_id, type_id, label_id[label], source_id[source], outcome_set_id, label_fingerprint,
                *line_columns,
            )  # fmt: skip
            (rows.new_markets if known_id is None else rows.relabelled).append(market)
        if change != Change.RELABELLED:
            row = StateRow(captured_at, market_id, listing_id, fingerprint, state, is_unavailable=False)
            (rows.new_states if known_id is None else rows.changed_states).append(row)


def _add_unavailable(connection: psycopg.Connection, gone: pl.DataFrame, rows: ChangedRows) -> None:
    stored = stored_markets(connection, gone["market_id"].to_list())
    for market_id, listing_id, captured_at, fingerprint in gone.select(
        "market_id", "listing_id", "captured_at", "fingerprint"
    ).iter_rows():
        state = with_availability(stored[market_id].state, is_unavailable=True)
        rows.changed_states.append(
            StateRow(captured_at, market_id, listing_id, fingerprint, state, is_unavailable=True)
        )


def _new_market_ids(connection: psycopg.Connection, count: int) -> list[int]:
    if count == 0:
        return []
    return [
        row[0]
        for row in connection.execute(
            "SELECT nextval(pg_get_serial_sequence('markets', 'id')) FROM generate_series(1, %s)", [count]
        )
    ]
