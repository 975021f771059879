"""Each behaviour that the earlier system got wrong is named, by its id, in a test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
KNOWN = {f"B-{number:02}" for number in range(1, 58)}
_ID = re.compile(r"\bB-(\d\d)\b(?: to B-(\d\d)\b)?")


def test_every_known_bug_is_named_in_a_test() -> None:
    """The ids in docstrings and names of tests, against the list."""
    named: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            for text in texts_of_tests(path):
                named |= ids_in(text)
    assert sorted(KNOWN - named) == [], "no test names these"
    assert sorted(named - KNOWN) == [], "no such bugs"


def texts_of_tests(path: Path) -> Iterator[str]:
    """Name and docstring of each test function in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield f"{node.name.upper().replace('_', '-')} {ast.get_docstring(node) or ''}"


def ids_in(text: str) -> set[str]:
    """Bug ids in a text; ``B-05 to B-08`` names four."""
    return {
        f"B-{number:02}" for first, last in _ID.findall(text) for number in range(int(first), int(last or first) + 1)
    }
