"""Every column of every answer has a meaning."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

import polars as pl

import odds_pipeline.analysis
from odds_pipeline.analysis.meanings import MEANINGS
from odds_pipeline.odds import comparison, kickoff, shown


def test_every_column_of_every_answer_has_a_meaning() -> None:
    columns = {name for schema in _schemas() for name in _names(pl.Struct(dict(schema)))}
    assert "odds" in columns, "fields of nested columns count"
    assert sorted(columns - set(MEANINGS)) == []


def test_meanings_stand_in_order_of_their_names_and_say_something() -> None:
    assert list(MEANINGS) == sorted(MEANINGS)
    assert all(meaning.strip() for meaning in MEANINGS.values())


def _schemas() -> Iterator[Mapping[str, Any]]:
    """The public schemas of the modules that answer questions, and of what readers are shown."""
    names = [
        module.name for module in pkgutil.walk_packages(odds_pipeline.analysis.__path__, "odds_pipeline.analysis.")
    ]
    for module in [shown, kickoff, comparison, *map(importlib.import_module, names)]:
        # Annotated where they are written; a schema that a module imports is not its answer.
        for name in inspect.get_annotations(module):
            value = vars(module).get(name)
            if not name.startswith("_") and _is_schema(value):
                yield value


def _is_schema(value: object) -> TypeGuard[Mapping[str, Any]]:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(
            isinstance(kind, pl.DataType) or (isinstance(kind, type) and issubclass(kind, pl.DataType))
            for kind in value.values()
        )
    )


def _names(kind: Any) -> Iterator[str]:
    """The names of all fields, however deep."""
    if isinstance(kind, pl.List):
        yield from _names(kind.inner)
    elif isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield field.name
            yield from _names(field.dtype)
