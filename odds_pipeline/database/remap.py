"""Moving stored markets to where the catalogue, having learnt more, says that they belong: one timeline each.

Current and history hang on a market's integer id, so a market whose place is free moves by changing its own row. One
that is split, or whose place is taken already, has its history rows rewritten. Retired days keep the old ids, which
``former_markets`` remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import polars as pl
import psycopg

from odds_pipeline.database.archived_files import stale_states
from odds_pipeline.database.dictionaries import Label, OutcomeSet, label_ids, market_type_ids, outcome_set_ids
from odds_pipeline.database.engine import Database
from odds_pipeline.database.history import difference, read_history, rewrite_history
from odds_pipeline.database.locks import sign_transaction, take_writer_lock
from odds_pipeline.database.partitions import ask_whole, list_partitions
from odds_pipeline.markets.mapper import Mapper, Target
from odds_pipeline.markets.remap import Move, moves
from odds_pipeline.odds.replay import HISTORY_ROWS, fingerprint_of
from odds_pipeline.odds.timeline import Moment, joined, packed, part_of, read, seam_of

_UNKNOWN_LABEL = 0
"""Label fingerprint of a moved market: the next sighting fills its words in, without history."""


@dataclass(frozen=True, slots=True)
class Remapped:
    """What a remap did: stored markets looked at, moved in place, split or joined with one already there."""

    markets: int
    moved: int
    rewritten: int


class _Group(NamedTuple):
    """Markets that look alike, so that one judgement serves all of them."""

    bookmaker: str
    market_id: str
    line: Decimal | None
    source_market_id: str
    source_specifier: str | None
    outcome_set: OutcomeSet
    label: Label
    markets: list[tuple[int, int]]
    """(market id, event_bookmaker id) of each."""


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
            _rewrite(connection, group, found, to_rewrite)
            rewritten += len(to_rewrite)
        connection.execute(
            "UPDATE pipeline_settings SET catalogue_version = %s, updated_at = %s", [mapper.version, now]
        )
    return Remapped(looked_at, moved, rewritten)


def _groups(connection: psycopg.Connection) -> list[_Group]:
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
        _Group(
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


def _taken(connection: psycopg.Connection, group: _Group, found: Sequence[Move]) -> set[int]:
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


def _move_in_place(connection: psycopg.Connection, group: _Group, move: Move, market_ids: list[int]) -> None:
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
            _label_id(connection, group, move.target),
            outcome_set_ids(connection, [outcome_set])[outcome_set],
            move.target.handicap_home,
            move.target.handicap_away,
            _UNKNOWN_LABEL,
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


def _rewrite(
    connection: psycopg.Connection, group: _Group, found: Sequence[Move], markets: Sequence[tuple[int, int]]
) -> None:
    """Split the timelines of markets, each of another listing, over the moves' places."""
    if markets:
        ask_whole(connection)()
    left: list[int] = []
    differences: list[pl.DataFrame] = []
    for market_id, listing_id in markets:
        difference_of, stays = _rewritten(connection, group, found, market_id, listing_id)
        differences += difference_of
        if not stays:
            differences.append(_history_to(connection, market_id, []))
            left.append(market_id)
    if differences:
        rewrite_history(connection, pl.concat(differences))
    connection.execute("DELETE FROM current_odds WHERE market_id = ANY (%s)", [left])
    connection.execute("DELETE FROM markets WHERE id = ANY (%s)", [left])


def _rewritten(
    connection: psycopg.Connection, group: _Group, found: Sequence[Move], market_id: int, listing_id: int
) -> tuple[list[pl.DataFrame], bool]:
    """Split the market's timeline over the moves' places, each part before what is there already.

    Returns what must become of history, and whether something of the market stays where it is.
    """
    timeline = _timeline(connection, market_id, group.outcome_set)
    differences: list[pl.DataFrame] = []
    stays = False
    for move in found:
        part = part_of(timeline, {old: new for old, (new, _) in move.outcomes.items()})
        names = dict(move.outcomes.values())
        place = _market_at(connection, move.target, listing_id)
        seam: datetime | None = None
        if place is None:
            place = _copy_market(connection, group, move.target, market_id)
            differences.append(_store(connection, place, part, names, last_seen_of=market_id))
        elif place == market_id:
            stays = True
            differences.append(_store(connection, market_id, part, names, last_seen_of=market_id))
        else:
            present = _outcome_set(connection, place)
            there = dict(zip(present.keys, present.names, strict=True))
            # In retired days the market that is there may have rows that begin before what is stored of it.
            held = {partition.first_day for partition in list_partitions(connection)}
            part = [moment for moment in part if moment.captured_at.date() in held]
            own = _timeline(connection, place, present)
            seam = seam_of(own)
            all_names = there | {key: names[key] for key in names if key not in there}
            differences.append(_store(connection, place, joined(part, own), all_names))
        _remember(connection, place, market_id, seam)
    return differences, stays


def _remember(connection: psycopg.Connection, market_id: int, former_id: int, seam: datetime | None) -> None:
    """Let a market's archived rows and observations be found, and its faults be known, under its former id and places.

    What was observed at the former places counts before the ``seam``, if there is one.
    """
    ids = {"market_id": market_id, "former_id": former_id, "seam": seam}
    connection.execute(
        """
        INSERT INTO former_markets (market_id, former_id)
        SELECT %(market_id)s, former_id FROM former_markets WHERE market_id = %(former_id)s
        UNION SELECT %(market_id)s, %(former_id)s
        ON CONFLICT DO NOTHING
        """,
        ids,
    )
    connection.execute(
        """
        INSERT INTO former_places (market_id, betpawa_market_id, line, until)
        SELECT %(market_id)s, betpawa_market_id, line, least(until, %(seam)s)
        FROM (
            SELECT type.betpawa_market_id, market.line, NULL::timestamptz AS until
            FROM markets AS market JOIN market_types AS type ON type.id = market.market_type_id
            WHERE market.id = %(former_id)s
            UNION ALL
            SELECT betpawa_market_id, line, until FROM former_places WHERE market_id = %(former_id)s
        ) AS place
        WHERE %(market_id)s <> %(former_id)s
        ON CONFLICT DO NOTHING
        """,
        ids,
    )
    connection.execute(
        """
        INSERT INTO untrusted_spans (market_id, since, until, reason)
        SELECT %(market_id)s, since, until, reason FROM untrusted_spans WHERE market_id = %(former_id)s
        ON CONFLICT DO NOTHING
        """,
        ids,
    )


def _timeline(connection: psycopg.Connection, market_id: int, outcome_set: OutcomeSet) -> list[Moment]:
    """The market's history. Current is its last row, and the only one left when all its days are retired."""
    current = connection.execute(
        "SELECT captured_at, run_id, state FROM current_odds WHERE market_id = %s", [market_id]
    ).fetchall()
    stored = read_history(connection, market_ids=[market_id]).select("captured_at", "run_id", "state")
    # By time: of an answer that several runs speak of, history has another run than current.
    rows = {captured_at: (run_id, state) for captured_at, run_id, state in [*current, *stored.rows()]}
    return [read(captured_at, run_id, state, outcome_set.keys) for captured_at, (run_id, state) in sorted(rows.items())]


def _history_to(connection: psycopg.Connection, market_id: int, rows: Sequence[tuple[Moment, bytes]]) -> pl.DataFrame:
    """What must happen (``DIFFERENCE``) so that these moments, with their states, are the market's history."""
    wanted = [(market_id, moment.captured_at, moment.run_id, state) for moment, state in rows]
    return difference(
        read_history(connection, market_ids=[market_id]), pl.DataFrame(wanted, schema=HISTORY_ROWS, orient="row")
    )


def _market_at(connection: psycopg.Connection, target: Target, listing_id: int) -> int | None:
    row = connection.execute(
        """
        SELECT market.id FROM markets AS market JOIN market_types AS type ON type.id = market.market_type_id
        WHERE market.event_bookmaker_id = %s AND type.betpawa_market_id = %s
          AND market.line IS NOT DISTINCT FROM %s::numeric
        """,
        [listing_id, target.market_id, target.line],
    ).fetchone()
    return None if row is None else row[0]


def _outcome_set(connection: psycopg.Connection, market_id: int) -> OutcomeSet:
    row = connection.execute(
        """
        SELECT keys, names FROM outcome_sets AS outcome_set JOIN markets AS market
          ON market.outcome_set_id = outcome_set.id WHERE market.id = %s
        """,
        [market_id],
    ).fetchone()
    assert row is not None
    return OutcomeSet(tuple(row[0]), tuple(row[1]))


def _copy_market(connection: psycopg.Connection, group: _Group, target: Target, market_id: int) -> int:
    """A market of the same listing and source at the target's place."""
    row = connection.execute(
        """
        INSERT INTO markets (event_bookmaker_id, market_type_id, label_id, source_id, outcome_set_id,
                             label_fingerprint, line, handicap_home, handicap_away)
        SELECT event_bookmaker_id, %s, %s, source_id, outcome_set_id, %s, %s, %s, %s FROM markets WHERE id = %s
        RETURNING id
        """,
        [
            market_type_ids(connection, [target.market_id])[target.market_id],
            _label_id(connection, group, target),
            _UNKNOWN_LABEL,
            target.line,
            target.handicap_home,
            target.handicap_away,
            market_id,
        ],
    ).fetchone()
    assert row is not None
    return row[0]


def _store(
    connection: psycopg.Connection,
    market_id: int,
    timeline: Sequence[Moment],
    names: Mapping[str, str],
    *,
    last_seen_of: int | None = None,
) -> pl.DataFrame:
    """Make the end of ``timeline`` the market's current state, in a set of ``names``.

    Returns what must happen (``DIFFERENCE``) so that all of it becomes the market's history.
    """
    outcome_set = OutcomeSet(tuple(names), tuple(names.values()))
    set_id = outcome_set_ids(connection, [outcome_set])[outcome_set]
    connection.execute("UPDATE markets SET outcome_set_id = %s WHERE id = %s", [set_id, market_id])
    rows = [(moment, packed(moment, outcome_set.keys)) for moment in timeline]
    # The last change may lie in a day that was retired: it makes the day's partition again, and is what the state of
    # later days knows of the market (I8).
    stale_states(connection, {moment.captured_at.date() for moment, _ in rows})
    found = _history_to(connection, market_id, rows)
    if not rows:
        return found
    last, state = rows[-1]
    connection.execute(
        """
        INSERT INTO current_odds (market_id, captured_at, run_id, state, fingerprint, unavailable_at, last_seen_at)
        VALUES (%(id)s, %(at)s, %(run_id)s, %(state)s, %(fingerprint)s, %(gone_at)s,
                (SELECT last_seen_at FROM current_odds WHERE market_id = %(seen_by)s))
        ON CONFLICT (market_id) DO UPDATE
        SET captured_at = excluded.captured_at, run_id = excluded.run_id, state = excluded.state,
            fingerprint = excluded.fingerprint, unavailable_at = excluded.unavailable_at
        """,
        {
            "id": market_id,
            "at": last.captured_at,
            "run_id": last.run_id,
            "state": state,
            "fingerprint": fingerprint_of(state, list(outcome_set.keys)),
            "gone_at": last.captured_at if last.is_unavailable else None,
            "seen_by": last_seen_of,
        },
    )
    return found


def _label_id(connection: psycopg.Connection, group: _Group, target: Target) -> int:
    """The words at the new place: the target's where it has any, else the stored ones."""
    label = Label(
        target.name or group.label.name,
        target.handicap_type,
        group.label.market_groups if target.groups is None else tuple(target.groups),
    )
    return label_ids(connection, [label])[label]
