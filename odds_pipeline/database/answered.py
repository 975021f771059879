"""What the answers say in the database's ids: the other side of the comparison with current.

Texts are looked up, and market types that are new are made. Runs inside the writer's transaction.
"""

from __future__ import annotations

import polars as pl
import psycopg

from odds_pipeline.database.dictionaries import market_type_ids
from odds_pipeline.odds.answers import LARGEST_LINE, Answers
from odds_pipeline.odds.diff import OBSERVED_KEYS, PROVEN_ABSENCE, REFUSED_KEYS, VANISHED_KEYS
from odds_pipeline.odds.observation import AnswerStatus

_LISTING = ["bookmaker", "external_event_id"]


def asked_listings(answers: Answers, listings: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The answers with their listing's ids and last answer, and whether they are older than that (``is_late``)."""
    states = stored.select("listing_id", "last_answer_at")
    is_older = (pl.col("captured_at") < pl.col("last_answer_at")).fill_null(value=False)
    return (
        answers.answers.join(listings, on=_LISTING, how="left", maintain_order="left")
        .join(states, on="listing_id", how="left", maintain_order="left")
        .with_columns(is_late=is_older & (pl.col("status") != AnswerStatus.NOT_ASKED.value))
    )


def observed_keys(connection: psycopg.Connection, answers: Answers, answered: pl.DataFrame) -> pl.DataFrame:
    """The good observations of the answers that count (``answered``), in ``OBSERVED_KEYS``."""
    usable = answered.filter("has_observations").select(*_LISTING, "listing_id")
    types = answers.types.join(usable, on=_LISTING, how="left", maintain_order="left")
    wanted = types.filter(pl.col("listing_id").is_not_null())["betpawa_market_id"]
    types = types.join(_type_ids(connection, wanted), on="betpawa_market_id", how="left", maintain_order="left")
    of_keys = types.select(pl.col("listing_id", "type_id").gather(answers.keys["type"]))
    return answers.keys.hstack(of_keys).select(*OBSERVED_KEYS).drop_nulls(["listing_id", "type_id"])


def proven_absence(answers: Answers, answered: pl.DataFrame, ended: pl.DataFrame) -> pl.DataFrame:
    """Listings whose missing markets are gone. Answers that tell only what changed prove no absence themselves."""
    is_proof = pl.lit(not answers.is_delta) & (pl.col("status") == AnswerStatus.COMPLETE.value)
    complete = answered.filter(is_proof)
    proven = pl.concat([complete.select("listing_id", gone_at="captured_at"), ended])
    return proven.select(pl.col(name).cast(kind) for name, kind in PROVEN_ABSENCE.items()).unique(
        "listing_id", keep="first"
    )


def refused_keys(connection: psycopg.Connection, answers: Answers, answered: pl.DataFrame) -> pl.DataFrame:
    """Markets that the answers contained in a form that could not be read, in ``REFUSED_KEYS``."""
    refused = _identified(answers)
    if refused.is_empty():
        return pl.DataFrame(schema=dict(REFUSED_KEYS))
    keys = _market_keys(connection, refused, answered)
    return keys.select(pl.col(name).cast(kind) for name, kind in REFUSED_KEYS.items())


def vanished_keys(connection: psycopg.Connection, answers: Answers, answered: pl.DataFrame) -> pl.DataFrame:
    """Markets to look for by name where answers tell only what changed: those gone, and those refused."""
    named = answers.vanished
    if answers.is_delta:
        named = pl.concat([named, _identified(answers).select(named.columns)]).unique(maintain_order=True)
    if named.is_empty():
        return pl.DataFrame(schema=dict(VANISHED_KEYS))
    complete = answered.filter(pl.col("status") == AnswerStatus.COMPLETE.value)
    keys = _market_keys(connection, named, complete)
    return keys.select(pl.col(name).cast(kind) for name, kind in VANISHED_KEYS.items())


def _identified(answers: Answers) -> pl.DataFrame:
    return answers.refused.filter(pl.col("betpawa_market_id").is_not_null())


def _market_keys(connection: psycopg.Connection, markets: pl.DataFrame, answered: pl.DataFrame) -> pl.DataFrame:
    """Markets of the given answers, named by texts, with their ids and their answer's arrival."""
    # No market is stored under a larger line, and its thousandths would not fit.
    fit = markets.filter((pl.col("line").abs() <= LARGEST_LINE).fill_null(value=True))
    own = fit.join(answered.select(*_LISTING, "listing_id", gone_at="captured_at"), on=_LISTING, how="inner")
    types = _type_ids(connection, own["betpawa_market_id"])
    return own.join(types, on="betpawa_market_id", how="inner").with_columns(line=pl.col("line") * 1000)


def _type_ids(connection: psycopg.Connection, market_ids: pl.Series) -> pl.DataFrame:
    ids = market_type_ids(connection, market_ids.unique().drop_nulls().to_list())
    return pl.DataFrame(
        {"betpawa_market_id": list(ids), "type_id": list(ids.values())},
        schema={"betpawa_market_id": pl.String, "type_id": pl.Int32},
    )
