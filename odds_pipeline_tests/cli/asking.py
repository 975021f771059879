"""The commands that ask questions, run over the hand-made world at its present."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from odds_pipeline.cli import app, asking
from odds_pipeline.clock import ManualClock
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.analysis.hand_made import NOW
from odds_pipeline_tests.archives import archive_of


def lead_to(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the commands ask this database and its archive, at the hand-made world's present."""
    monkeypatch.setenv("ODDS_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ODDS_ARCHIVE_URL", str(archive_of(database).folder))
    monkeypatch.setattr(asking, "SystemClock", lambda: ManualClock(NOW))


def ask(*arguments: object) -> Result:
    """The command line's answer."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answered(*arguments: object) -> str:
    """What the command prints on standard output, without a failure."""
    result = ask(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def lines_of(*arguments: object) -> list[dict[str, Any]]:
    """The objects that the command prints as JSON, one per line, with exact numbers."""
    return [exact(line) for line in answered(*arguments, "--json").splitlines()]


def exact(document: str) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(document, parse_float=Decimal)
