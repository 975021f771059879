"""Which bookmakers there are. A new one is one package and one line here; docs/bookmakers.md shows how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from odds_pipeline.bookmakers.base import Bookmaker
from odds_pipeline.bookmakers.bet9ja.protocol import Bet9ja
from odds_pipeline.bookmakers.betpawa.protocol import BetPawa
from odds_pipeline.bookmakers.sportybet.protocol import SportyBet
from odds_pipeline.settings import Settings

#: All three want a current desktop browser's.
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


class UnknownBookmaker(ValueError):
    """A slug that no bookmaker is registered under; the message names the known ones."""


REGISTRY: Mapping[str, Callable[[Settings], Bookmaker]] = MappingProxyType(
    {
        BetPawa.slug: lambda settings: BetPawa(brand=settings.betpawa_brand, user_agent=USER_AGENT),
        SportyBet.slug: lambda _: SportyBet(user_agent=USER_AGENT),
        Bet9ja.slug: lambda settings: Bet9ja(cache_version=settings.bet9ja_cache_version, user_agent=USER_AGENT),
    }
)


def bookmaker(slug: str, settings: Settings) -> Bookmaker:
    """The bookmaker of this slug. Raises ``UnknownBookmaker``."""
    try:
        make = REGISTRY[slug]
    except KeyError:
        known = ", ".join(REGISTRY)
        raise UnknownBookmaker(f"no bookmaker {slug!r}; known are {known}") from None
    return make(settings)


def enabled(settings: Settings) -> list[Bookmaker]:
    """The bookmakers that ``settings.bookmakers`` names, in that order. Raises ``UnknownBookmaker``."""
    return [bookmaker(slug, settings) for slug in settings.bookmakers]
