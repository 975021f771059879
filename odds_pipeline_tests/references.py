"""References of the documentation to the code, as ``path.py:line`` (``name``): found, checked, and renewed.

A reference names a function or class, a method with its class's name before it. After moving code renew all of them::

    python -m odds_pipeline_tests.references --write
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from odds_pipeline_tests.shown_schema import with_schema

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RENEW = "python -m odds_pipeline_tests.references --write"

_FOLDERS = ("odds_pipeline", "odds_pipeline_tests", "migrations", "benchmarks")
_REFERENCE = re.compile(r"`(?P<path>[\w/]+\.py):(?P<line>\d+)`(?:(?P<gap>\s)\(`(?P<name>[\w.]+)`\))?")


class Reference(NamedTuple):
    """One mention in a page of the code. ``name``: None where the page tells a line alone."""

    page: Path
    path: str
    line: int
    name: str | None


class NotFound(LookupError):
    """Nothing of that name is defined, or more than one thing and none of them where the page says."""


def references(page: Path) -> Iterator[Reference]:
    """The references of a page, in their order."""
    for found in _REFERENCE.finditer(page.read_text(encoding="utf-8")):
        yield Reference(page, found["path"], int(found["line"]), found["name"])


@cache
def definitions(path: Path) -> dict[str, int]:
    """Functions and classes of a module by name, with the line of their ``def`` or ``class``; none if it is missing."""
    return dict(_defined(ast.parse(path.read_text(encoding="utf-8")), "")) if path.is_file() else {}


def place_of(name: str, path: str, root: Path = ROOT) -> tuple[str, int]:
    """Where the named thing is defined: in ``path``, else in the one module that has it. Raises ``NotFound``."""
    if name in (here := definitions(root / path)):
        return path, here[name]
    modules = [module for folder in _FOLDERS for module in sorted((root / folder).rglob("*.py"))]
    places = [
        (str(module.relative_to(root)), definitions(module)[name]) for module in modules if name in definitions(module)
    ]
    if len(places) != 1:
        raise NotFound(
            f"{name} is not defined in {path}, but in {', '.join(path for path, _ in places) or 'no module'}"
        )
    return places[0]


def renewed(text: str, root: Path = ROOT) -> str:
    """The text with each reference leading to where its name is defined now. Raises ``NotFound``."""

    def renew(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        path, line = place_of(found["name"], found["path"], root)
        return f"`{path}:{line}`{found['gap']}(`{found['name']}`)"

    return _REFERENCE.sub(renew, text)


def _defined(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name, child.lineno
            if isinstance(child, ast.ClassDef):
                yield from _defined(child, f"{prefix}{child.name}.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m odds_pipeline_tests.references", description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="write the pages that change")
    parser.parse_args()
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        try:
            after = with_schema(renewed(before))
        except NotFound as error:
            sys.exit(f"{page.relative_to(ROOT)}: {error}; correct the name there")
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: renewed")


if __name__ == "__main__":
    main()
