"""The report of unmapped types."""

from __future__ import annotations

import polars as pl

from odds_pipeline.markets.unmapped import UNMAPPED_SCHEMA, unmapped_markets


def row(bookmaker: str, event: str, market: str, name: str, source: str, outcomes: int) -> dict[str, object]:
    return {
        "bookmaker": bookmaker,
        "external_event_id": event,
        "betpawa_market_id": market,
        "betpawa_market_name": name,
        "source_market_id": source,
        "outcomes": [{"key": str(n)} for n in range(outcomes)],
    }


def test_unmapped_types_are_counted_most_frequent_first() -> None:
    """B-19: unmapped is reported per type; mapped and common markets are not unmapped."""
    observations = pl.DataFrame(
        [
            row("betpawa", "1", "3743", "1X2 - FT", "3743", 3),
            row("sportybet", "1", "common:13", "Away No Bet", "13", 2),
            row("sportybet", "1", "sportybet:60180[minsnr=10]", "Early Goals", "60180", 2),
            row("sportybet", "1", "sportybet:60180[minsnr=20]", "Early Goals", "60180", 2),
            row("sportybet", "2", "sportybet:60180[minsnr=10]", "Early Goals old", "60180", 1),
            row("bet9ja", "7", "bet9ja:S_ACS", "Anytime Correct Score", "S_ACS", 26),
        ]
    )
    report = unmapped_markets(observations)
    assert report.schema == pl.Schema(dict(UNMAPPED_SCHEMA))
    assert report.rows() == [
        ("sportybet", "60180", "Early Goals", 3, 2, 5),
        ("bet9ja", "S_ACS", "Anytime Correct Score", 1, 1, 26),
    ]
    assert unmapped_markets(observations.lazy()).equals(report)


def test_nothing_unmapped_is_an_empty_report() -> None:
    observations = pl.DataFrame([row("betpawa", "1", "3743", "1X2 - FT", "3743", 3)])
    assert unmapped_markets(observations).is_empty()
