"""One cycle's answers, made ready for comparison: fingerprinted, checked, keyed and reduced to narrow columns.

Everything here can be done before the writer takes its lock. ``with_comparison_columns`` is the expensive part and may
be done batch by batch while scraping; the rest works on whatever it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from odds_pipeline.odds.fingerprint import with_fingerprints
from odds_pipeline.odds.frames import require_schema
from odds_pipeline.odds.observation import COVERAGE_SCHEMA, OBSERVATION_SCHEMA, AnswerStatus

COMPARISON_COLUMNS = ("fingerprint", "label_fingerprint", "malformed")
LARGEST_LINE = 2_000_000
LONGEST_IDENTITY = 1_000
"""Bytes of a text that is part of an identity: an index entry of PostgreSQL holds two of them."""
NO_OUTCOMES = "no_outcomes"

_LISTING = ("bookmaker", "external_event_id")
_TYPE = (*_LISTING, "betpawa_market_id")
_LISTING_WORDS = ("sportradar_id", "sport", "country", "tournament", "home_team", "away_team", "kickoff")

#: Columns that a file may lack: they were added after the contract was published.
OPTIONAL_COVERAGE = frozenset(COVERAGE_SCHEMA) - {
    "cycle_at",
    "captured_at",
    "bookmaker",
    "external_event_id",
    "status",
    "reason",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """One cycle, ready for the writer.

    - ``cycle_at``: the cycle; ``as_of``: the latest moment anything in it speaks of, against which kick-offs count.
    - ``observations``: the full rows, lazily; ``keys``: one narrow row per good observation: ``row``, its position in
      ``observations``, ``type``, its market type's position in ``types``, ``line`` in thousandths, both fingerprints.
    - ``types``: (bookmaker, external_event_id, betpawa_market_id), one row for all lines of a market type that stand
      together in an answer, whose texts would weigh more than all else in ``keys``.
    - ``answers``: one row per (bookmaker, external event): captured_at, status, reason, message, outcome counts and
      ``has_observations``; ``discoveries``: one row per bookmaker whose whole offer was asked for.
    - ``vanished``: bookmaker, external_event_id, betpawa_market_id, line of markets that the file itself says are
      gone; ``is_delta``: the observations hold only what changed, so what they lack is not thereby absent.
    - ``refused``: bookmaker, external_event_id, betpawa_market_id, line, reason of every market refused by the parser
      or by the checks here.
    - ``listings``: one row per (bookmaker, external event) with the words around it.
    - ``coverage``: what was said of every answer, in ``COVERAGE_SCHEMA``, with a row for each of ``answers``.
    """

    cycle_at: datetime
    as_of: datetime
    observations: pl.LazyFrame
    keys: pl.DataFrame
    types: pl.DataFrame
    answers: pl.DataFrame
    discoveries: pl.DataFrame
    vanished: pl.DataFrame
    refused: pl.DataFrame
    listings: pl.DataFrame
    coverage: pl.DataFrame
    is_delta: bool = False


def with_comparison_columns(observations: pl.DataFrame) -> pl.DataFrame:
    """Add both fingerprints and ``malformed`` (a reason, or null) to a frame in ``OBSERVATION_SCHEMA``."""
    if all(name in observations.columns for name in COMPARISON_COLUMNS):
        return observations
    return with_fingerprints(observations).with_columns(malformed=_malformed())


def prepare(
    observations: pl.LazyFrame, coverage: pl.DataFrame, *, cycle_at: datetime, is_delta: bool = False
) -> Answers:
    """Check and key one cycle's rows. Raises ``SchemaMismatch`` for frames that break their contract.

    An event of ``observations`` without a row in ``coverage`` counts as completely answered. ``is_delta``: the
    observations are an archive's, which hold only what changed; a row without outcomes is a market that vanished.
    """
    require_schema(observations, OBSERVATION_SCHEMA, source="observations")
    require_schema(coverage, COVERAGE_SCHEMA, source="coverage", optional=OPTIONAL_COVERAGE)
    coverage = _with_all_columns(coverage).with_columns(
        pl.col("reason", "message").str.replace_all("\x00", "", literal=True)
    )
    if not all(name in observations.collect_schema() for name in COMPARISON_COLUMNS):
        observations = with_comparison_columns(observations.collect()).lazy()
    types, rows = _by_type(observations)
    vanished = rows.clear()
    if is_delta:
        is_vanished = (pl.col("malformed") == NO_OUTCOMES).fill_null(value=False)
        vanished, rows = rows.filter(is_vanished), rows.filter(~is_vanished)
    coverage = _with_refused_outcomes(coverage, observations, rows.filter(pl.col("malformed").is_not_null())["row"])
    counted = pl.concat([rows["type"], _unsaid(_with_texts(vanished, types), coverage)["type"]])
    answers = _answers(types[counted.unique(maintain_order=True)], coverage)
    keys, malformed = _split_malformed(rows, types)
    discoveries = coverage.filter(pl.col("external_event_id").is_null()).unique("bookmaker", keep="last")
    refused = pl.concat([_refused_by_parser(coverage), malformed]).with_columns(
        pl.when(is_identity("betpawa_market_id")).then("betpawa_market_id")
    )
    times = pl.concat([answers["captured_at"], discoveries["captured_at"]]).drop_nulls()
    latest = times.max()
    assert latest is None or isinstance(latest, datetime)
    listings = _listings(observations, coverage)
    return Answers(
        cycle_at=cycle_at,
        as_of=cycle_at if latest is None else max(cycle_at, latest),
        observations=observations,
        # In the order of their rows, keys are also in that of their types, of which those without a key are left out.
        keys=keys.with_columns(pl.col("type").rle_id()),
        types=types.select(*_TYPE)[keys["type"].unique(maintain_order=True)],
        answers=_without_false_completeness(answers, refused),
        discoveries=discoveries,
        vanished=_with_texts(vanished, types).select(*_TYPE, "line"),
        refused=refused,
        is_delta=is_delta,
        listings=listings,
        coverage=_whole_coverage(coverage, answers, listings, cycle_at),
    )


def _by_type(observations: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The texts of the observations with their answer's arrival, once for lines that stand together; and the rows."""
    texts = observations.select(*_TYPE, "captured_at").collect()
    type_of_row = texts.select(pl.struct(pl.all()).rle_id()).to_series().alias("type")
    types = texts.filter((type_of_row != type_of_row.shift()).fill_null(value=True))
    del texts  # before the rest is read
    rows = observations.select("line", *COMPARISON_COLUMNS).with_row_index("row").collect()
    return types, rows.with_columns(type_of_row)


def _with_texts(rows: pl.DataFrame, types: pl.DataFrame) -> pl.DataFrame:
    return rows.hstack(types[rows["type"]])


def _malformed() -> pl.Expr:
    """Why a row could not be stored, null if it can: what a constraint or the packing would refuse otherwise."""
    outcome = pl.element().struct
    outcomes = pl.col("outcomes").list
    is_active, odds = outcome.field("is_active"), outcome.field("odds")

    def any_outcome(condition: pl.Expr) -> pl.Expr:
        return outcomes.eval(condition.fill_null(value=False)).list.any()

    has_nul = pl.any_horizontal(
        _has_nul(name) for name in ("betpawa_market_id", "betpawa_market_name", "source_market_id", "source_specifier")
    ) | any_outcome(
        outcome.field("key").str.contains("\x00", literal=True)
        | outcome.field("name").str.contains("\x00", literal=True)
    )
    problems: Mapping[str, pl.Expr] = {
        "unidentified_market": pl.col("betpawa_market_id").is_null() | (pl.col("betpawa_market_id") == ""),
        "line_out_of_range": pl.col("line").abs() > LARGEST_LINE,
        NO_OUTCOMES: outcomes.len().fill_null(0) == 0,
        "market_without_name": pl.col("betpawa_market_name").is_null(),
        "outcome_without_key": any_outcome(outcome.field("key").is_null() | is_active.is_null()),
        "duplicate_outcome": outcomes.eval(outcome.field("key")).list.n_unique() != outcomes.len(),
        "price_missing": any_outcome(is_active & odds.is_null()),
        "price_too_low": any_outcome(is_active & (odds <= 1)),
        "price_too_high": any_outcome(is_active & (odds > 1_000_000)),
        "forbidden_character": has_nul,
        "text_too_long": pl.any_horizontal(
            pl.col(name).str.len_bytes() > LONGEST_IDENTITY
            for name in ("betpawa_market_id", "source_market_id", "source_specifier")
        ),
    }
    return pl.coalesce(
        *(pl.when(is_bad.fill_null(value=False)).then(pl.lit(reason)) for reason, is_bad in problems.items()),
        pl.lit(None, dtype=pl.String),
    )


def is_identity(name: str) -> pl.Expr:
    """Whether a text can be what the database knows something by: neither empty, nor too long, nor with NUL."""
    is_fit = (pl.col(name) != "") & (pl.col(name).str.len_bytes() <= LONGEST_IDENTITY) & ~_has_nul(name)
    return is_fit.fill_null(value=False)


def _has_nul(name: str) -> pl.Expr:
    """Whether a text holds NUL, for which PostgreSQL has no room."""
    return pl.col(name).str.contains("\x00", literal=True).fill_null(value=False)


def _with_all_columns(coverage: pl.DataFrame) -> pl.DataFrame:
    missing = {name: kind for name, kind in COVERAGE_SCHEMA.items() if name not in coverage.columns}
    return coverage.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in missing.items())


def _with_refused_outcomes(coverage: pl.DataFrame, observations: pl.LazyFrame, malformed: pl.Series) -> pl.DataFrame:
    """The coverage with the outcomes of these rows counted as refused, which a parser had counted as stored (I7)."""
    if malformed.is_empty():
        return coverage
    lost = (
        observations.with_row_index("row")
        .filter(pl.col("row").is_in(malformed.implode()))
        .group_by(*_LISTING)
        .agg(lost=pl.col("outcomes").list.len().sum().cast(pl.Int64))
        .collect()
    )
    stored, refused = pl.col("outcomes_stored"), pl.col("outcomes_refused")
    moved = pl.min_horizontal(stored, pl.col("lost").fill_null(0))
    return (
        coverage.join(lost, on=list(_LISTING), how="left", maintain_order="left")
        .with_columns(outcomes_stored=stored - moved, outcomes_refused=refused + moved)
        .drop("lost")
    )


def _unsaid(vanished: pl.DataFrame, coverage: pl.DataFrame) -> pl.DataFrame:
    """Vanished markets of events of which the coverage says nothing, nor of their bookmaker's whole offer."""
    listing = list(_LISTING)
    whole = coverage.filter(pl.col("external_event_id").is_null())
    return vanished.join(coverage, on=listing, how="anti").join(whole, on="bookmaker", how="anti")


def _answers(types: pl.DataFrame, coverage: pl.DataFrame) -> pl.DataFrame:
    """One row per (bookmaker, event): what coverage says, or complete for an event that has rows and no coverage."""
    observed = types.group_by(*_LISTING, maintain_order=True).agg(observed_at=pl.col("captured_at").max())
    events = coverage.filter(pl.col("external_event_id").is_not_null())
    said = events.unique(list(_LISTING), keep="last", maintain_order=True).select(
        *_LISTING,
        "captured_at",
        "status",
        "reason",
        "message",
        *(pl.col(name).fill_null(0) for name in ("outcomes_stored", "outcomes_not_offered", "outcomes_refused")),
    )
    return (
        said.join(observed, on=list(_LISTING), how="full", coalesce=True, maintain_order="left_right")
        .with_columns(
            captured_at=pl.max_horizontal("captured_at", "observed_at"),
            status=pl.col("status").fill_null(AnswerStatus.COMPLETE.value),
            has_observations=pl.col("observed_at").is_not_null(),
        )
        .drop("observed_at")
    )


def _whole_coverage(
    coverage: pl.DataFrame, answers: pl.DataFrame, listings: pl.DataFrame, cycle_at: datetime
) -> pl.DataFrame:
    """The coverage, with a row of its own for each answer of which it says nothing: completely answered."""
    listing = list(_LISTING)
    unsaid = answers.join(coverage, on=listing, how="anti").join(listings, on=listing, how="left")
    told = unsaid.with_columns(cycle_at=pl.lit(cycle_at), refused=pl.lit([]))
    added = _with_all_columns(told).select(pl.col(name).cast(kind) for name, kind in COVERAGE_SCHEMA.items())
    return pl.concat([coverage.select(*COVERAGE_SCHEMA), added])


def _split_malformed(rows: pl.DataFrame, types: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Good keys, and what is refused: malformed rows, and markets that stand twice with different content."""
    key = [*_TYPE, "line"]
    malformed = rows.filter(pl.col("malformed").is_not_null())
    good = rows.filter(pl.col("malformed").is_null()) if malformed.height else rows
    # Different hashes are different keys: looking at the keys themselves takes ten times the memory.
    hashes = types.select(pl.struct(*_TYPE).hash()).to_series().gather(good["type"])
    if good.select(pl.struct(hashes, "line").hash()).to_series().n_unique() < good.height:
        good = _with_texts(good, types)
        is_conflict = pl.col("fingerprint").n_unique().over(key, mapping_strategy="group_to_rows") > 1
        is_newest = pl.col("captured_at") == pl.col("captured_at").max().over(key)
        good = good.filter(is_newest)
        conflicting = good.filter(is_conflict).with_columns(malformed=pl.lit("conflicting_duplicate"))
        good = good.filter(~is_conflict).unique(key, keep="first", maintain_order=True)
        malformed = pl.concat([malformed, conflicting.select(malformed.columns)])
    # No good line is beyond LARGEST_LINE; decimals are integers underneath, of thousandths.
    keys = good.select("row", "type", pl.col("line").to_physical().cast(pl.Int32), "fingerprint", "label_fingerprint")
    return keys, _with_texts(malformed, types).select(*key, reason="malformed")


def _refused_by_parser(coverage: pl.DataFrame) -> pl.DataFrame:
    return (
        coverage.filter(pl.col("external_event_id").is_not_null() & (pl.col("refused").list.len() > 0))
        .select(*_LISTING, "refused")
        .explode("refused")
        .unnest("refused")
    )


def _without_false_completeness(answers: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """An answer with a market of unknown identity proves nothing absent: it counts as failed."""
    unidentified = refused.filter(pl.col("betpawa_market_id").is_null()).select(*_LISTING).unique()
    is_false = pl.col("is_false").fill_null(value=False) & (pl.col("status") == AnswerStatus.COMPLETE.value)
    return (
        answers.join(unidentified.with_columns(is_false=True), on=list(_LISTING), how="left", maintain_order="left")
        .with_columns(
            status=pl.when(is_false).then(pl.lit(AnswerStatus.FAILED.value)).otherwise("status"),
            reason=pl.when(is_false).then(pl.lit("unidentified_market")).otherwise("reason"),
        )
        .drop("is_false")
    )


def _listings(observations: pl.LazyFrame, coverage: pl.DataFrame) -> pl.DataFrame:
    """The words around each listing; the answer's own go before discovery's, the first known before none."""
    words = (*_LISTING, *_LISTING_WORDS)
    # Streamed, because every row repeats the words of its listing.
    from_answers = (
        observations.select(*words).group_by(*_LISTING, maintain_order=True).last().collect(engine="streaming")
    )
    from_coverage = coverage.filter(pl.col("external_event_id").is_not_null()).select(*words)
    return (
        pl.concat([from_answers, from_coverage])
        .group_by(*_LISTING, maintain_order=True)
        .agg(pl.col(name).drop_nulls().first() for name in _LISTING_WORDS)
    )
