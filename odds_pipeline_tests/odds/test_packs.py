"""Packs: what goes in comes out, and the bytes are those of the layout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odds_pipeline.odds.packs import CHANGES, LARGEST_NUMBER, PACKS, ChangedTwice, PackTooLarge, changes_in, packs_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def frame(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(CHANGES), orient="row")


def change(market_id: int, state: bytes = b"\x00\x00\xfa", *, listing: int = 7, minute: int = 0, run: int = 1) -> Any:
    return listing, market_id, NOON + timedelta(minutes=minute), run, state


KEYS = st.tuples(st.integers(0, 3), st.integers(1, 2**31 - 1), st.integers(0, 2))
RUNS = st.just(1) | st.integers(1, 3) | st.integers(1, 2**31 - 1)
CHANGED = st.dictionaries(KEYS, st.tuples(st.binary(max_size=70), RUNS), max_size=40)


@settings(deadline=None)
@given(CHANGED)
def test_what_is_packed_is_unpacked(changed: dict[tuple[int, int, int], tuple[bytes, int]]) -> None:
    rows = frame(
        *(
            change(market, state, listing=at, minute=minute, run=run)
            for (at, market, minute), (state, run) in changed.items()
        )
    ).sort("event_bookmaker_id", "captured_at", "market_id")
    packs = packs_of(rows)
    assert packs.schema == pl.Schema(PACKS)
    assert packs.height == rows.select("event_bookmaker_id", "captured_at").n_unique()
    assert changes_in(packs).select(*CHANGES).equals(rows)
    part = packs.slice(1, 2)
    of_part = rows.join(part, on=["event_bookmaker_id", "captured_at"], how="semi", maintain_order="left")
    assert changes_in(part).select(*CHANGES).equals(of_part)


def test_a_pack_is_the_number_the_markets_the_lengths_and_the_states() -> None:
    (row,) = packs_of(frame(change(258, b"\x00\x00\xfa"), change(3, b"\x02"))).to_dicts()
    assert row == {
        "captured_at": NOON,
        "event_bookmaker_id": 7,
        "run_id": 1,
        "changes": bytes.fromhex("0002 00000003 00000102 0001 0003 02 0000fa"),
    }


def test_a_pack_of_several_runs_has_the_latest_and_says_each_changes_own() -> None:
    rows = frame(change(1, b"\x02", run=4), change(2, b"\x02", run=258), change(3, b"\x02", run=2))
    (row,) = packs_of(rows).to_dicts()
    assert row["run_id"] == 258
    assert row["changes"] == bytes.fromhex(
        "8003 00000001 00000002 00000003 0001 0001 0001 02 02 02 00000004 00000102 00000002"
    )
    beside = packs_of(pl.concat([rows, frame(change(1, minute=1, run=5))]))
    assert changes_in(beside)["run_id"].to_list() == [4, 258, 2, 5]


def test_the_columns_beside_the_changes_are_each_changes_own() -> None:
    packs = packs_of(frame(change(1), change(2), change(1, minute=1))).select("changes", word=pl.Series(["a", "b"]))
    assert changes_in(packs).select("word", "market_id").rows() == [("a", 1), ("a", 2), ("b", 1)]


def test_more_changes_than_a_pack_can_count_are_refused() -> None:
    most = [change(market, run=1 + market % 2) for market in range(1, LARGEST_NUMBER + 1)]
    assert changes_in(packs_of(frame(*most)))["run_id"].to_list() == [run for _, _, _, run, _ in most]
    with pytest.raises(PackTooLarge, match=r"bookmaker event 7 at 2026-11-20.*32,768 changes"):
        packs_of(frame(*most, change(LARGEST_NUMBER + 1)))


def test_a_state_longer_than_a_pack_can_say_is_refused() -> None:
    assert changes_in(packs_of(frame(change(1, bytes(LARGEST_NUMBER)))))["state"][0] == bytes(LARGEST_NUMBER)
    with pytest.raises(PackTooLarge, match="32,768 bytes"):
        packs_of(frame(change(1, bytes(LARGEST_NUMBER + 1)), change(2, listing=8)))


def test_two_changes_of_a_market_and_moment_are_refused() -> None:
    told = r"two changes of market 5 at 2026-11-20 12:00:00\+00:00 \(bookmaker event 7\)"
    for again in (change(5), change(5, b"\x02"), change(5, run=2)):
        with pytest.raises(ChangedTwice, match=told):
            packs_of(frame(change(4), change(5), change(6), again))
    assert packs_of(frame(change(5), change(5, minute=1), change(5, listing=8))).height == 3
