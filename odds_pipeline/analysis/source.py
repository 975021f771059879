"""Where the answers come from: the odds database, the archive, and what an earlier system has that was not imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from odds_pipeline.archive.store import Archive
from odds_pipeline.database.engine import Database
from odds_pipeline.days.read import UnimportedDays
from odds_pipeline.legacy.source import LegacySource
from odds_pipeline.legacy.unimported import Unimported
from odds_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class OddsSource:
    """What every question is asked of; ``unimported_days`` as in ``days/read.py`` (R18)."""

    database: Database
    archive: Archive
    unimported_days: UnimportedDays


@contextmanager
def open_source(settings: Settings, database: Database | None = None) -> Iterator[OddsSource]:
    """The source of the settings, closed at the end. ``database``: instead of the settings', and left open.

    Raises what ``Database.from_settings``, ``Archive.from_settings`` and ``LegacySource.from_settings`` do.
    """
    ours = database or Database.from_settings(settings)
    try:
        with LegacySource.from_settings(settings, ours) as earlier:
            yield OddsSource(ours, Archive.from_settings(settings), Unimported(ours, earlier))
    finally:
        if database is None:
            ours.dispose()
