"""Where stored markets belong once the catalogue has learnt more."""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from odds_pipeline.markets.catalogue import Catalogue
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.markets.remap import Move, moves
from odds_pipeline_tests.bookmakers.answers import SAMPLES, body, sample
from odds_pipeline_tests.bookmakers.test_accounting import PARSERS

NOW = Mapper.load()


def learnt(folder: Path, **added: list[str]) -> Mapper:
    """The project's catalogue with rows added, and rows removed that start with a minus."""
    for source in (files("odds_pipeline.markets") / "data").iterdir():
        if not source.name.endswith(".csv"):
            continue
        changes = added.get(source.name.removesuffix(".csv"), [])
        removed = [line[1:] for line in changes if line.startswith("-")]
        lines = source.read_text("utf-8").splitlines()
        kept = [line for line in lines if not any(line.startswith(start) for start in removed)]
        kept += [line for line in changes if not line.startswith("-")]
        (folder / source.name).write_text("\n".join(kept) + "\n", "utf-8")
    return Mapper(Catalogue.load(folder))


def summary(found: list[Move] | None) -> dict[tuple[str, str | None], dict[str, tuple[str, str]]]:
    assert found is not None
    return {
        (move.target.market_id, None if move.target.line is None else str(move.target.line)): move.outcomes
        for move in found
    }


@pytest.mark.parametrize("bookmaker", SAMPLES)
def test_what_the_same_catalogue_stored_is_unchanged(bookmaker: str) -> None:
    for one in PARSERS[bookmaker](body(sample(bookmaker)), NOW).observations:
        assert (
            moves(
                NOW,
                bookmaker=bookmaker,
                source_market_id=one.source_market_id,
                source_specifier=one.source_specifier,
                market_id=one.betpawa_market_id,
                line=one.line,
                outcomes={outcome.key: outcome.name for outcome in one.outcomes},
            )
            is None
        ), one


def test_a_market_stored_under_its_own_id_moves_to_the_id_learnt(tmp_path: Path) -> None:
    mapper = learnt(
        tmp_path,
        markets=["99,Early Goals,over_under,goals,"],
        outcomes=["99,991,Over", "99,992,Under"],
        source_markets=["sportybet,60180,minsnr=10,99,"],
        source_outcomes=["sportybet,60180,12,99,991,capture"],
    )
    stored = {"12": "Over 1.5", "13": "Under 1.5"}

    def after(minutes: int) -> list[Move] | None:
        return moves(
            mapper,
            bookmaker="sportybet",
            source_market_id="60180",
            source_specifier=f"minsnr={minutes}|total=1.5",
            market_id=f"sportybet:60180[minsnr={minutes}]",
            line=Decimal("1.5"),
            outcomes=stored,
        )

    found = after(10)
    assert summary(found) == {("99", "1.5"): {"12": ("991", "Over"), "13": ("sportybet:13", "Under 1.5")}}
    assert found is not None
    assert (found[0].target.name, found[0].target.groups, found[0].target.handicap_type) == (
        "Early Goals",
        ["goals"],
        "over_under",
    )
    assert after(20) is None


def test_a_combined_market_is_split_and_unknown_letters_stay() -> None:
    """B-22."""
    found = moves(
        NOW,
        bookmaker="bet9ja",
        source_market_id="S_HAOU",
        source_specifier="1.5",
        market_id="bet9ja:S_HAOU",
        line=Decimal("1.5"),
        outcomes={"OH": "Home Over", "UH": "Home Under", "OA": "Away Over", "ZZ": "ZZ"},
    )
    assert summary(found) == {
        ("5006", "1.5"): {"OH": ("5007", "Over"), "UH": ("5008", "Under")},
        ("5003", "1.5"): {"OA": ("5004", "Over")},
        ("bet9ja:S_HAOU", "1.5"): {"ZZ": ("ZZ", "ZZ")},
    }


def test_a_constant_line_is_gained() -> None:
    found = moves(
        NOW,
        bookmaker="bet9ja",
        source_market_id="S_1STGOAL",
        source_specifier=None,
        market_id="bet9ja:S_1STGOAL",
        line=None,
        outcomes={"1": "1", "X": "No Goal"},
    )
    assert summary(found) == {("28000224", "1"): {"1": ("28000225", "1"), "X": ("28000226", "None")}}


def test_an_outcome_of_a_mapped_market_that_was_learnt_gets_its_key(tmp_path: Path) -> None:
    mapper = learnt(tmp_path, source_outcomes=["bet9ja,S_RCH,N,1096778,1099492,capture"])
    found = moves(
        mapper,
        bookmaker="bet9ja",
        source_market_id="S_RCH",
        source_specifier=None,
        market_id="1096778",
        line=None,
        outcomes={"1099491": "Yes", "bet9ja:N": "No"},
    )
    assert summary(found) == {("1096778", None): {"1099491": ("1099491", "Yes"), "bet9ja:N": ("1099492", "No")}}


@pytest.mark.parametrize(("bookmaker", "source"), [("sportybet", "13"), ("bet9ja", "S_AWAYNOBET")])
def test_a_common_market_moves_for_both_competitors(tmp_path: Path, bookmaker: str, source: str) -> None:
    with (Path(str(files("odds_pipeline.markets") / "data")) / "source_outcomes.csv").open(encoding="utf-8") as file:
        of_market = [row for row in csv.reader(file) if row[3] == "common:13"]
    mapper = learnt(
        tmp_path,
        markets=["-common:13,", "4749,Away No Bet - FT,,specials,"],
        outcomes=["-common:13,", "4749,4750,1", "4749,4751,X"],
        source_markets=["-sportybet,13,", "-bet9ja,S_AWAYNOBET,", "sportybet,13,,4749,", "bet9ja,S_AWAYNOBET,,4749,"],
        source_outcomes=[
            *(f"-{row[0]},{row[1]},{row[2]}," for row in of_market),
            *(f"{row[0]},{row[1]},{row[2]},4749,{'4750' if row[4] == '780' else '4751'},capture" for row in of_market),
        ],
        superseded=["common:13,780,4749,4750", "common:13,782,4749,4751"],
    )
    found = moves(
        mapper,
        bookmaker=bookmaker,
        source_market_id=source,
        source_specifier=None,
        market_id="common:13",
        line=None,
        outcomes={"780": "Home", "782": "Draw"},
    )
    assert summary(found) == {("4749", None): {"780": ("4750", "1"), "782": ("4751", "X")}}


def test_betpawas_own_and_what_cannot_be_placed_any_more_stay() -> None:
    for bookmaker, source, specifier in (("betpawa", "3743", None), ("sportybet", "18", None)):
        assert (
            moves(
                NOW,
                bookmaker=bookmaker,
                source_market_id=source,
                source_specifier=specifier,
                market_id="3743",
                line=None,
                outcomes={"3744": "1"},
            )
            is None
        )
