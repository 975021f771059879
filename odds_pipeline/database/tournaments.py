"""Sports and tournaments by the words that listings have for them: found, or created.

Runs inside the writer's transaction.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import psycopg

_DEFAULTS = {"sport": "Football", "tournament": "Unknown", "country": "Unknown"}


def told_or_default(name: str) -> pl.Expr:
    """A tournament's word, or what stands for one that is not told."""
    return pl.when(pl.col(name).fill_null("") != "").then(name).otherwise(pl.lit(_DEFAULTS[name]))


def tournament_key(row: dict[str, Any]) -> tuple[str, str, str]:
    """Sport, name and country together: ``Premier League`` exists in dozens of countries (B-30)."""
    sport, name, country = (row[word] or default for word, default in _DEFAULTS.items())
    return (sport, name, country)


def tournament_ids(connection: psycopg.Connection, listings: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    """Ids of the listings' tournaments by ``tournament_key``."""
    words = listings.select("sport", "tournament", "country").unique().iter_rows(named=True)
    wanted = sorted({tournament_key(row) for row in words})
    if not wanted:
        return {}
    sports = _sport_ids(connection, sorted({sport for sport, _, _ in wanted}))
    rows = [(sports[sport], name, country) for sport, name, country in wanted]
    columns = [list(column) for column in zip(*rows, strict=True)]
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
