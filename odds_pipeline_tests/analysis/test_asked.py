"""What is refused before an answer is looked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from odds_pipeline.analysis.asked import require_bookmakers, require_limit, require_text, require_window
from odds_pipeline.analysis.errors import BadQuestion
from odds_pipeline.database.engine import Database

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_has_one_to_500_rows(limit: int) -> None:
    with pytest.raises(BadQuestion, match=f"limit is {limit}; a page has 1 to 500 rows"):
        require_limit(limit)
    assert [require_limit(1), require_limit(500)] == [1, 500]


def test_a_window_is_in_utc_and_begins_before_it_ends() -> None:
    lagos = timezone(timedelta(hours=1))
    assert require_window(NOON.astimezone(lagos), None) == (NOON, None)
    assert require_window(NOON, NOON) == (NOON, NOON)
    with pytest.raises(BadQuestion, match=r"ends \(2026-11-20T11:59:59\+00:00\) before it begins"):
        require_window(NOON, NOON - timedelta(seconds=1))
    with pytest.raises(ValueError, match="has no time zone"):
        require_window(None, datetime(2026, 11, 20))  # noqa: DTZ001


@pytest.mark.parametrize("text", ["", "Nige\0ria", "\udcff"])
def test_text_that_no_database_could_hold_is_refused(text: str) -> None:
    with pytest.raises(BadQuestion, match=r"country is .*; write out its name or id"):
        require_text(text, "country")
    assert require_text("Côte d'Ivoire", "country") == "Côte d'Ivoire"


def test_an_unknown_bookmaker_is_refused_with_the_known_ones_named(database: Database) -> None:
    with database.connect() as connection:
        assert require_bookmakers(connection, None) is None
        assert require_bookmakers(connection, []) == []
        assert require_bookmakers(connection, ["bet9ja", "betpawa", "bet9ja"]) == ["bet9ja", "betpawa"]
        with pytest.raises(BadQuestion, match="no bookmaker is called 'bet\\\\x00pawa', 'x'; known are betpawa, sport"):
            require_bookmakers(connection, ["x", "betpawa", "bet\0pawa"])
