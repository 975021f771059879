"""The schema as docs/discovery.md shows it, written by the models, which the catalogue is compared with elsewhere.

``python -m odds_pipeline_tests.references --write`` puts it into the page.
"""

from __future__ import annotations

import re

from sqlalchemy import Index, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from odds_pipeline.database.models import Base

#: The tables that odds are stored in; the others are in the data dictionary.
ODDS = (
    "market_types",
    "market_labels",
    "market_sources",
    "outcome_sets",
    "markets",
    "current_odds",
    "odds_history",
    "listing_state",
)
_POSTGRESQL = postgresql.dialect()
_TABLES = re.compile(r"```sql\nCREATE TABLE .*?```", re.DOTALL)
_INDEXES = re.compile(r"```text\narchive_files .*?```", re.DOTALL)


def with_schema(text: str) -> str:
    """The page with its block of tables and its block of indexes as the models have them."""
    text = _TABLES.sub(lambda _: f"```sql\n{tables()}\n```", text)
    return _INDEXES.sub(lambda _: f"```text\n{indexes()}\n```", text)


def tables() -> str:
    """``CREATE TABLE`` and ``CREATE INDEX`` of the tables of odds, without the names of constraints."""
    return "\n\n".join(_created(Base.metadata.tables[name]) for name in ODDS)


def indexes() -> str:
    """Every table's indexes by their columns, a line for each table: its key, what is unique, what is found by."""
    width = max(map(len, Base.metadata.tables)) + 2
    lines = [f"{name:{width}}{'; '.join(_indexes(table))}" for name, table in sorted(Base.metadata.tables.items())]
    return "\n".join(lines)


def _created(table: Table) -> str:
    statements = [str(CreateTable(table).compile(dialect=_POSTGRESQL)).strip()]
    statements += [str(CreateIndex(index).compile(dialect=_POSTGRESQL)) for index in _sorted(table)]
    text = ";\n".join(statements) + ";"
    for found, shown in (
        (r"CONSTRAINT \w+ ", ""),
        (r"\t", "    "),
        (r" +\n", "\n"),
        (r"\n\)\n ", "\n) "),
        (r"FOREIGN KEY\(", "FOREIGN KEY ("),
        (r"TIMESTAMP WITH TIME ZONE", "timestamptz"),
    ):
        text = re.sub(found, shown, text)
    return text


def _indexes(table: Table) -> list[str]:
    told = [f"key ({', '.join(table.primary_key.columns.keys())})"]
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    told += sorted(f"unique ({', '.join(constraint.columns.keys())})" for constraint in unique)
    return told + [_index(index) for index in _sorted(table)]


def _index(index: Index) -> str:
    options = index.dialect_options["postgresql"]
    method = f"{options['using']} " if options["using"] else ""
    columns = ", ".join(str(expression).rpartition(".")[2] for expression in index.expressions)
    where = "" if options["where"] is None else f" where {options['where']}"
    return f"{'unique ' if index.unique else ''}{method}({columns}){where}"


def _sorted(table: Table) -> list[Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))
