"""Moving stored markets to where the catalogue, having learnt more, says that they belong: one timeline each.

Current and history hang on a market's integer id, so a market whose place is free moves by changing its own row. One
that is split, or whose place is taken already, has its history rows rewritten (``moved_timelines.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from odds_pipeline.database.dictionaries import Label, OutcomeSet, market_type_ids, outcome_set_ids
from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import sign_transaction, take_writer_lock
from odds_pipeline.database.moved_timelines import UNKNOWN_LABEL, AlikeMarkets, label_id_at, split_or_join
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.markets.remap import Move, moves
from odds_pipeline.odds.replay import fingerprint_of


@dataclass(frozen=True, slots=True)
class Remapped:
    """What a remap did: stored markets looked at, moved in place, split or joined with one already there."""

    markets: int
    moved: int
    rewritten: int


def remap_if_learnt(
    database: Database, mapper: Mapper, *, now: datetime, run_id: int, alive: Callable[[], None]
) -> Remapped | None:
    """Remap when the catalogue differs from the one that stored what is there; None when it does not.

    ``run_id``: the run for which it is done; ``alive`` is called as long as it goes on.
    """
    with database.connect() as connection:
        row = connection.execute("SELECT catalogue_version FROM pipeline_settings").fetchone()
    if row is not None and row[0] == mapper.version:
        return None
    return remap(database, mapper, now=now, run_id=run_id, alive=alive)


def remap(
    database: Database,
    mapper: Mapper,
    *,
    now: datetime,
    run_id: int | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Remapped:
    """Move every stored market that the catalogue places elsewhere now, in one transaction under the writer's lock.

    The odds, their times and their runs stay as they were; only identities change. Running it again changes nothing.
    Raises ``DayHalfDetached`` when timelines that are to be split or joined cannot be seen whole.
    """
    looked_at = moved = rewritten = 0
    with database.connect() as connection, connection.transaction():
        if run_id is not None:
            sign_transaction(connection, run_id)
        take_writer_lock(connection)
        for group in _groups(connection):
            alive()
            looked_at += len(group.markets)
            found = moves(
                mapper,
                bookmaker=group.bookmaker,
                source_market_id=group.source_market_id,
                source_specifier=group.source_specifier,
                market_id=group.market_id,
                line=group.line,
                outcomes=dict(zip(group.outcome_set.keys, group.outcome_set.names, strict=True)),
            )
            if found is None:
                continue
            taken = _taken(connection, group, found)
            free = [market for market in group.markets if market[1] not in taken]
            if len(found) == 1 and _is_one_to_one(found[0]):
                _move_in_place(connection, group, found[0], [market_id for market_id, _ in free])
                moved += len(free)
            else:
                taken |= {listing_id for _, listing_id in free}
            to_rewrite = [market for market in group.markets if market[1] in taken]
            split_or_join(connection, group, found, to_rewrite)
            rewritten += len(to_rewrite)
        connection.execute(
            "UPDATE pipeline_settings SET catalogue_version = %s, updated_at = %s", [mapper.version, now]
        )
    return Remapped(looked_at, moved, rewritten)


def _groups(connection: psycopg.Connection) -> list[AlikeMarkets]:
    rows = connection.execute(
        """
        SELECT bookmaker.slug, type.betpawa_market_id, market.line, source.source_market_id, source.source_specifier,
               outcome_set.keys, outcome_set.names, label.name, label.handicap_type, label.market_groups,
               array_agg(market.id ORDER BY market.id), array_agg(market.event_bookmaker_id ORDER BY market.id)
        FROM markets AS market
        JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
        JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        JOIN market_types AS type ON type.id = market.market_type_id
        JOIN market_sources AS source ON source.id = market.source_id
        JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
        JOIN market_labels AS label ON label.id = market.label_id
        WHERE source.source_market_id IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        """
    )
    return [
        AlikeMarkets(
            bookmaker=row[0],
            market_id=row[1],
            line=row[2],
            source_market_id=row[3],
            source_specifier=row[4],
            outcome_set=OutcomeSet(tuple(row[5]), tuple(row[6])),
            label=Label(row[7], row[8], tuple(row[9])),
            markets=list(zip(row[10], row[11], strict=True)),
        )
        for row in rows
    ]


def _is_one_to_one(move: Move) -> bool:
    return len({key for key, _ in move.outcomes.values()}) == len(move.outcomes)


def _taken(connection: psycopg.Connection, group: AlikeMarkets, found: Sequence[Move]) -> set[int]:
    """Listings of the group at which one of the moves' places is another market's already."""
    types = market_type_ids(connection, [move.target.market_id for move in found])
    rows = connection.execute(
        """
        SELECT market.event_bookmaker_id
        FROM unnest(%s::int[], %s::numeric[]) AS place (type_id, line)
        JOIN markets AS market
          ON market.market_type_id = place.type_id AND market.line IS NOT DISTINCT FROM place.line
        WHERE market.event_bookmaker_id = ANY(%s) AND market.id <> ALL(%s)
        """,
        [
            [types[move.target.market_id] for move in found],
            [move.target.line for move in found],
            [listing_id for _, listing_id in group.markets],
            [market_id for market_id, _ in group.markets],
        ],
    )
    return {row[0] for row in rows}


def _move_in_place(connection: psycopg.Connection, group: AlikeMarkets, move: Move, market_ids: list[int]) -> None:
    """Give the markets their new identity; states keep their bytes, because the outcomes keep their places."""
    if not market_ids:
        return
    connection.execute(
        """
        INSERT INTO former_places (market_id, betpawa_market_id, line)
        SELECT id, %s::text, %s::numeric FROM unnest(%s::int[]) AS id
        ON CONFLICT DO NOTHING
        """,
        [group.market_id, group.line, market_ids],
    )
    renamed = [move.outcomes[key] for key in group.outcome_set.keys]
    outcome_set = OutcomeSet(tuple(key for key, _ in renamed), tuple(name for _, name in renamed))
    connection.execute(
        """
        UPDATE markets SET market_type_id = %s, line = %s, label_id = %s, outcome_set_id = %s,
                           handicap_home = %s, handicap_away = %s, label_fingerprint = %s
        WHERE id = ANY(%s)
        """,
        [
            market_type_ids(connection, [move.target.market_id])[move.target.market_id],
            move.target.line,
            label_id_at(connection, group, move.target),
            outcome_set_ids(connection, [outcome_set])[outcome_set],
            move.target.handicap_home,
            move.target.handicap_away,
            UNKNOWN_LABEL,
            market_ids,
        ],
    )
    states = connection.execute(
        "SELECT state, market_id FROM current_odds WHERE market_id = ANY(%s)", [market_ids]
    ).fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE current_odds SET fingerprint = %s WHERE market_id = %s",
            [(fingerprint_of(state, list(outcome_set.keys)), market_id) for state, market_id in states],
        )
