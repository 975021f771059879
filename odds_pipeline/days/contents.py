"""What a day's partition says in the plain columns of the history archive, and whether a file says the same.

Writing decodes packed states; comparing packs what the file says again and sets it beside PostgreSQL's bytes. The two
share no code, so a fault in either shows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from odds_pipeline.archive.history import HISTORY_SCHEMA, ContentHash, begin_part, read_part
from odds_pipeline.archive.store import Archive, ArchivedFile
from odds_pipeline.database.engine import Database
from odds_pipeline.database.fetching import integers
from odds_pipeline.odds.packed import UNAVAILABLE, OutcomeStatus, pack, unpack
from odds_pipeline.odds.packs import changes_in
from odds_pipeline.odds.replay import HISTORY_ROWS
from odds_pipeline.odds.shown import shown
from odds_pipeline.odds.states import packed_states

_ROWS_AT_ONCE = 200_000
"""History rows decoded at once: bounds the memory of a large day."""

_WORDS = {
    name: kind
    for name, kind in HISTORY_SCHEMA.items()
    if name not in ("market_id", "outcomes", "is_unavailable", "captured_at", "run_id", "is_trusted")
}

_COMPARED = ("market_id", "captured_at", "run_id", "is_trusted", *_WORDS)


class Stamp(NamedTuple):
    """Tells whether a partition still holds what was read: the number of changes, and a sum of hashes of its rows."""

    rows: int
    hashes: int


class Markets(NamedTuple):
    """The markets between two ids, both included."""

    first: int
    last: int


class _Slice(NamedTuple):
    """Some markets of a partition: their rows as ``_rows`` has them, and their words as ``_words`` has them."""

    markets: Markets
    rows: pl.DataFrame
    words: pl.DataFrame


class Differs(Exception):
    """What a file of the archive says is not what PostgreSQL holds; the message says in what."""


def stamp(connection: psycopg.Connection, partition: str) -> Stamp:
    """The stamp of a partition as this transaction sees it."""
    query = sql.SQL(
        """
        SELECT coalesce(sum(odds_count(changes)), 0)::int, coalesce(sum(hash_record_extended(row.*, 0)), 0)::text
        FROM {} AS row
        """
    )
    found = connection.execute(query.format(sql.Identifier(partition))).fetchone()
    assert found is not None
    return Stamp(found[0], int(found[1]))


def write_part(database: Database, archive: Archive, partition: str, day: date) -> ArchivedFile:
    """Write what a partition holds as one more part of its day. Raises ``Differs`` and ``ArchiveUnusable``."""
    with begin_part(archive, day) as file:
        for _, rows, words in _slices(database, partition):
            file.append(_plain(rows, words))
        return file.finish()


def require_same(database: Database, archive: Archive, partition: str, file: ArchivedFile) -> ContentHash:
    """Read a part back and compare it with the partition: its bytes, the number of rows, and a hash of their content.

    Raises ``Differs``, and ``ArchiveDamaged`` when the file is not what was written.
    """
    parts = _Parts(read_part(archive.require(file)))
    stored, archived = ContentHash(), ContentHash()
    for markets, rows, words in _slices(database, partition):
        part = parts.take(rows.height)
        if not part["market_id"].equals(rows["market_id"]):
            raise Differs(
                f"{file.path} and {partition} have different rows of the markets {markets.first} to {markets.last}"
            )
        again = _packed_again(part, words)
        told = rows.join(words, on="market_id", how="left", maintain_order="left")
        stored.update(told.select(*_COMPARED, state=_comparable(rows["state"], again)))
        archived.update(part.select(*_COMPARED, state=again))
    if archived != stored or file.rows != stored.rows:
        raise Differs(
            f"{file.path} does not say what {partition} holds: {file.rows:,} rows with the hash "
            f"{archived.hexdigest[:12]}, not {stored.rows:,} with {stored.hexdigest[:12]}"
        )
    return stored


class _Parts:
    """Rows that come in parts, taken in other parts."""

    def __init__(self, parts: Iterator[pl.DataFrame]) -> None:
        self._parts = parts
        self._rest = pl.DataFrame(schema=dict(HISTORY_SCHEMA))

    def take(self, rows: int) -> pl.DataFrame:
        """The next rows; fewer when there are no more."""
        taken = [self._rest]
        while sum(part.height for part in taken) < rows and (part := next(self._parts, None)) is not None:
            taken.append(part)
        together = pl.concat(taken)
        self._rest = together.slice(rows)
        return together.head(rows)


def _slices(database: Database, partition: str) -> Iterator[_Slice]:
    """What a partition holds, in slices of about ``_ROWS_AT_ONCE`` rows in the order of the markets.

    Each is read while the caller works on the one before it.
    """
    with tempfile.TemporaryDirectory() as spool, ThreadPoolExecutor(1) as reading:
        ahead: Future[_Slice] | None = None
        for markets in _bounds(_spooled(database, partition, Path(spool))):
            following = reading.submit(_slice, database, partition, markets, Path(spool))
            if ahead is not None:
                yield ahead.result()
            ahead = following
        if ahead is not None:
            yield ahead.result()


def _slice(database: Database, partition: str, markets: Markets, spool: Path) -> _Slice:
    rows = _rows(database, markets, spool)
    return _Slice(markets, rows, _words(database, partition, rows["market_id"].unique()))


def _spooled(database: Database, partition: str, spool: Path) -> pl.DataFrame:
    """Put the partition's changes into files, since it has them by answer; how many ``rows`` each market has."""
    query = sql.SQL("SELECT event_bookmaker_id AS id, sum(odds_count(changes))::int AS rows FROM {} GROUP BY id")
    listings = database.read_frame(query.format(sql.Identifier(partition))).rename({"id": "market_id"})
    query = sql.SQL("SELECT captured_at, run_id, changes FROM {} WHERE event_bookmaker_id BETWEEN {} AND {}")
    counts = [pl.DataFrame(schema={"market_id": pl.Int32, "rows": pl.Int64})]
    for number, (first, last) in enumerate(_bounds(listings)):
        packs = database.read_frame(query.format(sql.Identifier(partition), sql.Literal(first), sql.Literal(last)))
        rows = changes_in(packs).select(pl.col(name).cast(kind) for name, kind in HISTORY_ROWS.items())
        rows.write_ipc(spool / f"{number:06}.arrow")
        counts.append(rows.group_by("market_id").agg(rows=pl.len().cast(pl.Int64)))
    return pl.concat(counts).group_by("market_id").agg(pl.col("rows").sum())


def _bounds(markets: pl.DataFrame) -> list[Markets]:
    counted = markets.sort("market_id").with_columns(part=pl.col("rows").cum_sum() // _ROWS_AT_ONCE)
    parts = counted.group_by("part", maintain_order=True)
    bounds = parts.agg(first=pl.col("market_id").min(), last=pl.col("market_id").max())
    return [Markets(first, last) for _, first, last in bounds.iter_rows()]


def _rows(database: Database, markets: Markets, spool: Path) -> pl.DataFrame:
    """History rows (``HISTORY_ROWS``) by market and time, with ``is_trusted``."""
    is_of_markets = pl.col("market_id").is_between(*markets)
    rows = pl.scan_ipc(spool / "*.arrow").filter(is_of_markets).collect().sort("market_id", "captured_at")
    query = sql.SQL("SELECT market_id, since, until FROM untrusted_spans WHERE market_id BETWEEN {} AND {}")
    spans = database.read_frame(query.format(*map(sql.Literal, markets)))
    is_within = (pl.col("captured_at") >= pl.col("since")) & (pl.col("captured_at") < pl.col("until"))
    untrusted = rows.join(spans.cast({"market_id": pl.Int32}), on="market_id").filter(is_within)
    return rows.join(
        untrusted.select("market_id", "captured_at", is_trusted=False).unique(),
        on=["market_id", "captured_at"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("is_trusted").fill_null(value=True))


def _words(database: Database, partition: str, market_ids: pl.Series) -> pl.DataFrame:
    """The words (``_WORDS``) of the markets by ``market_id``, with the keys and names of their outcome sets.

    Raises ``Differs`` when the partition holds rows of a market that is not there.
    """
    query = sql.SQL(
        """
        SELECT market.id AS market_id, listing.event_id, bookmaker.slug AS bookmaker_slug, listing.external_event_id,
               coalesce(listing.sportradar_id, event.sportradar_id) AS sportradar_id,
               listing.home_team, listing.away_team, coalesce(listing.kickoff, event.kickoff) AS kickoff,
               type.betpawa_market_id, label.name AS betpawa_market_name, market.line::text AS line,
               source.source_market_id, source.source_specifier, market.outcome_set_id
        FROM unnest({ids}::int[]) AS row (market_id)
        LEFT JOIN markets AS market ON market.id = row.market_id
        LEFT JOIN event_bookmakers AS listing ON listing.id = market.event_bookmaker_id
        LEFT JOIN events AS event ON event.id = listing.event_id
        LEFT JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
        LEFT JOIN market_types AS type ON type.id = market.market_type_id
        LEFT JOIN market_labels AS label ON label.id = market.label_id
        LEFT JOIN market_sources AS source ON source.id = market.source_id
        """
    )
    words = database.read_frame(query.format(ids=integers(market_ids)))
    if lost := words["market_id"].null_count():
        raise Differs(f"{partition} has rows of {lost} markets that the table markets lacks: their words are lost")
    query = sql.SQL("SELECT id AS outcome_set_id, keys, names FROM outcome_sets WHERE id = ANY ({})")
    sets = database.read_frame(query.format(sql.Literal(words["outcome_set_id"].unique().to_list())))
    casts = [pl.col(name).cast(kind) for name, kind in {"market_id": pl.Int32, **_WORDS}.items()]
    return words.join(sets, on="outcome_set_id").select(*casts, "keys", "names")


def _plain(rows: pl.DataFrame, words: pl.DataFrame) -> pl.DataFrame:
    """The rows in ``HISTORY_SCHEMA``."""
    told = shown(rows.join(words, on="market_id", how="left", maintain_order="left"))
    return told.select(pl.col(name).cast(kind) for name, kind in HISTORY_SCHEMA.items())


def _packed_again(part: pl.DataFrame, words: pl.DataFrame) -> pl.Series:
    """The states that the rows of a file stand for; an outcome that a row lacks is absent and without a price."""
    rows = part.with_row_index("row")
    shown = (
        rows.select("row", "outcomes")
        .explode("outcomes")
        .unnest("outcomes")
        .select(
            "row",
            "key",
            "name",
            status=pl.when("is_active").then(OutcomeStatus.ACTIVE.value).otherwise(OutcomeStatus.INACTIVE.value),
            price=(pl.col("odds") * 1000).cast(pl.UInt32),
        )
    )
    outcomes = (
        rows.select("row", "market_id")
        .join(words.select("market_id", key="keys", name="names"), on="market_id", maintain_order="left")
        .explode("key", "name")
        .join(shown, on=["row", "key", "name"], how="left", maintain_order="left")
        .select("row", "status", "price")
    )
    if strange := shown.height - outcomes["status"].count():
        raise Differs(f"{strange} outcomes of the file are not outcomes of their markets")
    outcomes = outcomes.with_columns(
        pl.col("status").fill_null(OutcomeStatus.ABSENT.value).cast(pl.UInt32), pl.col("price").fill_null(0)
    )
    packed = rows.select("row", "is_unavailable").join(
        packed_states(outcomes), on="row", how="left", maintain_order="left"
    )
    state = pl.col("state").fill_null(b"\x00")
    header = state.bin.slice(0, 1).bin.reinterpret(dtype=pl.UInt8)
    marked = (pl.lit("0") + (header | UNAVAILABLE).cast(pl.String) + state.bin.encode("hex").str.slice(2)).str.decode(
        "hex"
    )
    return packed.select(state=pl.when("is_unavailable").then(marked).otherwise(state))["state"]


def _comparable(states: pl.Series, again: pl.Series) -> pl.Series:
    """PostgreSQL's bytes; where the two differ, without the last prices of absent outcomes, which a file lacks."""
    return pl.Series(
        [state if state == told else _without_absent_prices(state) for state, told in zip(states, again, strict=True)],
        dtype=pl.Binary,
    )


def _without_absent_prices(state: bytes) -> bytes:
    is_unavailable, outcomes = unpack(state)
    words = [(status, 0 if status is OutcomeStatus.ABSENT else price) for status, price in outcomes]
    while words and words[-1][0] is OutcomeStatus.ABSENT:
        words.pop()
    return pack(words, is_unavailable=is_unavailable)
