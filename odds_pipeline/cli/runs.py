"""``odds-pipeline runs``: the cycles, what failed in them, and what fails again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from odds_pipeline.analysis.runs import errors, recurring
from odds_pipeline.analysis.runs import runs as runs_of
from odds_pipeline.cli.answers import more, print_object, print_table
from odds_pipeline.cli.asking import AsJson, Since, Until, asking
from odds_pipeline.settings import Settings

_LONGEST_MESSAGE = 80
_ERRORS_SHOWN = 30


def runs(
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Runs of a page, newest first.")] = 20,
    after: Annotated[int | None, typer.Option(metavar="RUN", help="The page after this run.")] = None,
    as_json: AsJson = False,
) -> None:
    """List runs with their counts and timings, errors by bookmaker and type, and failures that recur.

    Errors and runs are of the time from --since to --until; failures recur up to now.

    Example: odds-pipeline runs --since 2026-11-20T00:00Z --limit 5
    """
    with asking() as asked:
        page = runs_of(asked.source, since=since, until=until, limit=limit, after=after)
        failed = errors(asked.source, since=since, until=until)
        failing = recurring(asked.source, cycles=Settings().recurring_failures)
    if as_json:
        print_object({"runs": page.rows, "errors": failed, "failures": failing, "next": page.next})
        return
    print_table(
        ["run", "status", "started (UTC)", "seconds", "asked by bookmaker", "changes", "history rows", "error"],
        map(_run_cells, page.rows.iter_rows(named=True)),
        title="Runs",
        note="" if page.next is None else f"There are more: --after {page.next}",
    )
    print_table(
        ["bookmaker", "error", "times", "runs", "events", "last (UTC)", "newest message"],
        (
            (
                row["bookmaker_slug"] or "(the run)",
                row["error_type"],
                f"{row['occurrences']:,}",
                f"{row['runs']:,}",
                f"{row['events']:,}",
                row["last_at"],
                _cut(row["message"]),
            )
            for row in failed.head(_ERRORS_SHOWN).iter_rows(named=True)
        ),
        title="Errors",
        note=more(_ERRORS_SHOWN, failed.height, "kinds of errors", how="--json has them"),
    )
    print_table(
        ["bookmaker", "error", "event", "cycles in a row", "since (UTC)"],
        (
            (
                row["bookmaker_slug"],
                row["error_type"],
                row["event_id"] and str(row["event_id"]),
                row["cycles"],
                row["first_at"],
            )
            for row in failing.head(_ERRORS_SHOWN).iter_rows(named=True)
        ),
        title="Failures that recur",
        note=more(_ERRORS_SHOWN, failing.height, "failures", how="--json has them"),
    )


def _run_cells(run: Mapping[str, Any]) -> tuple[object, ...]:
    asked = ", ".join(
        f"{each['bookmaker_slug']} {each['complete'] + each['started']:,}/{each['asked']:,}"
        for each in run["bookmakers"]
    )
    counts = [run[name] for name in ("new", "changed", "returned", "unavailable")]
    changes = "" if None in counts else f"{sum(counts):,}"
    return (
        str(run["run_id"]),
        run["status"],
        run["started_at"],
        run["seconds"],
        asked,
        changes,
        "" if run["inserted_history"] is None else f"{run['inserted_history']:,}",
        _cut(run["error"]),
    )


def _cut(message: str | None) -> str:
    line = (message or "").strip().partition("\n")[0]
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[: _LONGEST_MESSAGE - 1]}…"
