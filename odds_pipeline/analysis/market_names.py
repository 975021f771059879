"""Markets as people name them: by id, or by a name that one market of the catalogue has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache

from odds_pipeline.analysis.errors import NotFound
from odds_pipeline.analysis.headline import HEADLINE
from odds_pipeline.markets.catalogue import Catalogue

_NAMES_SUGGESTED = 3
_WHERE = "one event, shown, lists its markets: odds-pipeline event ID, or /events/{id}"


def market_id_of(text: str) -> str:
    """The id of the market that is meant, whether its id is given or its name, in capitals or not.

    What looks like an id is taken for one; whether it was ever seen is for the question to find out. Raises
    ``NotFound`` for a name that no market of the catalogue has, or several have, with what may have been meant.
    """
    ids = _ids_of_names().get(text.casefold(), ())
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise NotFound(f"{text!r} is the name of the markets {', '.join(ids)}; give the id of one")
    # betPawa's ids are numbers; a market that it lacks has an id of its bookmaker's, as sportybet:551.
    if text.isdecimal() or ":" in text:
        return text
    near = _near(text.casefold())
    meant = f"; perhaps {', '.join(map(repr, near))} is meant" if near else ""
    raise NotFound(f"no market {text!r}{meant}; {_WHERE}")


def market_ids_of(texts: Sequence[str] | None) -> list[str] | None:
    """The ids of several; None: no choice among markets."""
    return None if texts is None else list(map(market_id_of, texts))


def _near(folded: str) -> list[str]:
    """Names that have all the words in them, headline and popular markets first, then those that are spelt alike."""
    markets = {market.name.casefold(): market for market in Catalogue.load().markets.values()}
    having = [name for name in markets if all(word in name for word in folded.split())]
    headline = {market_id for market_id, _ in HEADLINE}
    having.sort(key=lambda name: (markets[name].market_id not in headline, "popular" not in markets[name].groups))
    alike = get_close_matches(folded, markets, _NAMES_SUGGESTED)
    return [markets[name].name for name in list(dict.fromkeys([*having, *alike]))[:_NAMES_SUGGESTED]]


@cache
def _ids_of_names() -> Mapping[str, Sequence[str]]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for market_id, market in Catalogue.load().markets.items():
        ids[market.name.casefold()].append(market_id)
    return ids
