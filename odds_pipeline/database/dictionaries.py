"""The small shared tables behind markets: types, words, sources and outcome sets, found or created by content.

Runs inside the writer's transaction; every function returns the ids of exactly what it was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import psycopg

from odds_pipeline.odds.fingerprint import hash_text


class Label(NamedTuple):
    """The words of a market."""

    name: str
    handicap_type: str | None
    market_groups: tuple[str, ...]

    @property
    def digest(self) -> int:
        return hash_text(json.dumps([self.name, self.handicap_type, self.market_groups]))


class Source(NamedTuple):
    """A bookmaker's own id and specifier of a market."""

    source_market_id: str | None
    source_specifier: str | None


class OutcomeSet(NamedTuple):
    """Keys and names of a market's outcomes, in the order of its packed states."""

    keys: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def digest(self) -> int:
        return hash_text("\x1e".join(self.keys) + "\x1f" + "\x1e".join(self.names))


def market_type_ids(connection: psycopg.Connection, market_ids: Sequence[str]) -> dict[str, int]:
    """Ids of market types by betPawa market id (or own id)."""
    if not market_ids:
        return {}
    query = "SELECT betpawa_market_id, id FROM market_types WHERE betpawa_market_id = ANY(%s)"
    found = dict(connection.execute(query, [list(market_ids)]).fetchall())
    if missing := sorted(set(market_ids) - found.keys()):
        connection.execute("INSERT INTO market_types (betpawa_market_id) SELECT unnest(%s::text[])", [missing])
        found |= dict(connection.execute(query, [missing]).fetchall())
    return found


def label_ids(connection: psycopg.Connection, labels: Iterable[Label]) -> dict[Label, int]:
    """Ids of labels."""
    by_digest = {label.digest: label for label in labels}
    query = "SELECT digest, id FROM market_labels WHERE digest = ANY(%s)"
    found = dict(connection.execute(query, [list(by_digest)]).fetchall())
    if missing := by_digest.keys() - found.keys():
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO market_labels (digest, name, handicap_type, market_groups) VALUES (%s, %s, %s, %s::jsonb)",
                [
                    (digest, label.name, label.handicap_type, json.dumps(label.market_groups))
                    for digest, label in by_digest.items()
                    if digest in missing
                ],
            )
        found |= dict(connection.execute(query, [list(missing)]).fetchall())
    return {label: found[digest] for digest, label in by_digest.items()}


def source_ids(connection: psycopg.Connection, sources: Iterable[Source]) -> dict[Source, int]:
    """Ids of sources."""
    wanted = set(sources)
    found = _found_sources(connection, wanted)
    if missing := wanted - found.keys():
        connection.execute(
            """
            INSERT INTO market_sources (source_market_id, source_specifier)
            SELECT * FROM unnest(%s::text[], %s::text[])
            """,
            _source_columns(sorted(missing, key=repr)),
        )
        found |= _found_sources(connection, missing)
    return found


def _found_sources(connection: psycopg.Connection, sources: Iterable[Source]) -> dict[Source, int]:
    # IS NOT DISTINCT FROM alone compares every pair: it takes an equality to join by hashing.
    rows = connection.execute(
        """
        SELECT s.source_market_id, s.source_specifier, s.id FROM market_sources AS s
        JOIN unnest(%s::text[], %s::text[]) AS wanted (market_id, specifier)
          ON coalesce(s.source_market_id, '') = coalesce(wanted.market_id, '')
         AND coalesce(s.source_specifier, '') = coalesce(wanted.specifier, '')
         AND s.source_market_id IS NOT DISTINCT FROM wanted.market_id
         AND s.source_specifier IS NOT DISTINCT FROM wanted.specifier
        """,
        _source_columns(sources),
    )
    return {Source(market_id, specifier): id for market_id, specifier, id in rows}


def _source_columns(sources: Iterable[Source]) -> list[list[str | None]]:
    rows = list(sources)
    return [[row.source_market_id for row in rows], [row.source_specifier for row in rows]]


def outcome_set_ids(connection: psycopg.Connection, sets: Iterable[OutcomeSet]) -> dict[OutcomeSet, int]:
    """Ids of outcome sets."""
    by_digest = {outcome_set.digest: outcome_set for outcome_set in sets}
    query = "SELECT digest, id FROM outcome_sets WHERE digest = ANY(%s)"
    found = dict(connection.execute(query, [list(by_digest)]).fetchall())
    if missing := by_digest.keys() - found.keys():
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO outcome_sets (digest, keys, names) VALUES (%s, %s, %s)",
                [(digest, list(by_digest[digest].keys), list(by_digest[digest].names)) for digest in missing],
            )
        found |= dict(connection.execute(query, [list(missing)]).fetchall())
    return {outcome_set: found[digest] for digest, outcome_set in by_digest.items()}
