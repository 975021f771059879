"""What a table is for, told by its columns alone: answers, states of markets, rows that age, what belongs to what.

No system is known by its name: the earlier generations and ours are recognised by the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from odds_pipeline.storage.measured import Column, DatabaseProfile, Repeats, Table

OBSERVED = frozenset(
    {"captured_at", "observed_at", "recorded_at", "fetched_at", "scraped_at", "sampled_at", "occurred_at", "logged_at"}
)
"""Columns that say when something was seen or happened: rows that have one are a history, and may end."""

_ASKED = frozenset({"captured_at", "observed_at", "fetched_at", "scraped_at", "sampled_at"})
"""Those of them that say when a bookmaker was asked."""
_ASKED_FOR = frozenset(
    {"event_id", "competitor_event_id", "event_bookmaker_id", "bookmaker_id", "bookmaker_slug", "scrape_run_id"}
)
"""Columns that say what a bookmaker was asked for, or by which run."""
_LISTING = ("event_id", "competitor_event_id", "event_bookmaker_id", "source", "bookmaker_id", "bookmaker_slug")
_MARKET = (
    "betpawa_market_id",
    "market_type_id",
    "market_id",
    "line",
    "handicap_type",
    "handicap_home",
    "handicap_away",
)
_OWN_KEY = "id"
FEW_REPEATS = 0.05
"""Share of repeating rows up to which a table holds changes, not snapshots."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The table whose rows a table's rows belong to, and by which columns: a snapshot of a market's row."""

    table: Table
    link: str
    """Of the table that belongs: ``snapshot_id``."""
    key: str
    time: str


@dataclass(frozen=True, slots=True)
class States:
    """A table with one row per state of a market: what says which market, when, and what its state is."""

    table: Table
    answers: Answers | None
    listing: tuple[str, ...]
    """Columns that say which event of which bookmaker: of the answers where there are any, else of the table."""
    market: tuple[str, ...]
    time: str
    content: tuple[str, ...]
    """Everything else that a row says."""


def is_dagsters(profile: DatabaseProfile) -> bool:
    """Whether the tables are Dagster's own, whose schema is not ours to change."""
    return {"event_logs", "runs", "asset_keys"} <= {each.name for each in profile.tables} or profile.name == "dagster"


def is_ours(profile: DatabaseProfile) -> bool:
    """Whether this is a database of this pipeline."""
    return {"odds_history", "current_odds", "markets"} <= {each.name for each in profile.tables}


def is_history(table: Table) -> bool:
    """Whether the rows are observations that age, and not words, events, runs or the like."""
    return table.ages is not None and table.ages.said_by.rpartition(".")[2] in OBSERVED


def is_odds(profile: DatabaseProfile, table: Table) -> bool:
    """Whether a history holds what bookmakers answered, or what belongs to it: snapshots, states of markets, errors."""
    if not is_history(table):
        return False
    answers = answers_of(profile, table)
    return _holds_answers(answers.table if answers else table) or states_of(profile, table) is not None


def answers_of(profile: DatabaseProfile, table: Table) -> Answers | None:
    """To which table's rows the table's belong, if its ages are said by another.

    The link is the column ``<x>_id`` whose ``<x>`` is how the other table's name ends, in the singular.
    """
    said_by, _, time = (table.ages.said_by if table.ages else "").rpartition(".")
    other = next((each for each in profile.whole_tables if each.name == said_by and each.schema == table.schema), None)
    if other is None or other.column(_OWN_KEY) is None or other.column(time) is None:
        return None
    links = [
        each.name
        for each in table.columns
        if each.name.endswith("_id") and said_by.removesuffix("s").endswith(each.name.removesuffix("_id"))
    ]
    return Answers(other, max(links, key=len), _OWN_KEY, time) if links else None


def states_of(profile: DatabaseProfile, table: Table) -> States | None:
    """The table as states of markets; None where its columns do not say which market, when and what."""
    answers = answers_of(profile, table)
    if table.ages is None or (answers is None and "." in table.ages.said_by):
        return None
    time = answers.time if answers else table.ages.said_by
    known = {each.name for each in table.columns}
    listing = _present(_LISTING, answers.table if answers else table)
    market = _present(_MARKET, table)
    keys = {*market, time, _OWN_KEY} | ({answers.link} if answers else set(listing))
    content = tuple(each.name for each in table.columns if each.name not in keys)
    # Prices are kept as JSON; without any a row says what the market is, not how it stood.
    has_prices = any(each.is_json for each in table.columns if each.name in content)
    if not listing or not market or not has_prices or _OWN_KEY not in known:
        return None
    return States(table, answers, listing, market, time, content)


def repeats_of(profile: DatabaseProfile, table: Table) -> Repeats | None:
    """What the sample of repeats says of the table."""
    return next((each for each in profile.repeats if (each.schema, each.table) == (table.schema, table.name)), None)


def holds_changes(profile: DatabaseProfile, table: Table) -> bool:
    """Whether a row is written only when it differs from the one before, by the sample of repeats."""
    repeats = repeats_of(profile, table)
    return repeats is not None and repeats.pairs + repeats.firsts > 0 and repeats.share_of_rows <= FEW_REPEATS


def raw_column(table: Table, column: Column) -> bool:
    """Whether a column keeps what was answered as it came: called raw, or long JSON in a table of answers."""
    called_raw = column.name == "raw" or column.name.startswith("raw_") or column.name.endswith("_raw_response")
    return (called_raw and column.raw_bytes is not None) or (_is_long_json(table, column) and _holds_answers(table))


def document_column(table: Table, column: Column) -> bool:
    """Whether a column holds long JSON that may be anything: what it is for its name and its table do not say."""
    return _is_long_json(table, column) and not raw_column(table, column)


def _is_long_json(table: Table, column: Column) -> bool:
    """More than 4 kB a value."""
    values = table.rows * (1 - column.null_share)
    return column.is_json and values > 0 and column.bytes / values > 4_000


def _holds_answers(table: Table) -> bool:
    """By their columns: when a bookmaker was asked for what."""
    known = {each.name for each in table.columns}
    by_run = "scrape_run_id" in known and bool(known & OBSERVED)
    return by_run or (bool(known & _ASKED) and bool(known & _ASKED_FOR))


def _present(names: tuple[str, ...], table: Table) -> tuple[str, ...]:
    known = {each.name for each in table.columns}
    return tuple(each for each in names if each in known)
