"""``odds-pipeline retention``: what retention would do, or doing it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from odds_pipeline.archive.store import Archive
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.days.bounds import Bounds
from odds_pipeline.days.preview import Preview, preview
from odds_pipeline.days.retention import Retained, retain
from odds_pipeline.days.sweep import OutlivedFiles
from odds_pipeline.settings import Settings

_TITLES = {
    "bytes": "bytes in PostgreSQL",
    "archived_bytes": "bytes in the archive",
    "blocked_seconds": "readers waited at most (s)",
}


def retention(
    only_preview: Annotated[bool, typer.Option("--preview", help="Say what would go; touch nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Move days that are no longer kept from PostgreSQL to the archive, and delete what is older than the policy.

    ODDS_RETENTION_DAYS and its siblings are the policy. Exits with 1 when a day had to be kept.

    Example: odds-pipeline retention --preview
    """
    with one_line_failures():
        settings, now = Settings(), SystemClock().now()
        archive = Archive.from_settings(settings)
        with Database.from_settings(settings) as database:
            if only_preview:
                told = _foreseen(preview(database, archive, settings=settings, now=now))
            else:
                with Console(stderr=True).status("Retiring days"):
                    told = _done(retain(database, archive, settings=settings, now=now, trigger="manual"))
        if as_json:
            typer.echo(json.dumps(told, default=str))
        else:
            _show(told, is_preview=only_preview)
        if told.get("kept"):
            raise typer.Exit(1)


def _foreseen(found: Preview) -> dict[str, Any]:
    days = [{"day": day.day, "rows": day.rows, "bytes": day.bytes} for day in found.days]
    return _told(found.bounds, days, found.tables, found.outlived, found.orphans)


def _done(done: Retained) -> dict[str, Any]:
    days = [
        {
            "day": day.day,
            "rows": day.rows,
            "bytes": day.freed,
            "archived_bytes": 0 if day.file is None else day.file.bytes,
            "seconds": round(day.seconds, 3),
            "blocked_seconds": round(day.blocked_seconds, 3),
        }
        for day in done.retired
    ]
    return _told(done.bounds, days, done.deleted, done.outlived, done.orphans) | {
        "kept": [{"day": day.day, "reason": day.reason} for day in done.kept],
        "finished_detaches": list(done.finished_detaches),
        "compacted_bytes": sum(day.before - day.after for day in done.compacted),
        "not_in_order": [{"day": day.day, "reason": day.reason} for day in done.waiting],
        "seconds": done.seconds,
        "cleanup_run": done.cleanup_run_id,
    }


def _told(
    bounds: Bounds,
    days: Sequence[Mapping[str, Any]],
    tables: Mapping[str, int],
    outlived: OutlivedFiles,
    orphans: Sequence[str],
) -> dict[str, Any]:
    kinds = Counter(file.kind for file in outlived.files)
    return {
        "first_day_kept": bounds.first_kept,
        "days": days,
        "rows": sum(day["rows"] for day in days),
        "bytes": sum(day["bytes"] for day in days),
        "tables": dict(tables),
        "archive_files": dict(sorted(kinds.items())),
        "archive_bytes": outlived.bytes,
        "orphans": len(orphans),
    }


def _show(told: Mapping[str, Any], *, is_preview: bool) -> None:
    verb = "would go" if is_preview else "went"
    typer.echo(f"History stays from {told['first_day_kept']} on; older days {verb} to the archive:")
    console = Console()
    if told["days"]:
        table = Table(*(_TITLES.get(name, name) for name in map(str, told["days"][0])))
        for day in told["days"]:
            table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in day.values()))
        console.print(table)
    typer.echo(f"{len(told['days'])} days, {told['rows']:,} rows, {told['bytes']:,} bytes in PostgreSQL")
    rows = ", ".join(f"{count:,} {table}" for table, count in told["tables"].items() if count) or "none"
    typer.echo(f"Rows that {verb}: {rows}")
    files = ", ".join(f"{count:,} {kind}" for kind, count in told["archive_files"].items()) or "none"
    typer.echo(f"Archive files that {verb}: {files} ({told['archive_bytes']:,} bytes); {told['orphans']:,} orphans")
    for sentence in told.get("finished_detaches", ()):
        typer.echo(sentence)
    for day in told.get("not_in_order", ()):
        typer.echo(f"Not in order yet {day['day']}: {day['reason']}")
    for day in told.get("kept", ()):
        typer.echo(f"Kept {day['day']}: {day['reason']}", err=True)
