"""Invented event answers in the three bookmakers' shapes, for tests to take and spoil."""

from __future__ import annotations

import copy
import json
from typing import Any

from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import Observation, ParsedAnswer

MAPPER = Mapper.load()


def body(answer: Any) -> bytes:
    """An answer as it would come over the wire."""
    return json.dumps(answer).encode()


def by_identity(answer: ParsedAnswer) -> dict[tuple[str, str | None], Observation]:
    """Observations by (market id, line as text)."""
    found = {
        (one.betpawa_market_id, None if one.line is None else format(one.line, "f")): one for one in answer.observations
    }
    assert len(found) == len(answer.observations), "two observations share an identity"
    return found


def prices(observation: Observation) -> dict[str, tuple[str, str | None, bool]]:
    """Outcome key -> (name, odds as text, active)."""
    return {
        outcome.key: (outcome.name, None if outcome.odds is None else format(outcome.odds, "f"), outcome.is_active)
        for outcome in observation.outcomes
    }


# betPawa


def betpawa_price(type_id: str, name: str, odds: float | None, **more: Any) -> dict[str, Any]:
    price: dict[str, Any] = {"id": f"6{type_id}", "name": name, "typeId": type_id, "displayName": name}
    return price | ({} if odds is None else {"odds": odds}) | more


def betpawa_market(market_id: str, name: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind = {"id": market_id, "name": name, "displayName": name, "priority": 1, "tabs": ["popular", "all"]} | more
    return {"marketType": kind, "row": list(rows), "additionalInfo": {"cashoutable": True}}


def betpawa_event(*markets: dict[str, Any], **more: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": "40100001",
        "name": "Lagos Rovers - Abuja City",
        "startTime": "2030-03-02T15:00:00Z",
        "widgets": [
            {"id": "15000001", "type": "GENIUSSPORTS"},
            {"id": "90000001", "type": "SPORTRADAR", "retention": "PREMATCH"},
        ],
        "participants": [
            {"id": "700002", "name": "Abuja City", "position": 2},
            {"id": "700001", "name": "Lagos Rovers", "position": 1},
        ],
        "category": {"id": "2", "name": "Football"},
        "region": {"id": "900", "name": "Nigeria"},
        "competition": {"id": "19000", "name": "Premier Division"},
        "totalMarketCount": "3",
        "version": "7",
        "additionalInfo": {"inplayBooked": True},
        "markets": list(markets),
    }
    return event | more


def betpawa_1x2() -> dict[str, Any]:
    row = {
        "id": "500001",
        "prices": [
            betpawa_price("3744", "1", 2.35),
            betpawa_price("3745", "X", 3.2),
            betpawa_price("3746", "2", 3.05, suspended=True),
        ],
    }
    return betpawa_market("3743", "1X2 - FT", row)


def betpawa_totals(*quarters: int) -> dict[str, Any]:
    rows = [
        {
            "id": f"51{quarter}",
            "handicap": quarter,
            "specifier": {"total": str(quarter / 4)},
            "prices": [betpawa_price("5001", "Over", 1.5 + quarter / 10), betpawa_price("5002", "Under", 4.05)],
        }
        for quarter in quarters
    ]
    return betpawa_market("5000", "Total Score Over/Under - FT", *rows, handicapType="NORMAL")


def betpawa_sample() -> dict[str, Any]:
    """1X2, three totals, an Asian and a European handicap, half time/full time over three rows, a player market."""
    asian = {"handicap": -2, "prices": [betpawa_price("3775", "1", 2.4), betpawa_price("3776", "2", 1.55)]}
    european = {
        "handicap": -4,
        "prices": [
            betpawa_price("4725", "1", 4.9, handicap="Home -1"),
            betpawa_price("4726", "X", 4.1, handicap="Home -1"),
            betpawa_price("4727", "2", 1.5, handicap="Away +1"),
        ],
    }
    thirds = [
        {"prices": [betpawa_price(str(4707 + 3 * row + column), f"{'1X2'[row]}/{'1X2'[column]}", 4.5 + row)]}
        for row in range(3)
        for column in range(3)
    ]
    scorers = [{"prices": [betpawa_price(str(30364928 + number), f"Player {number}", 3.5)]} for number in range(3)]
    return betpawa_event(
        betpawa_1x2(),
        betpawa_totals(2, 6, 10),
        betpawa_market("3774", "Asian Handicap - FT", asian, handicapType="ASIAN"),
        betpawa_market("4724", "Handicap 1X2 - FT", european, handicapType="EUROPEAN"),
        betpawa_market("4706", "HT / FT", *thirds),
        betpawa_market("129108", "Anytime Goalscorer", *scorers),
    )


# SportyBet


def sportybet_outcome(outcome_id: str, desc: str, odds: Any, active: Any = 1) -> dict[str, Any]:
    return {"id": outcome_id, "odds": odds, "probability": "0.4", "isActive": active, "desc": desc}


def sportybet_market(
    market_id: str, name: str, *outcomes: dict[str, Any], specifier: str | None = None, **more: Any
) -> dict[str, Any]:
    market: dict[str, Any] = {
        "id": market_id,
        "product": 3,
        "desc": f"{name} here",
        "status": 0,
        "group": "Main",
        "name": name,
        "favourite": 0,
        "outcomes": list(outcomes),
        "sourceType": "BET_RADAR",
        "banned": False,
    }
    return market | ({} if specifier is None else {"specifier": specifier}) | more


def sportybet_event(*markets: dict[str, Any], **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "eventId": "sr:match:90000001",
        "gameId": "20001",
        "estimateStartTime": 1898694000000,
        "status": 0,
        "matchStatus": "Not start",
        "homeTeamName": "Lagos Rovers",
        "awayTeamName": "Abuja City",
        "sport": {
            "id": "sr:sport:1",
            "name": "Football",
            "category": {
                "id": "sr:category:9001",
                "name": "Nigeria",
                "tournament": {"id": "sr:tournament:90001", "name": "Premier Division"},
            },
        },
        "markets": list(markets),
        "banned": False,
    }
    return {"bizCode": 10000, "message": "0#0", "data": data | more}


def sportybet_1x2() -> dict[str, Any]:
    return sportybet_market(
        "1",
        "1X2",
        sportybet_outcome("1", "Home", "2.30"),
        sportybet_outcome("2", "Draw", "3.25"),
        sportybet_outcome("3", "Away", "3.60", active=0),
    )


def sportybet_over_under(market_id: str, name: str, specifier: str) -> dict[str, Any]:
    return sportybet_market(
        market_id,
        name,
        sportybet_outcome("12", "Over", "1.90"),
        sportybet_outcome("13", "Under", "1.85"),
        specifier=specifier,
    )


def sportybet_sample() -> dict[str, Any]:
    """1X2, totals, both handicaps, a variant, a minute market, a market that betPawa lacks, player props."""
    three = [sportybet_outcome(str(1711 + n), f"way {n}", "3.10") for n in range(3)]
    two = [sportybet_outcome(str(1714 + n), f"way {n}", "1.90") for n in range(2)]
    goals = [sportybet_outcome(f"sr:exact_goals:6+:{68 + n}", str(n), "5.50") for n in range(7)]
    prop = sportybet_outcome("pre:playerprops:90000001:253415:1", "Ade 1+", "6.00")
    return sportybet_event(
        sportybet_1x2(),
        *(sportybet_over_under("18", "Over/Under", f"total={line}") for line in ("1.5", "2", "2.5")),
        sportybet_market("14", "Handicap", *three, specifier="hcp=0:1"),
        sportybet_market("16", "Handicap", *two, specifier="hcp=-0.5"),
        sportybet_market("21", "Exact Goals", *goals, specifier="variant=sr:exact_goals:6+"),
        sportybet_over_under("60180", "Over/Under - Early Goals", "minsnr=10|total=1.5"),
        sportybet_market("13", "Away No Bet", sportybet_outcome("780", "Home", "1.61")),
        sportybet_market("776", "Player shots", prop, specifier="variant=pre:playerprops:90000001:253415"),
    )


# Bet9ja


def bet9ja_event(odds: dict[str, Any], **more: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "ID": 800000001,
        "EXTID": "90000001",
        "DS": "Lagos Rovers - Abuja City",
        "STARTDATE": "2030-03-02 15:00:00",
        "GID": 3000001,
        "GN": "Premier Division",
        "SGID": 19001,
        "SG": "Nigeria",
        "SGN": "not the country",
        "SID": 1,
        "S": "Soccer",
        "O": odds,
        "AUX": {},
        "MK": [
            {
                "ID": "S_C2HTOU",
                "DS": "2nd Half - Corner Over/Under",
                "GCAT": "CORNER",
                "SGN": ["Over ", "Under "],
                "SGNK": ["O", "U"],
            }
        ],
        "CATMARKET": [{"CODE": "108", "VALUE": "CORNER"}],
        "TRANS": {"M#S_OU": {"NAME": "Over/Under", "DESC": "goals"}},
    }
    return {"R": "OK", "D": content | more}


def bet9ja_sample() -> dict[str, Any]:
    """1X2, totals, a placeholder, an Asian handicap, a combined home/away total, a market that nobody else has."""
    return bet9ja_event(
        {
            "S_1X2_1": "2.30",
            "S_1X2_X": "3.15",
            "S_1X2_2": "3.1",
            "S_OU@2.5_O": "2.05",
            "S_OU@2.5_U": "1.7",
            "S_OU@3.5_O": "1",
            "S_OU@3.5_U": "1",
            "S_OUA@2.25_O": "1.8",
            "S_OUA@2.25_U": "1.95",
            "S_AH@-0.5_1": "2.28",
            "S_AH@-0.5_2": "1.6",
            "S_HAOU@1.5_OH": "2.0",
            "S_HAOU@1.5_UH": "1.75",
            "S_HAOU@1.5_OA": "2.6",
            "S_HAOU@1.5_UA": "1.45",
            "S_C2HTOU@4.5_O": "1.51",
            "S_C2HTOU@4.5_U": "2.05",
            "S_1STGOAL_1": "1.88",
        }
    )


SAMPLES = {"betpawa": betpawa_sample, "sportybet": sportybet_sample, "bet9ja": bet9ja_sample}


def sample(bookmaker: str) -> dict[str, Any]:
    """A fresh copy of a bookmaker's invented answer, about one and the same match."""
    return copy.deepcopy(SAMPLES[bookmaker]())
