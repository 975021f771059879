"""Rows of retired days for readers: the files' rows of the markets of a question, in the words of today."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import groupby

import polars as pl
import pyarrow.compute as pc

from odds_pipeline.archive.history import HISTORY_SCHEMA
from odds_pipeline.archive.store import Archive
from odds_pipeline.database.archived_files import NamedFile
from odds_pipeline.database.engine import Database
from odds_pipeline.days.moved_rows import OWN_COLUMNS, is_as_today, placed, timelines
from odds_pipeline.days.wanted import WantedMarkets, has_line, known_markets, secondary_markets
from odds_pipeline.odds.observation import OUTCOME_FIELDS
from odds_pipeline.odds.shown import ODDS_ROWS

_AT_ONCE = 8
"""Files read at once: a small question spends its time waiting for the store."""


def archived_history(
    database: Database,
    archive: Archive,
    files: Sequence[NamedFile],
    markets: WantedMarkets,
    since: datetime,
    until: datetime,
) -> pl.DataFrame:
    """The files' rows in the time (``until`` excluded), but for rewritten markets, in ``ODDS_ROWS`` and no order.

    Raises ``ArchiveDamaged``, ``ArchiveUnusable``.
    """
    captured_at = pc.field("captured_at")
    meant = _of_markets(sorted(set(markets.ids) - set(markets.rewritten_ids)), markets.gone)
    if meant is None:
        return pl.DataFrame(schema=dict(ODDS_ROWS))
    rows = _read(archive, files, meant & (captured_at >= pc.scalar(since)) & (captured_at < pc.scalar(until)))
    return _told(database, markets, rows)


def archived_states(
    database: Database,
    archive: Archive,
    files: Sequence[NamedFile],
    markets: WantedMarkets,
    moment: datetime,
    found: pl.DataFrame,
    sought: Iterable[int],
    gone: pc.Expression | None,
) -> pl.DataFrame:
    """The last row at or before ``moment`` in the files of the markets ``sought``, and of those that are ``gone``.

    In ``ODDS_ROWS``. ``found`` (market_id, captured_at): rows that are known already and end a market's search in the
    days before them. The newest days are read first, no more of them than it takes. Raises ``ArchiveDamaged``,
    ``ArchiveUnusable``.
    """
    found_on = {
        market_id: captured_at.date() for market_id, captured_at in found.select("market_id", "captured_at").rows()
    }
    remaining = set(sought)
    last = [pl.DataFrame(schema=dict(HISTORY_SCHEMA))]
    newest_first = sorted(files, key=lambda file: file.first_day, reverse=True)
    for day, parts in groupby(newest_first, key=lambda file: file.first_day):
        remaining = {market_id for market_id in remaining if found_on.get(market_id, day) <= day}
        meant = _of_markets(sorted(remaining), gone)
        if meant is None:
            break
        rows = _last(_read(archive, list(parts), meant & (pc.field("captured_at") <= pc.scalar(moment))))
        last.append(rows)
        remaining.difference_update(rows["market_id"])
    return _told(database, markets, _last(pl.concat(last)))


def _of_markets(market_ids: Sequence[int], gone: pc.Expression | None) -> pc.Expression | None:
    """What is true of the wanted rows of a file; None when no row can be wanted."""
    if not market_ids:
        return gone
    known = pc.field("market_id").isin(list(market_ids))
    return known if gone is None else known | gone


def _read(archive: Archive, files: Sequence[NamedFile], where: pc.Expression) -> pl.DataFrame:
    with ThreadPoolExecutor(_AT_ONCE) as reading:
        frames = list(reading.map(lambda file: archive.read(file.path, where=where), files))
    columns = [pl.col(name).cast(kind) for name, kind in HISTORY_SCHEMA.items()]
    return pl.concat([pl.DataFrame(schema=dict(HISTORY_SCHEMA)), *(frame.select(columns) for frame in frames)])


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("captured_at").unique("market_id", keep="last")


def rewritten_history(
    database: Database, archive: Archive, files: Sequence[NamedFile], markets: WantedMarkets, until: datetime
) -> pl.DataFrame:
    """All rows before ``until`` of the markets that a remap split or joined, in ``ODDS_ROWS`` and no order.

    Raises ``ArchiveDamaged``, ``ArchiveUnusable``, ``MarketUnknown``.
    """
    ids = [*markets.rewritten_ids, *markets.formers["former_id"].unique()]
    rows = _read(archive, files, pc.field("market_id").isin(ids) & (pc.field("captured_at") < pc.scalar(until)))
    with database.borrow() as connection:
        found = placed(connection, rows)
    return _in_todays_words(timelines(found.filter(pl.col("market_id").is_in(markets.rewritten_ids))), markets)


def _told(database: Database, markets: WantedMarkets, rows: pl.DataFrame) -> pl.DataFrame:
    """Archived rows in ``ODDS_ROWS``: of known markets in today's words, of those that are gone in the file's.

    Rows of rewritten markets are left to ``rewritten_history``.
    """
    rows = rows.filter(~pl.col("market_id").is_in(markets.rewritten_ids))
    known = rows.join(markets.words.select("market_id"), on="market_id", how="semi")
    others = rows.join(known.select("market_id").unique(), on="market_id", how="anti").filter(has_line(markets.wanted))
    is_same = is_as_today(known, markets)
    told = [known.filter(is_same).select(OWN_COLUMNS)]
    if not (others.is_empty() and is_same.all()):
        with database.borrow() as connection:
            elsewhere = known_markets(connection, others["market_id"].unique().to_list())
            # After the others, so that what is cleaned up meanwhile is either known or noted.
            secondary = [] if others.is_empty() else secondary_markets(connection, others)
            moved = placed(connection, known.filter(~is_same))
        others = others.filter(~pl.col("market_id").is_in([*elsewhere, *secondary]))
        told.append(moved.filter(pl.col("former_id") == pl.col("market_id")).select(OWN_COLUMNS))
    return pl.concat([_in_todays_words(pl.concat(told), markets), others.select(*ODDS_ROWS)])


def _in_todays_words(rows: pl.DataFrame, markets: WantedMarkets) -> pl.DataFrame:
    """Rows of known markets (``OWN_COLUMNS``) in ``ODDS_ROWS``."""
    numbered = rows.join(markets.words, on="market_id", how="left").with_row_index("row")
    names = markets.sets.explode("keys", "names").rename({"keys": "key", "names": "name_today"})
    outcomes = (
        numbered.select("row", "outcome_set_id", "outcomes")
        .explode("outcomes")
        .unnest("outcomes")
        .filter(pl.col("key").is_not_null())
        .join(names, on=["outcome_set_id", "key"], how="left", maintain_order="left")
        .with_columns(name=pl.coalesce("name_today", "name"))
        .select("row", outcomes=pl.struct(*OUTCOME_FIELDS))
        .group_by("row", maintain_order=True)
        .agg("outcomes")
    )
    return (
        numbered.drop("outcomes")
        .join(outcomes, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("outcomes").fill_null([]))
        .select(pl.col(name).cast(kind) for name, kind in ODDS_ROWS.items())
    )
