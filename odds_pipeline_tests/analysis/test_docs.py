"""What docs/questions.md says of the questions in Python is so."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs/questions.md"
_MODULES = {
    "margin_history": "margins",
    "at": "moments",
    "compare": "comparison",
    "moves": "comparison",
    "time_to_kickoff": "kickoff",
    "opening_closing": "kickoff",
    "errors": "runs",
    "recurring": "runs",
}


def signatures() -> dict[str, str]:
    """The lines that tell how the functions are called, by name, written out."""
    _, listed = re.findall(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    chosen = ", markets=HEADLINE, event_ids=None, tournament_id=None, bookmakers=None,"
    lines = [line.replace(", ...,", chosen) for line in listed.splitlines()]
    return {line.partition("(")[0]: line for line in lines}


@pytest.mark.parametrize("name", signatures())
def test_the_page_names_every_parameter_of_a_question(name: str) -> None:
    function = getattr(import_module(f"odds_pipeline.analysis.{_MODULES.get(name, name)}"), name)
    told = signatures()[name]
    parameters = inspect.signature(function).parameters
    outer = re.sub(r"[A-Z]\w+\(.*?\)|\(\"[^)]*\)|timedelta\(.*?\)", "given", told.partition("(")[2].removesuffix(")"))
    words = [word.partition("=")[0].strip() for word in outer.split(",")]
    shown = [word for word in words if word not in ("given", "*")]
    assert shown == [each for each in parameters if each not in ("wanted", "choice", "scope")]
