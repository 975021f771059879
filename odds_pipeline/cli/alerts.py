"""``odds-pipeline alerts``: what is wrong with storage, and saying that it has been seen to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from odds_pipeline.cli.answers import print_table
from odds_pipeline.cli.failures import one_line_failures
from odds_pipeline.clock import SystemClock
from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage import alerts as stored
from odds_pipeline.storage.alerts import Alert, all_alerts, open_alerts

alerts = typer.Typer()


@alerts.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    are_all: Annotated[bool, typer.Option("--all", help="Also those that were resolved, the newest first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per alert.")] = False,
) -> None:
    """List the open alerts about storage; `resolve` closes one by hand.

    The storage profile opens and ends them. One that was resolved by hand is not opened again before its condition has
    been gone once. docs/operations.md says what to do about each.

    Example: odds-pipeline alerts --all
    """
    if context.invoked_subcommand is not None:
        return
    with one_line_failures():
        with Database.from_settings(Settings()) as database:
            found = all_alerts(database) if are_all else open_alerts(database)
        _print(found, as_json=as_json, are_all=are_all)


@alerts.command()
def resolve(
    alert: Annotated[int, typer.Argument(metavar="ID", help="As the list has it.")],
    as_json: Annotated[bool, typer.Option("--json", help="The alert as one JSON object.")] = False,
) -> None:
    """Resolve an alert by hand: it has been seen to, or is known to be harmless.

    Example: odds-pipeline alerts resolve 3
    """
    with one_line_failures():
        with Database.from_settings(Settings()) as database:
            resolved = stored.resolve(database, alert, now=SystemClock().now())
        found = resolved.alert
        if as_json:
            _print([found], as_json=True)
            return
        before = " before," if resolved.was_before else ""
        lasts = "its condition is gone" if found.ended_at else "it is opened again when its condition comes back"
        typer.echo(
            f"Alert {found.id} ({found.alert_type}) was resolved{before} at {found.resolved_at:%Y-%m-%d %H:%M:%S} UTC"
            f"{_by(found)}; {lasts}"
        )


def _print(found: Sequence[Alert], *, as_json: bool, are_all: bool = False) -> None:
    if as_json:
        for alert in found:
            typer.echo(json.dumps(asdict(alert) | {"is_open": alert.is_open}, default=str))
        return
    print_table(
        ["alert", "kind", "about", "since (UTC)", "resolved (UTC)", "ended (UTC)", "message"],
        (
            (
                str(alert.id),
                alert.alert_type.replace("_", " "),
                alert.subject,
                alert.created_at,
                None if alert.resolved_at is None else f"{alert.resolved_at:%Y-%m-%d %H:%M:%S}{_by(alert)}",
                alert.ended_at,
                alert.message,
            )
            for alert in found
        ),
        empty="No alert is kept." if are_all else "No alert is open.",
        are_grouped=True,
    )


def _by(alert: Alert) -> str:
    return {"hand": " by hand", "itself": " by itself", None: ""}[alert.resolved_by]
