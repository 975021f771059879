"""Every table and view as a SQLAlchemy class, all importable from here.

What each column means, its unit and what guards it is in docs/data-dictionary.md. The database itself is made by the
migrations; a test compares the two.
"""

from odds_pipeline.database.models.base import Base, ViewBase
from odds_pipeline.database.models.housekeeping import ArchiveFile, CleanupRun, StorageAlert, StorageSample
from odds_pipeline.database.models.imports import ImportedDay, UntrustedSpan
from odds_pipeline.database.models.market_odds import (
    CurrentOdds,
    FormerMarket,
    FormerPlace,
    Market,
    MarketLabel,
    MarketSource,
    MarketType,
    OddsHistory,
    OutcomeSet,
    PipelineSettings,
)
from odds_pipeline.database.models.reference import (
    Bookmaker,
    Event,
    EventBookmaker,
    EventKickoff,
    ListingState,
    SecondaryListing,
    Sport,
    Tournament,
)
from odds_pipeline.database.models.runs import (
    RefreshRequest,
    RunTrigger,
    ScrapeCoverage,
    ScrapeError,
    ScrapeRun,
    ScrapeStatus,
)
from odds_pipeline.database.models.snapshots import (
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    MarketOdds,
    OddsSnapshot,
)
from odds_pipeline.database.models.views import MarketOddsCurrent, MarketOddsHistory, OddsHistoryChanges

__all__ = [
    "ArchiveFile",
    "Base",
    "Bookmaker",
    "CleanupRun",
    "CompetitorEvent",
    "CompetitorMarketOdds",
    "CompetitorOddsSnapshot",
    "CompetitorTournament",
    "CurrentOdds",
    "Event",
    "EventBookmaker",
    "EventKickoff",
    "FormerMarket",
    "FormerPlace",
    "ImportedDay",
    "ListingState",
    "Market",
    "MarketLabel",
    "MarketOdds",
    "MarketOddsCurrent",
    "MarketOddsHistory",
    "MarketSource",
    "MarketType",
    "OddsHistory",
    "OddsHistoryChanges",
    "OddsSnapshot",
    "OutcomeSet",
    "PipelineSettings",
    "RefreshRequest",
    "RunTrigger",
    "ScrapeCoverage",
    "ScrapeError",
    "ScrapeRun",
    "ScrapeStatus",
    "SecondaryListing",
    "Sport",
    "StorageAlert",
    "StorageSample",
    "Tournament",
    "UntrustedSpan",
    "ViewBase",
]
