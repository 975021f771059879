"""Rebuilding current from history by replay (I1): what history says last of each market becomes current again."""

from __future__ import annotations

from dataclasses import dataclass

from odds_pipeline.database.engine import Database
from odds_pipeline.database.locks import take_writer_lock
from odds_pipeline.odds.packed import unpack
from odds_pipeline.odds.replay import fingerprint_of


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found: ``markets`` with history, and how many of them current had differently or not at all."""

    markets: int
    repaired: int


def rebuild_current(database: Database) -> Rebuilt:
    """Replay history into current, under the writer's lock and in one transaction.

    A market without history (all of its days retired) keeps its current row. Rows that agree are not touched.
    """
    with database.connect() as connection, connection.transaction():
        take_writer_lock(connection)
        connection.execute(
            """
            CREATE TEMPORARY TABLE replayed ON COMMIT DROP AS
            SELECT DISTINCT ON (market_id) market_id, captured_at, run_id, state
            FROM odds_history ORDER BY market_id, captured_at DESC
            """
        )
        markets = connection.execute("SELECT count(*) FROM replayed").fetchone()
        assert markets is not None
        differing = connection.execute(
            """
            SELECT replayed.market_id, replayed.captured_at, replayed.run_id, replayed.state, outcome_set.keys
            FROM replayed JOIN markets AS market ON market.id = replayed.market_id
            JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
            LEFT JOIN current_odds AS current ON current.market_id = replayed.market_id
            WHERE (current.captured_at, current.state) IS DISTINCT FROM (replayed.captured_at, replayed.state)
            """
        ).fetchall()
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                INSERT INTO current_odds (market_id, captured_at, run_id, state, fingerprint, unavailable_at)
                VALUES (%s, %s, %s, %s, %s, %s)
                ON CONFLICT (market_id) DO UPDATE
                SET captured_at = excluded.captured_at, run_id = excluded.run_id, state = excluded.state,
                    fingerprint = excluded.fingerprint, unavailable_at = excluded.unavailable_at
                """,
                [
                    (
                        market_id,
                        captured_at,
                        run_id,
                        state,
                        fingerprint_of(state, keys),
                        captured_at if unpack(state).is_unavailable else None,
                    )
                    for market_id, captured_at, run_id, state, keys in differing
                ],
            )
    return Rebuilt(markets=markets[0], repaired=len(differing))
