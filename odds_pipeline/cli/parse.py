"""``odds-pipeline parse``: one captured answer as observations, and what became of each of its outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from odds_pipeline.bookmakers.base import ScrapeFailure
from odds_pipeline.bookmakers.registry import UnknownBookmaker, bookmaker
from odds_pipeline.markets.catalogue import CatalogueError
from odds_pipeline.markets.mapper import Mapper
from odds_pipeline.odds.observation import AnswerStatus, Observation, Outcome, ParsedAnswer
from odds_pipeline.settings import Settings


class Format(StrEnum):
    """How observations are printed."""

    TABLE = "table"
    NDJSON = "ndjson"


class UnreadableAnswer(ValueError):
    """A file that cannot be parsed as an event answer; the message is one line that says why."""


def parse(
    bookmaker: Annotated[str, typer.Argument(help="betpawa, sportybet or bet9ja.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="One event answer, as the bookmaker sent it.", show_default=False)],
    format: Annotated[Format, typer.Option(help="A table for people, or one JSON object per line.")] = Format.TABLE,
) -> None:
    """Show what one captured answer says: its observations, then the accounting of its outcomes.

    Exits with 1 when the file is no event answer, and when the answer proves nothing because it is empty or malformed.

    Example: odds-pipeline parse sportybet captures/sportybet/68995116.json --format ndjson
    """
    try:
        answer = parse_file(bookmaker, file)
    except UnreadableAnswer as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    for line in ndjson_lines(answer) if format is Format.NDJSON else table_lines(answer):
        typer.echo(line)
    if answer.status is AnswerStatus.FAILED:
        typer.echo(f"Error: {file}: the answer proves nothing: {answer.reason}", err=True)
        raise typer.Exit(1)


def parse_file(slug: str, file: Path) -> ParsedAnswer:
    """Read one event answer from a file. Raises ``UnreadableAnswer``."""
    try:
        reader = bookmaker(slug, Settings())
        return reader.parse_event(file.read_bytes(), Mapper.load())
    except OSError as error:
        raise UnreadableAnswer(f"cannot read {file}: {error.strerror}") from error
    except (UnknownBookmaker, CatalogueError) as error:
        raise UnreadableAnswer(str(error)) from error
    except ScrapeFailure as error:
        raise UnreadableAnswer(f"{file}: {error.error_type}: {error}") from error


def ndjson_lines(answer: ParsedAnswer) -> Iterator[str]:
    """One JSON object per observation (``type`` ``observation``), then one of ``type`` ``accounting``.

    Prices and lines are decimal text, so that no reader rounds them.
    """
    listing = {
        "bookmaker": answer.listing.bookmaker,
        "external_event_id": answer.listing.external_event_id,
        "sportradar_id": answer.listing.sportradar_id,
    }
    for observation in answer.observations:
        fields: dict[str, object] = msgspec.to_builtins(observation)
        yield _json({"type": "observation", **listing, **fields})
    yield _json(
        {
            "type": "accounting",
            **listing,
            "kickoff": answer.listing.kickoff,
            "status": str(answer.status),
            "reason": answer.reason,
            "observations": len(answer.observations),
            "outcomes_in_answer": answer.outcomes_in_answer,
            "outcomes_stored": answer.outcomes_stored,
            "outcomes_not_offered": dict(answer.outcomes_not_offered),
            "outcomes_refused": dict(answer.outcomes_refused),
            "is_balanced": answer.is_balanced(),
            "refused": msgspec.to_builtins(answer.refused),
            "content_hash": answer.content_hash,
        }
    )


def _json(fields: dict[str, object]) -> str:
    return msgspec.json.encode(fields).decode()


def table_lines(answer: ParsedAnswer) -> Iterator[str]:
    """The event, a table of its observations, and the accounting, for people."""
    listing = answer.listing
    kickoff = f"{listing.kickoff:%Y-%m-%d %H:%M} UTC" if listing.kickoff else "kick-off unknown"
    yield f"{listing.home_team} - {listing.away_team}, {listing.country}, {listing.tournament}, {kickoff}"
    yield (
        f"{listing.bookmaker} event {listing.external_event_id}, SportRadar {listing.sportradar_id or 'unknown'}: "
        f"{answer.status}{f' ({answer.reason})' if answer.reason else ''}"
    )
    yield ""
    rows = [("market", "line", "name", "source", "outcomes"), *map(_row, answer.observations)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
    yield ""
    yield from accounting_lines(answer)


def accounting_lines(answer: ParsedAnswer) -> Iterator[str]:
    """In the answer = stored + not offered + refused, the last two by reason, and the refused markets (I7)."""
    not_offered, refused = answer.outcomes_not_offered.total(), answer.outcomes_refused.total()
    sum_sign = "=" if answer.is_balanced() else "IS NOT"
    yield (
        f"{answer.outcomes_in_answer} outcomes in the answer {sum_sign} {answer.outcomes_stored} stored "
        f"+ {not_offered} not offered + {refused} refused; {len(answer.observations)} observations"
    )
    yield from _by_reason("not offered", answer.outcomes_not_offered)
    yield from _by_reason("refused", answer.outcomes_refused)
    for refusal in answer.refused:
        market = refusal.betpawa_market_id or "(unidentified)"
        yield f"  refused market {market} line {_decimal(refusal.line)}: {refusal.reason}"


def _by_reason(what: str, reasons: Counter[str]) -> Iterator[str]:
    for reason, outcomes in sorted(reasons.items()):
        yield f"  {what}: {outcomes} {reason}"


def _row(observation: Observation) -> tuple[str, str, str, str, str]:
    source = observation.source_market_id
    if observation.source_specifier is not None:
        source = f"{source} {observation.source_specifier}"
    return (
        observation.betpawa_market_id,
        _decimal(observation.line),
        observation.betpawa_market_name,
        source,
        " | ".join(map(_outcome, observation.outcomes)),
    )


def _outcome(outcome: Outcome) -> str:
    return f"{outcome.name} {_decimal(outcome.odds) if outcome.is_active else 'suspended'} [{outcome.key}]"


def _decimal(value: Decimal | None) -> str:
    return "-" if value is None else format(value, "f")
