"""Which markets a question is about: found by their words in PostgreSQL, and, where an event is gone, in the archive.

A market is known by the words that it has today, in whichever tier its rows lie. Markets of an event that was cleaned
up are no longer in PostgreSQL; the files of retired days carry their words.
"""

from __future__ import annotations

from collections.abc import Sequence
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

from odds_pipeline.database.listings import require_bookmakers
from odds_pipeline.odds.observation import LINE


class AnyLine(Enum):
    """The type of ``ANY_LINE``."""

    ANY_LINE = "any line, and no line"


ANY_LINE: Final = AnyLine.ANY_LINE
"""No restriction: None is a line of its own, *no line*."""

#: The words of a market that readers are shown, with its outcome set.
_WORDS = {
    "market_id": pl.Int32,
    "event_id": pl.Int32,
    "bookmaker_slug": pl.String,
    "external_event_id": pl.String,
    "betpawa_market_id": pl.String,
    "betpawa_market_name": pl.String,
    "line": LINE,
    "outcome_set_id": pl.Int32,
}
_SETS = {"outcome_set_id": pl.Int32, "keys": pl.List(pl.String), "names": pl.List(pl.String)}


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

    ``words``: each market with its words; ``sets``: (outcome_set_id, keys, names). ``formers``: (market_id, former_id)
    of those whose archived rows may stand under another id, or tell of other markets too. ``gone``: what is true of
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


def find_markets(
    connection: psycopg.Connection, wanted: Wanted, *, after: int | None = None, first: int | None = None
) -> WantedMarkets:
    """The markets of a question, ``after`` an id and only the ``first`` so many of them, by id, if that is given.

    As in the views, listings that are not primary are left out. Raises ``UnknownBookmaker``.
    """
    if wanted.bookmakers is not None:
        require_bookmakers(connection, wanted.bookmakers)
    conditions = [
        (sql.SQL("listing.event_id = ANY (%s)"), wanted.event_ids),
        (
            sql.SQL("listing.event_id IN (SELECT id FROM events WHERE tournament_id = ANY (%s))"),
            wanted.tournament_ids,
        ),
        (sql.SQL("bookmaker.slug = ANY (%s)"), wanted.bookmakers),
        (sql.SQL("type.betpawa_market_id = ANY (%s)"), wanted.betpawa_market_ids),
        (sql.SQL("market.id = ANY (%s)"), wanted.market_ids),
    ]
    given = [(condition, list(values)) for condition, values in conditions if values is not None]
    where, parameters = [condition for condition, _ in given], [values for _, values in given]
    if wanted.line is None:
        where.append(sql.SQL("market.line IS NULL"))
    elif wanted.line is not ANY_LINE:
        where.append(sql.SQL("market.line = %s"))
        parameters.append(wanted.line)  # type: ignore[arg-type]
    if after is not None:
        where.append(sql.SQL("market.id > {}").format(after))
    rows = connection.execute(
        sql.SQL(
            """
            SELECT market.id, listing.event_id, bookmaker.slug, listing.external_event_id, type.betpawa_market_id,
                   label.name, market.line, market.outcome_set_id
            FROM event_bookmakers AS listing
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            JOIN markets AS market ON market.event_bookmaker_id = listing.id
            JOIN market_types AS type ON type.id = market.market_type_id
            LEFT JOIN market_labels AS label ON label.id = market.label_id
            WHERE {}
            {}
            """
        ).format(
            sql.SQL(" AND ").join([sql.SQL("listing.is_primary"), *where]),
            sql.SQL("") if first is None else sql.SQL("ORDER BY market.id LIMIT {}").format(first),
        ),
        parameters,
    ).fetchall()
    last = rows[-1][0] if first is not None and len(rows) == first else None
    words = pl.DataFrame(rows, schema=_WORDS, orient="row")
    sets = connection.execute(
        "SELECT id, keys, names FROM outcome_sets WHERE id = ANY (%s)", [words["outcome_set_id"].unique().to_list()]
    ).fetchall()
    formers = connection.execute(
        "SELECT market_id, former_id FROM former_markets WHERE market_id = ANY (%s)", [words["market_id"].to_list()]
    ).fetchall()
    return WantedMarkets(
        wanted,
        words,
        pl.DataFrame(sets, schema=_SETS, orient="row"),
        pl.DataFrame(formers, schema=["market_id", "former_id"], orient="row").cast(pl.Int32),
        _of_gone_markets(connection, wanted, after, last),
        last,
    )


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


def has_line(wanted: Wanted) -> pl.Expr:
    """Whether a row's line is the wanted one."""
    if wanted.line is ANY_LINE:
        return pl.lit(value=True)
    return pl.col("line").is_null() if wanted.line is None else pl.col("line") == wanted.line


def _of_gone_markets(
    connection: psycopg.Connection, wanted: Wanted, after: int | None, last: int | None
) -> pc.Expression | None:
    """``after`` and ``last``: the ids between which the markets lie, ``last`` included."""
    fields: dict[str, Sequence[Any] | None] = {
        "event_id": wanted.event_ids,
        "bookmaker_slug": wanted.bookmakers,
        "betpawa_market_id": wanted.betpawa_market_ids,
        "market_id": wanted.market_ids,
    }
    # What is asked for by an id can only be gone when PostgreSQL does not know the id.
    if wanted.market_ids is not None:
        fields["market_id"] = _unknown(connection, "markets", wanted.market_ids)
    elif wanted.event_ids is not None:
        fields["event_id"] = _unknown(connection, "events", wanted.event_ids)
    given = {name: list(values) for name, values in fields.items() if values is not None}
    if wanted.tournament_ids is not None or not all(given.values()):
        return None
    conditions = [pc.field(name).isin(values) for name, values in given.items()]
    if after is not None:
        conditions.append(pc.field("market_id") > after)
    if last is not None:
        conditions.append(pc.field("market_id") <= last)
    return reduce(and_, conditions, pc.scalar(True))


def _unknown(connection: psycopg.Connection, table: LiteralString, ids: Sequence[int]) -> list[int]:
    query = sql.SQL("SELECT id FROM unnest(%s::int[]) AS asked (id) EXCEPT SELECT id FROM {}")
    return [row[0] for row in connection.execute(query.format(sql.Identifier(table)), [list(ids)])]
