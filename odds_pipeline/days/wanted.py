"""Which markets a question is about: found by their words in PostgreSQL, and, where an event is gone, in the archive.

A market is known by the words that it has today, in whichever tier its rows lie. Markets of an event that was cleaned
up are no longer in PostgreSQL; the files of retired days carry their words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import reduce
from operator import and_
from typing import Any, Final, LiteralString

import polars as pl
import psycopg
import pyarrow.compute as pc
from psycopg import sql

from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.database.listings import require_bookmakers
from odds_pipeline.odds.observation import LINE


class AnyLine(Enum):
    """The type of ``ANY_LINE``."""

    ANY_LINE = "any line, and no line"


ANY_LINE: Final = AnyLine.ANY_LINE
"""No restriction: None is a line of its own, *no line*."""

#: The words of a market that readers are shown, with its outcome set.
WORDS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "market_id": pl.Int32,
    "event_id": pl.Int32,
    "bookmaker_slug": pl.String,
    "external_event_id": pl.String,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "outcome_set_id": pl.Int32,
}
_OUTCOMES = {"outcome_set_id": pl.Int32, "keys": pl.String, "names": pl.String}
_FORMERS = {"market_id": pl.Int32, "former_id": pl.Int32}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A choice of markets: those that meet every condition given. None: no condition; empty: no market.

    ``bookmakers`` are slugs. ``line``: a line, None for the markets without one, or ``ANY_LINE``. ``tournament_ids``
    mean the events that are in PostgreSQL: which tournament an event belonged to goes with it when it is cleaned up.
    """

    event_ids: Sequence[int] | None = None
    tournament_ids: Sequence[int] | None = None
    bookmakers: Sequence[str] | None = None
    betpawa_market_ids: Sequence[str] | None = None
    line: Decimal | AnyLine | None = ANY_LINE
    market_ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class WantedMarkets:
    """What PostgreSQL knows of the markets of a question.

    ``words`` (``WORDS``): each market; ``sets``: (outcome_set_id, keys, names). ``formers``: (market_id, former_id) of
    those whose archived rows may stand under another id, or tell of other markets too. ``gone``: what is true of
    archived rows of further markets that the question means, which PostgreSQL may have forgotten; None when there are
    none. ``last_id``: the id that these markets end with, None when there are no more of them.
    """

    wanted: Wanted
    words: pl.DataFrame
    sets: pl.DataFrame
    formers: pl.DataFrame
    gone: pc.Expression | None
    last_id: int | None

    @property
    def ids(self) -> list[int]:
        """The markets that PostgreSQL knows."""
        return self.words["market_id"].to_list()

    @property
    def rewritten_ids(self) -> list[int]:
        """Those among them that have ``formers``."""
        return self.formers["market_id"].unique().to_list()


def ask_words(
    connection: psycopg.Connection, wanted: Wanted, *, after: int | None = None, first: int | None = None
) -> Callable[[], pl.DataFrame]:
    """Ask for the markets of a question (``WORDS``), ``after`` an id and only the ``first`` so many of them, by id.

    As in the views, listings that are not primary are left out.
    """
    conditions: list[tuple[LiteralString, Any]] = [
        ("listing.event_id = ANY (%s::int[])", _array(wanted.event_ids)),
        (
            "listing.event_id IN (SELECT id FROM events WHERE tournament_id = ANY (%s::int[]))",
            _array(wanted.tournament_ids),
        ),
        ("bookmaker.slug = ANY (%s::text[])", _array(wanted.bookmakers)),
        ("type.betpawa_market_id = ANY (%s::text[])", _array(wanted.betpawa_market_ids)),
        ("market.id = ANY (%s::int[])", _array(wanted.market_ids)),
        ("market.line = %s", wanted.line if isinstance(wanted.line, Decimal) else None),
        ("market.id > %s", after),
    ]
    given = [(sql.SQL(condition), value) for condition, value in conditions if value is not None]
    where = [sql.SQL("listing.is_primary"), *(condition for condition, _ in given)]
    if wanted.line is None:
        where.append(sql.SQL("market.line IS NULL"))
    query = sql.SQL(
        """
        SELECT market.id AS market_id, listing.event_id, bookmaker.slug AS bookmaker_slug, listing.external_event_id,
               type.betpawa_market_id, label.name AS betpawa_market_name, market.line, market.outcome_set_id
        FROM event_bookmakers AS listing
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN markets AS market ON market.event_bookmaker_id = listing.id
        JOIN market_types AS type ON type.id = market.market_type_id
        LEFT JOIN market_labels AS label ON label.id = market.label_id
        WHERE {}
        """
    ).format(sql.SQL(" AND ").join(where))
    if first is not None:
        query += sql.SQL(" ORDER BY market.id LIMIT %s")
    parameters = [value for _, value in given] + ([] if first is None else [first])
    return ask(connection, query, WORDS, parameters, prepare=True)


def ask_markets(
    connection: psycopg.Connection,
    wanted: Wanted,
    words: pl.DataFrame,
    gone: pc.Expression | None,
    *,
    last_id: int | None = None,
    with_archive: bool,
) -> Callable[[], WantedMarkets]:
    """Ask for what there is to know of a question's markets beside their words and what is ``gone``.

    Not ``with_archive``, when no day is archived: no market has ``formers`` then.
    """
    query = sql.SQL(
        """
        SELECT outcome_sets.id AS outcome_set_id, outcome.keys, outcome.names
        FROM outcome_sets LEFT JOIN LATERAL unnest(keys, names) WITH ORDINALITY AS outcome (keys, names, place) ON true
        WHERE outcome_sets.id = ANY (%s::int[]) ORDER BY outcome_sets.id, outcome.place
        """
    )
    outcomes = ask(connection, query, _OUTCOMES, [integers(set(words["outcome_set_id"].to_list()))], prepare=True)
    query = sql.SQL("SELECT market_id, former_id FROM former_markets WHERE market_id = ANY (%s::int[])")
    formers = (
        ask(connection, query, _FORMERS, [integers(words["market_id"].to_list())], prepare=True)
        if with_archive
        else lambda: pl.DataFrame(schema=_FORMERS)
    )

    def answer() -> WantedMarkets:
        sets = outcomes().group_by("outcome_set_id", maintain_order=True).agg(pl.all().drop_nulls())
        return WantedMarkets(wanted, words, sets, formers(), gone, last_id)

    return answer


def gone_markets(
    connection: psycopg.Connection,
    wanted: Wanted,
    words: pl.DataFrame,
    *,
    after: int | None = None,
    last_id: int | None = None,
) -> pc.Expression | None:
    """``WantedMarkets.gone`` of a question of whose markets PostgreSQL knows ``words``.

    Of the markets ``after`` an id and up to ``last_id``. Raises ``UnknownBookmaker``.
    """
    if wanted.bookmakers is not None and not set(wanted.bookmakers) <= set(words["bookmaker_slug"].to_list()):
        require_bookmakers(connection, wanted.bookmakers)
    fields: dict[str, Sequence[Any] | None] = {
        "event_id": wanted.event_ids,
        "bookmaker_slug": wanted.bookmakers,
        "betpawa_market_id": wanted.betpawa_market_ids,
        "market_id": wanted.market_ids,
    }
    # What is asked for by an id can only be gone when PostgreSQL does not know the id.
    if wanted.market_ids is not None:
        fields["market_id"] = _unknown(connection, "markets", wanted.market_ids, words["market_id"])
    elif wanted.event_ids is not None:
        fields["event_id"] = _unknown(connection, "events", wanted.event_ids, words["event_id"])
    given = {name: list(values) for name, values in fields.items() if values is not None}
    if wanted.tournament_ids is not None or not all(given.values()):
        return None
    conditions = [pc.field(name).isin(values) for name, values in given.items()]
    if after is not None:
        conditions.append(pc.field("market_id") > after)
    if last_id is not None:
        conditions.append(pc.field("market_id") <= last_id)
    return reduce(and_, conditions, pc.scalar(True))


def known_markets(connection: psycopg.Connection, market_ids: Sequence[int]) -> list[int]:
    """Those of the ids that are, or were before a remap, ids of markets in PostgreSQL."""
    rows = connection.execute(
        """
        SELECT id FROM markets WHERE id = ANY (%(ids)s)
        UNION SELECT former_id FROM former_markets WHERE former_id = ANY (%(ids)s)
        """,
        {"ids": list(market_ids)},
    )
    return [row[0] for row in rows]


def secondary_markets(connection: psycopg.Connection, rows: pl.DataFrame) -> list[int]:
    """The markets of archived rows whose listing was not primary when its event was cleaned up."""
    found = connection.execute(
        """
        SELECT asked.market_id
        FROM unnest(%(market_id)s::int[], %(bookmaker_slug)s::text[], %(external_event_id)s::text[])
             AS asked (market_id, slug, external_event_id)
        JOIN bookmakers AS bookmaker ON bookmaker.slug = asked.slug
        JOIN secondary_listings AS listing
            ON (listing.bookmaker_id, listing.external_event_id) = (bookmaker.id, asked.external_event_id)
        WHERE asked.market_id <= listing.last_market_id
        """,
        rows.select("market_id", "bookmaker_slug", "external_event_id").unique().to_dict(as_series=False),
    )
    return [row[0] for row in found]


def has_line(wanted: Wanted) -> pl.Expr:
    """Whether a row's line is the wanted one."""
    if wanted.line is ANY_LINE:
        return pl.lit(value=True)
    return pl.col("line").is_null() if wanted.line is None else pl.col("line") == wanted.line


def _unknown(connection: psycopg.Connection, table: LiteralString, ids: Sequence[int], found: pl.Series) -> list[int]:
    """Which of the ids the table lacks; those ``found`` already need no look."""
    others = sorted(set(ids).difference(found.to_list()))
    if not others:
        return []
    query = sql.SQL(
        """
        SELECT asked.id FROM unnest(%s::int[]) AS asked (id)
        WHERE NOT EXISTS (SELECT FROM {table} WHERE {table}.id = asked.id)
        """
    ).format(table=sql.Identifier(table))
    return [row[0] for row in connection.execute(query, [others])]


def _array(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)
