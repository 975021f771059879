"""Reading the fields of lists: what all bookmakers' discoveries share."""

from __future__ import annotations

import pytest

from odds_pipeline.bookmakers.offer import as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" Lagos Rovers ", "Lagos Rovers"),
        (800_000_001, "800000001"),
        ("Lagos\x00 Rovers", "Lagos Rovers"),
        ("\x00", ""),
        ("x" * 10_000, ""),
        (None, ""),
        (True, ""),
        (1.5, ""),
        (["Lagos"], ""),
    ],
)
def test_only_text_and_whole_numbers_are_text_and_none_that_the_database_cannot_hold(value: object, text: str) -> None:
    """B-24: an odd value is a missing one."""
    assert as_text(value) == text
