"""The ``odds-pipeline`` command: one file per subcommand, assembled here."""

from __future__ import annotations

import typer

from odds_pipeline.cli.alerts import alerts
from odds_pipeline.cli.api import api
from odds_pipeline.cli.comparison import compare, moves
from odds_pipeline.cli.coverage import coverage
from odds_pipeline.cli.events import event, events
from odds_pipeline.cli.history import history, margins
from odds_pipeline.cli.kickoff import kickoff
from odds_pipeline.cli.legacy import legacy
from odds_pipeline.cli.migrate import migrate
from odds_pipeline.cli.moments import at
from odds_pipeline.cli.parse import parse
from odds_pipeline.cli.profile import profile
from odds_pipeline.cli.rebuild import rebuild
from odds_pipeline.cli.remap import remap
from odds_pipeline.cli.replay import replay
from odds_pipeline.cli.retention import retention
from odds_pipeline.cli.run import run
from odds_pipeline.cli.runs import runs
from odds_pipeline.cli.simulate import simulate
from odds_pipeline.cli.up import up

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables could print a secret; commands report failures in one line.
    pretty_exceptions_enable=False,
    help="Football odds of three bookmakers: scraped, compared market by market, kept in PostgreSQL.",
)
for command in (run, up, api, simulate, parse, replay, rebuild, remap, retention, profile, migrate):
    app.command()(command)
for question in (events, event, history, margins, at, compare, moves, kickoff, coverage, runs):
    app.command(rich_help_panel="Questions")(question)
app.add_typer(alerts, name="alerts")
app.add_typer(legacy, name="legacy")
