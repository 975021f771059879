"""Timelines of stored markets, split over other places of their listing or joined with what is there already.

A market keeps its current state in step. What was stored under a former id or place is remembered (``former_markets``,
``former_places``): days that were retired keep the old ids, and observations the old places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import polars as pl
import psycopg

from odds_pipeline.database.archived_files import stale_states
from odds_pipeline.database.corrections import difference, rewrite_history
from odds_pipeline.database.dictionaries import Label, OutcomeSet, label_ids, market_type_ids, outcome_set_ids
from odds_pipeline.database.history import read_history
from odds_pipeline.database.partitions import ask_whole, list_partitions
from odds_pipeline.markets.mapper import Target
from odds_pipeline.markets.remap import Move
from odds_pipeline.odds.replay import HISTORY_ROWS, fingerprint_of
from odds_pipeline.odds.timeline import Moment, joined, packed, part_of, read, seam_of

UNKNOWN_LABEL = 0
"""Label fingerprint of a moved market: the next sighting fills its words in, without history."""


class AlikeMarkets(NamedTuple):
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


def split_or_join(
    connection: psycopg.Connection, group: AlikeMarkets, found: Sequence[Move], markets: Sequence[tuple[int, int]]
) -> None:
    """Split the timelines of markets, each of another listing, over the moves' places; join them with what is there.

    Raises ``DayHalfDetached`` when they cannot be seen whole.
    """
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
    connection: psycopg.Connection, group: AlikeMarkets, found: Sequence[Move], market_id: int, listing_id: int
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


def _copy_market(connection: psycopg.Connection, group: AlikeMarkets, target: Target, market_id: int) -> int:
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
            label_id_at(connection, group, target),
            UNKNOWN_LABEL,
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


def label_id_at(connection: psycopg.Connection, group: AlikeMarkets, target: Target) -> int:
    """The words at the new place: the target's where it has any, else the stored ones."""
    label = Label(
        target.name or group.label.name,
        target.handicap_type,
        group.label.market_groups if target.groups is None else tuple(target.groups),
    )
    return label_ids(connection, [label])[label]
