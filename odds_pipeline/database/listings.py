"""Events, tournaments and the bookmakers' listings of them: found, created, kept up to date and linked.

A listing joins its event by SportRadar id, on every cycle anew (B-28); names never join. A listing without the id is an
event of its own until it learns one. Runs inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import polars as pl
import psycopg

from odds_pipeline.database.engine import Database
from odds_pipeline.database.kickoffs import carry_kickoffs, record_kickoffs

CANONICAL_BOOKMAKER = "betpawa"
UNKNOWN_COUNTRY = "Unknown"

_WORDS = ("sportradar_id", "tournament_id", "home_team", "away_team", "kickoff")


class UnknownBookmaker(LookupError):
    """A bookmaker that the ``bookmakers`` table does not have. ``known``: those that it has, for who only asks."""

    def __init__(self, slugs: Iterable[str], *, known: Iterable[str] | None = None) -> None:
        names = ", ".join(sorted(slugs))
        if known is None:
            super().__init__(f"unknown bookmaker: {names}; register it, or replay with --new-bookmakers to create it")
        else:
            super().__init__(f"unknown bookmaker: {names}; known are {', '.join(sorted(known)) or 'none'}")


@dataclass(slots=True)
class StoredListing:
    """One row of ``event_bookmakers``, as stored or as it should be."""

    id: int | None
    event_id: int | None
    sportradar_id: str | None
    tournament_id: int
    home_team: str
    away_team: str
    kickoff: datetime | None
    last_answer_at: datetime | None = None

    def is_newer_than(self, moment: datetime | None) -> bool:
        """Whether an answer that is committed arrived after ``moment``."""
        return moment is not None and self.last_answer_at is not None and moment < self.last_answer_at

    def words(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in _WORDS)


StoredListings: TypeAlias = dict[tuple[str, str], StoredListing]
"""By bookmaker's slug and external event id."""


def resolve_listings(
    connection: psycopg.Connection,
    listings: pl.DataFrame,
    stored: StoredListings,
    *,
    now: datetime,
    as_of: datetime,
) -> pl.DataFrame:
    """Create or update the given listings and their events, whose kick-offs are known since ``as_of``.

    Returns (bookmaker, external_event_id, listing_id, event_id) of each. ``listings`` is ``Answers.listings`` with the
    ``captured_at`` of the answers; ``stored`` what ``find_listings`` found of them, and afterwards what is stored of
    them all. Words that a bookmaker does not give this time (null), or that are older than the last committed answer,
    leave what is stored. Raises ``UnknownBookmaker``.
    """
    bookmakers = bookmaker_ids(connection, listings["bookmaker"].unique().to_list())
    tournaments = _tournament_ids(connection, listings)
    created: StoredListings = {}
    updated: StoredListings = {}
    relinked: set[tuple[str, str]] = set()
    for row in listings.iter_rows(named=True):
        key = (row["bookmaker"], row["external_event_id"])
        before = stored.get(key)
        if before is not None and before.is_newer_than(row["captured_at"]):
            continue
        tournament = tournaments[_tournament_key(row)] if row["tournament"] is not None or before is None else None
        after = StoredListing(
            id=before.id if before else None,
            event_id=before.event_id if before else None,
            sportradar_id=row["sportradar_id"] or (before.sportradar_id if before else None),
            tournament_id=tournament if tournament is not None else before.tournament_id,  # type: ignore[union-attr]
            home_team=row["home_team"] or (before.home_team if before else ""),
            away_team=row["away_team"] or (before.away_team if before else ""),
            kickoff=row["kickoff"] or (before.kickoff if before else None),
        )
        if before is None:
            created[key] = after
        elif after.words() != before.words():
            updated[key] = after
            if after.sportradar_id != before.sportradar_id:
                relinked.add(key)
        stored[key] = after
    touched = _link_to_events(connection, stored, created.keys() | relinked, now)
    _insert(connection, bookmakers, created, now)
    _update(connection, updated)
    touched |= {listing.event_id for listing in [*created.values(), *updated.values()] if listing.event_id is not None}
    _refresh_events(connection, sorted(touched))
    record_kickoffs(connection, sorted(touched), now=as_of)
    # Also of the events that listings have left: another listing of the bookmaker may be the first there now.
    touched |= {listing.event_id for listing in stored.values() if listing.event_id is not None}
    choose_primaries(connection, sorted(touched))
    return pl.DataFrame(
        [(*key, listing.id, listing.event_id) for key, listing in stored.items()],
        schema={
            "bookmaker": pl.String,
            "external_event_id": pl.String,
            "listing_id": pl.Int32,
            "event_id": pl.Int32,
        },
        orient="row",
    )


def register_bookmakers(database: Database, names: Mapping[str, str], *, are_scraped: bool = True) -> None:
    """Make bookmakers (slug to name) known to the database; those that are stay as they are (B-33)."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO bookmakers (slug, name, is_active) VALUES (%s, %s, %s) ON CONFLICT (slug) DO NOTHING",
            [(slug, name, are_scraped) for slug, name in names.items()],
        )


def bookmaker_ids(connection: psycopg.Connection, slugs: list[str]) -> dict[str, int]:
    """Ids of bookmakers by slug. Raises ``UnknownBookmaker``."""
    found = dict(connection.execute("SELECT slug, id FROM bookmakers WHERE slug = ANY(%s)", [slugs]).fetchall())
    if missing := set(slugs) - found.keys():
        raise UnknownBookmaker(missing)
    return found


def require_bookmakers(connection: psycopg.Connection, slugs: Sequence[str]) -> None:
    """Raise ``UnknownBookmaker``, naming those that are known, unless all of the slugs are a bookmaker's."""
    known = {slug for (slug,) in connection.execute("SELECT slug FROM bookmakers")}
    if missing := set(slugs) - known:
        raise UnknownBookmaker(missing, known=known)


def choose_primaries(connection: psycopg.Connection, event_ids: list[int]) -> None:
    """Of several listings of one match by one bookmaker, make the one nearest the match's kick-off primary.

    A listing that vanished before its kick-off, as when a bookmaker lists the match anew, goes after the others; the
    oldest decides a draw.
    """
    connection.execute(
        """
        WITH ranked AS (
            SELECT listing.id,
                   row_number() OVER (
                       PARTITION BY listing.event_id, listing.bookmaker_id
                       ORDER BY coalesce(state.unlisted_at < listing.kickoff, state.unlisted_at IS NOT NULL),
                                abs(extract(epoch FROM listing.kickoff - event.kickoff)) NULLS LAST,
                                listing.id
                   ) = 1 AS is_first
            FROM event_bookmakers AS listing
            JOIN events AS event ON event.id = listing.event_id
            LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
            WHERE listing.event_id = ANY(%s)
        )
        UPDATE event_bookmakers AS listing SET is_primary = ranked.is_first
        FROM ranked WHERE ranked.id = listing.id AND listing.is_primary <> ranked.is_first
        """,
        [event_ids],
    )


def _tournament_key(row: dict[str, Any]) -> tuple[str, str, str]:
    """Sport, name and country together: ``Premier League`` exists in dozens of countries (B-30)."""
    return (row["sport"] or "Football", row["tournament"] or "Unknown", row["country"] or UNKNOWN_COUNTRY)


def _tournament_ids(connection: psycopg.Connection, listings: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    words = listings.select("sport", "tournament", "country").unique().iter_rows(named=True)
    wanted = sorted({_tournament_key(row) for row in words})
    sports = _sport_ids(connection, sorted({sport for sport, _, _ in wanted}))
    rows = [(sports[sport], name, country) for sport, name, country in wanted]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    query = """
        SELECT t.id, t.sport_id, t.name, t.country FROM tournaments AS t
        JOIN unnest(%s::int[], %s::text[], %s::text[]) AS wanted (sport_id, name, country)
        USING (sport_id, name, country)
    """
    found = {(sport, name, country): id for id, sport, name, country in connection.execute(query, columns)}
    # Two spellings of a sport are one sport, so two of the words may name one tournament.
    if missing := sorted({row for row in rows if row not in found}):
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO tournaments (sport_id, name, country) VALUES (%s, %s, %s)", missing)
        found = {(sport, name, country): id for id, sport, name, country in connection.execute(query, columns)}
    return {key: found[row] for key, row in zip(wanted, rows, strict=True)}


def _sport_ids(connection: psycopg.Connection, names: list[str]) -> dict[str, int]:
    """Ids by name. A sport is known by its slug, so that spelling with a capital makes no second one."""
    slugs = {name: "-".join(name.lower().split()) for name in names}
    query = "SELECT slug, id FROM sports WHERE slug = ANY(%s)"
    found = dict(connection.execute(query, [list(slugs.values())]).fetchall())
    for name, slug in slugs.items():
        if slug not in found:
            row = connection.execute(
                "INSERT INTO sports (name, slug) VALUES (%s, %s) RETURNING id", [name, slug]
            ).fetchone()
            assert row is not None
            found[slug] = row[0]
    return {name: found[slug] for name, slug in slugs.items()}


def find_listings(connection: psycopg.Connection, listings: pl.DataFrame) -> StoredListings:
    """Those of the listings (bookmaker, external_event_id) that are stored."""
    rows = connection.execute(
        """
        SELECT bookmaker.slug, listing.external_event_id, listing.id, listing.event_id, listing.sportradar_id,
               listing.tournament_id, listing.home_team, listing.away_team, listing.kickoff, state.last_answer_at
        FROM unnest(%s::text[], %s::text[]) AS wanted (slug, external_event_id)
        JOIN bookmakers AS bookmaker ON bookmaker.slug = wanted.slug
        JOIN event_bookmakers AS listing
          ON listing.bookmaker_id = bookmaker.id AND listing.external_event_id = wanted.external_event_id
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        """,
        [listings["bookmaker"].to_list(), listings["external_event_id"].to_list()],
    )
    return {(row[0], row[1]): StoredListing(*row[2:]) for row in rows}


def _link_to_events(
    connection: psycopg.Connection,
    stored: StoredListings,
    keys: Iterable[tuple[str, str]],
    now: datetime,
) -> set[int]:
    """Give each of the listings its event, creating events and dropping orphans; return the events touched."""
    pending = [stored[key] for key in keys]
    wanted = sorted({listing.sportradar_id for listing in pending if listing.sportradar_id})
    known = dict(
        connection.execute("SELECT sportradar_id, id FROM events WHERE sportradar_id = ANY(%s)", [wanted]).fetchall()
    )
    joined: list[tuple[int, int]] = []
    moved: list[tuple[int, int]] = []
    for listing in pending:
        sportradar_id = listing.sportradar_id
        target = known.get(sportradar_id) if sportradar_id else None
        if target is None and listing.event_id is not None and sportradar_id and _adopt_id(connection, listing):
            target = listing.event_id
        if target is None:
            target = _create_event(connection, listing, now)
        if sportradar_id:
            known[sportradar_id] = target
        if listing.event_id is not None and listing.event_id != target:
            joined.append((listing.event_id, target))
            assert listing.id is not None
            moved.append((target, listing.id))
        listing.event_id = target
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE event_bookmakers SET event_id = %s WHERE id = %s", moved)
    carry_kickoffs(connection, joined)
    left = {event_id for event_id, _ in joined}
    dropped = {
        row[0]
        for row in connection.execute(
            """
            DELETE FROM events AS event WHERE event.id = ANY(%s)
              AND NOT EXISTS (SELECT FROM event_bookmakers WHERE event_id = event.id)
              AND NOT EXISTS (SELECT FROM odds_snapshots WHERE event_id = event.id)
            RETURNING event.id
            """,
            [sorted(left)],
        )
    }
    return {listing.event_id for listing in pending if listing.event_id is not None} | (left - dropped)


def _adopt_id(connection: psycopg.Connection, listing: StoredListing) -> bool:
    """Let the listing's own event, which had no SportRadar id, take the one that the listing has learnt."""
    return (
        connection.execute(
            "UPDATE events SET sportradar_id = %s WHERE id = %s AND sportradar_id IS NULL",
            [listing.sportradar_id, listing.event_id],
        ).rowcount
        == 1
    )


def _create_event(connection: psycopg.Connection, listing: StoredListing, now: datetime) -> int:
    row = connection.execute(
        """
        INSERT INTO events (tournament_id, name, home_team, away_team, kickoff, sportradar_id, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        [
            listing.tournament_id,
            f"{listing.home_team} - {listing.away_team}",
            listing.home_team,
            listing.away_team,
            listing.kickoff,
            listing.sportradar_id,
            now,
        ],
    ).fetchone()
    assert row is not None
    return row[0]


def _insert(
    connection: psycopg.Connection,
    bookmakers: dict[str, int],
    created: StoredListings,
    now: datetime,
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id, sportradar_id, tournament_id,
                                          home_team, away_team, kickoff, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
            """,
            [(row.event_id, bookmakers[slug], ext, *row.words(), now) for (slug, ext), row in created.items()],
            returning=True,
        )
        for listing in created.values():
            row = cursor.fetchone()
            assert row is not None
            listing.id = row[0]
            cursor.nextset()


def _update(connection: psycopg.Connection, updated: StoredListings) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE event_bookmakers SET sportradar_id = %s, tournament_id = %s, home_team = %s, away_team = %s,
                                        kickoff = %s
            WHERE id = %s
            """,
            [(*listing.words(), listing.id) for listing in updated.values()],
        )


def _refresh_events(connection: psycopg.Connection, event_ids: list[int]) -> None:
    """Show each event with betPawa's words where betPawa lists it, else with the first bookmaker's that does.

    Where that bookmaker lists the match twice, with the kick-off that more listings of all bookmakers have.
    """
    connection.execute(
        """
        WITH shown AS (
            SELECT DISTINCT ON (listing.event_id) listing.*
            FROM (
                SELECT *, count(*) OVER (PARTITION BY event_id, kickoff) AS agreeing
                FROM event_bookmakers WHERE event_id = ANY(%s)
            ) AS listing
            JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
            ORDER BY listing.event_id, (bookmaker.slug <> %s), bookmaker.id, listing.agreeing DESC, listing.id
        )
        UPDATE events AS event
        SET tournament_id = shown.tournament_id, home_team = shown.home_team, away_team = shown.away_team,
            name = shown.home_team || ' - ' || shown.away_team, kickoff = shown.kickoff
        FROM shown
        WHERE event.id = shown.event_id
          AND (event.tournament_id, event.home_team, event.away_team, event.kickoff)
              IS DISTINCT FROM (shown.tournament_id, shown.home_team, shown.away_team, shown.kickoff)
        """,
        [event_ids, CANONICAL_BOOKMAKER],
    )
