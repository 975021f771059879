"""Whatever the snapshots say, replaying the changes gives the state of each again, and no change repeats another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.legacy.offers import OfferReader
from odds_pipeline.legacy.tables import MARKET_ODDS, MARKET_ODDS_HISTORY, STATEMENT_SCHEMA
from odds_pipeline.legacy.timeline import timeline_of
from odds_pipeline.markets.mapper import Mapper

_MAPPER = Mapper.load()
_READER = OfferReader(_MAPPER.catalogue)
_BOOKMAKERS = pl.DataFrame(
    {"listing": [1], "bookmaker": ["betpawa"]}, schema={"listing": pl.Int64, "bookmaker": pl.String}
)
_START = datetime(2026, 2, 1, tzinfo=UTC)
_KEYS = {"3743": {"1": "3744", "X": "3745", "2": "3746"}, "3795": {"Yes": "3796", "No": "3797"}}

_prices = st.sampled_from([1.5, 2.0, None])
_offers = {
    market_id: st.dictionaries(st.sampled_from(sorted(names)), _prices, min_size=1)
    for market_id, names in _KEYS.items()
}
_snapshots = st.fixed_dictionaries({}, optional=_offers).filter(bool)
#: A row of the second generation: one market of the moment, nothing about the others.
_rows = st.one_of(*(offer.map(lambda o, m=market_id: {m: o}) for market_id, offer in _offers.items()))
_moments = st.lists(st.tuples(st.booleans(), _snapshots, _rows), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(_moments)
def test_replaying_changes_gives_each_moments_state(moments: list[tuple[bool, dict, dict]]) -> None:  # pyright: ignore[reportMissingTypeArgument]
    statements: list[dict[str, object]] = []
    expected: list[dict[str, object]] = []
    offered: dict[str, dict[str, float | None]] = {}
    for number, (is_snapshot, snapshot, row) in enumerate(moments):
        told = snapshot if is_snapshot else row
        offered = dict(told) if is_snapshot else offered | told
        statements += [_statement(number, is_snapshot, market_id, offer) for market_id, offer in told.items()]
        expected.append({market_id: _state(market_id, offer) for market_id, offer in offered.items()})
    changes = timeline_of(pl.DataFrame(statements, schema=STATEMENT_SCHEMA), _BOOKMAKERS, _MAPPER, _READER).changes
    replayed: dict[str, object] = {}
    for number, state in enumerate(expected):
        for change in changes.filter(pl.col("at") == _at(number)).iter_rows(named=True):
            now = frozenset((o["key"], o["is_active"], o["odds"] and float(o["odds"])) for o in change["outcomes"])
            assert replayed.get(change["market_id"], frozenset()) != now
            replayed[change["market_id"]] = now
        assert {market_id: now for market_id, now in replayed.items() if now} == state


def _at(number: int) -> datetime:
    return _START + timedelta(minutes=number)


def _state(market_id: str, offer: dict[str, float | None]) -> frozenset[tuple[str, bool, float | None]]:
    return frozenset((_KEYS[market_id][name], odds is not None, odds) for name, odds in offer.items())


def _statement(number: int, is_snapshot: bool, market_id: str, offer: dict[str, float | None]) -> dict[str, object]:
    outcomes = [{"name": name, "odds": odds or 3.3, "is_active": odds is not None} for name, odds in offer.items()]
    return {
        "listing": 1,
        "at": _at(number),
        "table": MARKET_ODDS if is_snapshot else MARKET_ODDS_HISTORY,
        "snapshot_id": number if is_snapshot else None,
        "row_id": number,
        "market_id": market_id,
        "outcomes": json.dumps(outcomes),
    }
