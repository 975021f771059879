"""Answers as HTTP carries them, and what OpenAPI says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from odds_pipeline.analysis.encode import to_json
from odds_pipeline.api.problems import problem_answers
from odds_pipeline.api.schemas import UNIMPORTED_DAYS, FrameSchema, example_row, row_schema, rows_schema


def answer(status: int = 200, headers: Mapping[str, str] | None = None, /, **parts: Any) -> Response:
    """One object: frames as arrays of rows, everything else as it is."""
    return Response(to_json(parts), status, headers, media_type="application/json")


class AnswerShape:
    """What an operation answers: an object of ``rows`` and what else belongs to the question."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._properties: dict[str, Any] = {}
        self._example: dict[str, Any] = {}

    def rows(self, schema: FrameSchema, name: str = "rows") -> AnswerShape:
        """An array of rows."""
        return self._with(name, rows_schema(schema), [example_row(schema)])

    def row(self, schema: FrameSchema, name: str) -> AnswerShape:
        """One row."""
        return self._with(name, row_schema(schema), example_row(schema))

    def next(self, kind: str, example: Any) -> AnswerShape:
        """Where the next page begins."""
        told = {"type": [kind, "null"], "description": "`after` of the next page; null: there is none"}
        return self._with("next", told, example)

    def unimported_days(self) -> AnswerShape:
        """The days that the answer may lack something of."""
        return self._with("unimported_days", dict(UNIMPORTED_DAYS), [])

    def word(self, name: str, description: str, example: str) -> AnswerShape:
        """A plain text."""
        return self._with(name, {"type": "string", "description": description}, example)

    def documented(self, *problems: int, status: int = 200, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The options of a route: how OpenAPI tells of its answers. ``problems``: statuses beside the usual ones."""
        content = {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": self._properties,
                    "required": list(self._properties),
                    "additionalProperties": False,
                },
                "example": self._example,
            }
        }
        good: dict[str, Any] = {"description": self._description, "content": content}
        if headers:
            good["headers"] = {
                name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in headers.items()
            }
        unchanged = (
            {304: {"description": "The asker has this answer already (If-None-Match)."}} if status == 200 else {}
        )
        return {
            "status_code": status,
            "response_class": Response,
            "responses": {status: good, **unchanged, **problem_answers(*problems)},
        }

    def _with(self, name: str, schema: dict[str, Any], example: Any) -> AnswerShape:
        self._properties[name] = schema
        self._example[name] = example
        return self
