"""The earlier system's known faults, stored by hand: what is mended, what is marked as untrusted, what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from odds_pipeline_tests.legacy.one_match import WINNER, Competitor, OldSystem, count, market, offer, shown, winner

FIRST_ROW = market("4706", {"1/1": 2.0, "1/X": 15.0, "1/2": 30.0})
OTHER_ROWS = [
    market("4706", {"X/1": 5.0, "X/X": 6.0, "X/2": 7.0}),
    market("4706", {"2/1": 20.0, "2/X": 15.5, "2/2": 4.0}),
]


def test_rows_that_one_market_was_split_into_are_one_market_again(old: OldSystem) -> None:
    old.snapshot(1, FIRST_ROW, *OTHER_ROWS)
    old.snapshot(2, *OTHER_ROWS, FIRST_ROW)
    found = old.changes()
    ((_, outcomes),) = shown(found)
    assert len(outcomes) == 9
    assert found.observations["is_trusted"].to_list() == [True]
    assert (count(found, "merged"), count(found, "unchanged")) == (4, 1)


def test_the_last_row_of_a_split_market_is_not_trusted(old: OldSystem) -> None:
    old.history(1, "betpawa", OTHER_ROWS[1])
    found = old.changes()
    assert found.observations["distrust"].to_list() == ["only part of the market's outcomes was kept"]
    assert count(found, "untrusted") == 1


@pytest.mark.parametrize("market_id", ["129108", "99999999"])
def test_a_row_of_players_or_of_an_unknown_market_may_be_all_that_was_kept(old: OldSystem, market_id: str) -> None:
    old.snapshot(1, market(market_id, {"Somebody": 3.5}))
    (reason,) = old.changes().observations["distrust"].to_list()
    assert reason == "whether all of the market's outcomes were kept cannot be known"
    old.snapshot(1.5, market(market_id, {"Somebody": 3.5}), market(market_id, {"Somebody Else": 4.5}))
    assert old.changes().observations["distrust"].to_list() == [reason, None]


def test_a_row_stored_twice_counts_once(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8), winner(1.8))
    old.snapshot(1, winner(1.8))
    found = old.changes()
    assert shown(found) == [(1, offer("1.8"))]
    assert count(found, "duplicates") == 2


def test_contradicting_rows_of_one_market_are_refused_and_prove_nothing(old: OldSystem) -> None:
    old.snapshot(1, winner(1.8))
    old.snapshot(2, winner(1.8), winner(1.9))
    old.snapshot(3, winner(1.8))
    found = old.changes()
    assert shown(found) == [(1, offer("1.8"))]
    assert found.refusals == {"conflicting_duplicate": 1}


@pytest.mark.parametrize("market_id", ["28000014", "28000047", "28000065", "3819", "4063"])
def test_sportybets_positional_outcomes_are_not_trusted_and_others_are(old: OldSystem, market_id: str) -> None:
    any_offer = {"1X & Yes": 1.8, "whatever": 2.0}
    old.snapshot(1, market(market_id, any_offer), winner(1.8), competitor=Competitor.SPORTYBET)
    found = old.changes().observations
    assert found.filter(betpawa_market_id=market_id)["distrust"].to_list() == ["outcomes were matched by position"]
    assert found.filter(betpawa_market_id=WINNER)["distrust"].to_list() == [None]


def test_competitors_team_corners_under_ranges_are_not_trusted(old: OldSystem) -> None:
    corners = market("1096793", {"Over": 1.8, "Under": 2.0}, line=4.5)
    old.snapshot(1, corners, competitor=Competitor.BET9JA)
    old.snapshot(1, market("1096793", {"0-2": 3.0, "3-4": 2.0, "5-6": 2.5, "7+": 4.0}))
    found = old.changes().observations.sort("bookmaker")
    assert found["is_trusted"].to_list() == [False, True]
    assert shown(old.changes())[0][1] == {"legacy:Over": "1.8", "legacy:Under": "2"}


def test_bet9jas_price_of_one_is_not_offered_and_spoils_the_trust(old: OldSystem) -> None:
    old.snapshot(1, winner(1.0), competitor=Competitor.BET9JA)
    old.snapshot(2, winner(1.8), competitor=Competitor.BET9JA)
    old.snapshot(3, market(WINNER, {"1": 1.0, "X": 1.0, "2": 1.0}), competitor=Competitor.BET9JA)
    found = old.changes()
    assert shown(found) == [(1, {"3745": "3.4", "3746": "4.1"}), (2, offer("1.8")), (3, {})]
    assert found.observations["is_trusted"].to_list() == [False, True, True]


def test_european_lines_are_worked_out_where_the_handicap_says_them(old: OldSystem) -> None:
    head_start = market(
        "4724", {"1": 3.0, "X": 3.5, "2": 2.0}, handicap_type="european", handicap_home=0, handicap_away=1
    )
    old.snapshot(1, head_start, competitor=Competitor.SPORTYBET)
    (row,) = old.changes().observations.iter_rows(named=True)
    assert (row["line"], row["handicap_home"], row["handicap_away"]) == (Decimal(-1), Decimal(-1), Decimal(1))
    assert row["is_trusted"]


def test_a_european_line_that_nothing_tells_is_not_trusted(old: OldSystem) -> None:
    old.snapshot(1, market("4724", {"1": 3.0, "X": 3.5, "2": 2.0}, handicap_type="european"))
    (row,) = old.changes().observations.iter_rows(named=True)
    assert (row["line"], row["distrust"]) == (None, "the line was not stored")


def test_a_competitors_handicap_gets_its_line_from_beside_it(old: OldSystem) -> None:
    handicap = market("3774", {"1": 1.9, "2": 1.9}, handicap_type="asian", handicap_home=-0.75, handicap_away=0.75)
    disputed = market("3747", {"1": 1.9, "2": 1.9}, handicap_type="asian", handicap_home=-0.75, handicap_away=-0.75)
    old.snapshot(1, handicap, disputed, competitor=Competitor.SPORTYBET)
    lines = {row["betpawa_market_id"]: (row["line"], row["distrust"]) for row in old.changes().observations.to_dicts()}
    assert lines["3774"] == (Decimal("-0.75"), None)
    assert lines["3747"] == (None, "home and away handicap contradict each other")


def test_a_market_that_the_catalogue_maps_from_nowhere_is_not_trusted(old: OldSystem) -> None:
    old.snapshot(1, market("4429", {"1:0": 7.0}), competitor=Competitor.SPORTYBET)
    assert old.changes().observations["distrust"].to_list() == ["the catalogue knows no such market of this bookmaker"]


def test_outcomes_get_the_keys_of_the_live_path_and_unknown_names_one_of_their_own(old: OldSystem) -> None:
    spelled = {"1 & Over": 2.1, "X - Over": 4.0, "Somebody": 9.0}
    old.snapshot(1, market("1096755", spelled, line=2.5), competitor=Competitor.SPORTYBET)
    ((_, outcomes),) = shown(old.changes())
    assert outcomes == {"1099337": "2.1", "1099338": "4", "legacy:Somebody": "9"}
