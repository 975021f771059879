"""Where the real answers lie that some tests read, beside the project; such a test is skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
CAPTURES = SHARED / "captures"

#: Every captured answer about an event, as (bookmaker, file name).
EVENT_CAPTURES = (
    ("betpawa", "68995116.json"),
    ("betpawa", "67691078-v4.json"),
    ("sportybet", "68995116.json"),
    ("bet9ja", "68995116.json"),
)

needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason="no captured answers in ../shared/captures")


def capture(bookmaker: str, name: str) -> Path:
    return CAPTURES / bookmaker / name
