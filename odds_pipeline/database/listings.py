"""Events and the bookmakers' listings of them: found, created, kept up to date and linked.

A listing joins its event by SportRadar id, on every cycle anew (B-28); names never join. A listing without the id is an
event of its own until it learns one. Runs inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.database.copying import as_array
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import ask, integers
from odds_pipeline.database.kickoffs import carry_kickoffs, record_kickoffs
from odds_pipeline.database.tournaments import told_or_default, tournament_ids, tournament_key
from odds_pipeline.odds.observation import UTC_MICROSECONDS

CANONICAL_BOOKMAKER = "betpawa"
_KEY = ["bookmaker", "external_event_id"]
_STORED_WORDS = ("sportradar_id_stored", "tournament_id", "home_team_stored", "away_team_stored", "kickoff_stored")
_WORDS = ("sportradar_id", "tournament_id", "home_team", "away_team", "kickoff")


class UnknownBookmaker(LookupError):
    """A bookmaker that the ``bookmakers`` table does not have. ``known``: those that it has, for who only asks."""

    def __init__(self, slugs: Iterable[str], *, known: Iterable[str] | None = None) -> None:
        names = ", ".join(sorted(slugs))
        if known is None:
            super().__init__(f"unknown bookmaker: {names}; register it, or replay with --new-bookmakers to create it")
        else:
            super().__init__(f"unknown bookmaker: {names}; known are {', '.join(sorted(known)) or 'none'}")


#: Listings that are stored, with the words that they have of their own and those of their tournament.
STORED_LISTINGS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "bookmaker": pl.String,
    "external_event_id": pl.String,
    "listing_id": pl.Int32,
    "event_id": pl.Int32,
    "sportradar_id": pl.String,
    "tournament_id": pl.Int32,
    "home_team": pl.String,
    "away_team": pl.String,
    "kickoff": UTC_MICROSECONDS,
    "last_answer_at": UTC_MICROSECONDS,
    "sport": pl.String,
    "tournament": pl.String,
    "country": pl.String,
}


@dataclass(slots=True)
class _Listing:
    """One row of ``event_bookmakers``, as stored or as it should be."""

    id: int | None
    event_id: int | None
    sportradar_id: str | None
    tournament_id: int
    home_team: str
    away_team: str
    kickoff: datetime | None

    def words(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in _WORDS)


def find_listings(connection: psycopg.Connection, listings: pl.DataFrame) -> pl.DataFrame:
    """Those of the listings (bookmaker, external_event_id) that are stored, in ``STORED_LISTINGS``."""
    query = sql.SQL(
        """
        SELECT bookmaker.slug AS bookmaker, listing.external_event_id, listing.id AS listing_id, listing.event_id,
               listing.sportradar_id, listing.tournament_id, listing.home_team, listing.away_team, listing.kickoff,
               state.last_answer_at, sport.name AS sport, tournament.name AS tournament, tournament.country
        FROM unnest(%s::text[], %s::text[]) AS wanted (slug, external_event_id)
        JOIN bookmakers AS bookmaker ON bookmaker.slug = wanted.slug
        JOIN event_bookmakers AS listing
          ON listing.bookmaker_id = bookmaker.id AND listing.external_event_id = wanted.external_event_id
        JOIN tournaments AS tournament ON tournament.id = listing.tournament_id
        JOIN sports AS sport ON sport.id = tournament.sport_id
        LEFT JOIN listing_state AS state ON state.event_bookmaker_id = listing.id
        """
    )
    return ask(connection, query, STORED_LISTINGS, [as_array(listings[name]) for name in _KEY])()


def resolve_listings(
    connection: psycopg.Connection,
    listings: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    now: datetime,
    as_of: datetime,
) -> pl.DataFrame:
    """Create or update the given listings and their events, whose kick-offs are known since ``as_of``.

    Returns (bookmaker, external_event_id, listing_id, event_id) of each. ``listings`` is ``Answers.listings`` with the
    ``captured_at`` of the answers; ``stored`` what ``find_listings`` found of them. Words that a bookmaker does not
    give this time (null), or that are older than the last committed answer, leave what is stored. Which of them are
    primary is chosen afterwards (``choose_primaries``), also for the events in ``stored`` that listings may have left.
    Raises ``UnknownBookmaker``.
    """
    bookmakers = bookmaker_ids(connection, listings["bookmaker"].unique().to_list())
    told = _with_news(listings, stored)
    tournaments = tournament_ids(connection, told)
    created: dict[tuple[str, str], _Listing] = {}
    updated: dict[tuple[str, str], _Listing] = {}
    relinked: list[_Listing] = []
    for row in told.iter_rows(named=True):
        key = (row["bookmaker"], row["external_event_id"])
        is_new = row["listing_id"] is None
        is_placed = is_new or row["tournament"] is not None
        listing = _Listing(
            id=row["listing_id"],
            event_id=row["event_id"],
            sportradar_id=row["sportradar_id"] or row["sportradar_id_stored"],
            tournament_id=tournaments[tournament_key(row)] if is_placed else row["tournament_id"],
            home_team=row["home_team"] or row["home_team_stored"] or "",
            away_team=row["away_team"] or row["away_team_stored"] or "",
            kickoff=row["kickoff"] or row["kickoff_stored"],
        )
        if is_new:
            created[key] = listing
        # Another spelling of the same tournament is nothing new.
        elif listing.words() != tuple(row[name] for name in _STORED_WORDS):
            updated[key] = listing
            if listing.sportradar_id != row["sportradar_id_stored"]:
                relinked.append(listing)
    told_now = created | updated
    if told_now:
        touched = _link_to_events(connection, [*created.values(), *relinked], now)
        _insert(connection, bookmakers, created, now)
        _update(connection, updated)
        touched |= {listing.event_id for listing in told_now.values() if listing.event_id is not None}
        _refresh_events(connection, sorted(touched))
        record_kickoffs(connection, sorted(touched), now=as_of)
    ids = {name: STORED_LISTINGS[name] for name in (*_KEY, "listing_id", "event_id")}
    changed = pl.DataFrame(
        [(*key, listing.id, listing.event_id) for key, listing in told_now.items()], schema=ids, orient="row"
    )
    return pl.concat([stored.select(*ids).join(changed, on=_KEY, how="anti"), changed])


def _with_news(listings: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Listings that are not stored, or of which something else is told; with what is stored of them."""
    both = listings.join(stored, on=_KEY, how="left", suffix="_stored", maintain_order="left")
    is_late = (pl.col("captured_at") < pl.col("last_answer_at")).fill_null(value=False)
    is_other = pl.any_horizontal(
        *(
            (pl.col(name).fill_null("") != "") & pl.col(name).ne_missing(pl.col(f"{name}_stored"))
            for name in ("sportradar_id", "home_team", "away_team")
        ),
        pl.col("kickoff").is_not_null() & pl.col("kickoff").ne_missing(pl.col("kickoff_stored")),
        pl.col("tournament").is_not_null()
        & pl.any_horizontal(
            told_or_default(name).ne_missing(pl.col(f"{name}_stored")) for name in ("sport", "tournament", "country")
        ),
    )
    return both.filter(pl.col("listing_id").is_null() | (~is_late & is_other))


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


def choose_primaries(connection: psycopg.Connection, *event_ids: pl.Series) -> None:
    """Of several listings of one of the matches by one bookmaker, make the one nearest its kick-off primary.

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
            WHERE listing.event_id = ANY(%s::int[])
        )
        UPDATE event_bookmakers AS listing SET is_primary = ranked.is_first
        FROM ranked WHERE ranked.id = listing.id AND listing.is_primary <> ranked.is_first
        """,
        [integers(pl.concat(event_ids).unique())],
    )


def _link_to_events(connection: psycopg.Connection, pending: Sequence[_Listing], now: datetime) -> set[int]:
    """Give each of the listings its event, creating events and dropping orphans; return the events touched."""
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


def _adopt_id(connection: psycopg.Connection, listing: _Listing) -> bool:
    """Let the listing's own event, which had no SportRadar id, take the one that the listing has learnt."""
    return (
        connection.execute(
            "UPDATE events SET sportradar_id = %s WHERE id = %s AND sportradar_id IS NULL",
            [listing.sportradar_id, listing.event_id],
        ).rowcount
        == 1
    )


def _create_event(connection: psycopg.Connection, listing: _Listing, now: datetime) -> int:
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
    created: dict[tuple[str, str], _Listing],
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


def _update(connection: psycopg.Connection, updated: dict[tuple[str, str], _Listing]) -> None:
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
