"""docs/data-dictionary.md names exactly what is in the database."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"

_CATALOGUE = """
    SELECT relation.relname, array_agg(attribute.attname::text ORDER BY attribute.attnum)
    FROM pg_class AS relation
    JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0
    WHERE relation.relnamespace = 'public'::regnamespace AND relation.relkind IN ('r', 'p', 'v')
      AND NOT relation.relispartition AND NOT attribute.attisdropped AND relation.relname <> 'alembic_version'
    GROUP BY relation.relname
"""


def documented() -> dict[str, list[str]]:
    """Columns by relation: first cells of the table under each third-level heading, up to the chapter on answers."""
    relations = PAGE.read_text().partition("\n## Answers\n")[0]
    sections = re.split(r"^### (\w+)\n", relations, flags=re.MULTILINE)
    return {
        name: [column for column in re.findall(r"^\| (\w+) \|", body, flags=re.MULTILINE) if column != "column"]
        for name, body in zip(sections[1::2], sections[2::2], strict=True)
    }


def test_every_relation_and_column_is_in_the_data_dictionary(shared_migrated_database: str) -> None:
    with psycopg.connect(shared_migrated_database) as connection:
        catalogue = dict(connection.execute(_CATALOGUE).fetchall())
    page = documented()
    assert page.keys() == catalogue.keys()
    for relation, columns in page.items():
        assert sorted(columns) == sorted(catalogue[relation]), relation


def test_every_relation_is_in_the_table_of_contents() -> None:
    contents = PAGE.read_text().split("\n## ")[0]
    assert set(re.findall(r"\(#(\w+)\)", contents)) == documented().keys()
