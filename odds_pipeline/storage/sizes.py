"""How large tables and indexes are now.

Asking takes an ACCESS SHARE lock on each table for a moment: one that somebody holds exclusively is told of with the
pages that its last VACUUM or ANALYZE counted, and one that vanishes meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors

from odds_pipeline.storage.relations import Relation

Connection = psycopg.Connection[tuple[Any, ...]]

HELD = "another session held it exclusively; sizes are those that its last VACUUM or ANALYZE saw"
_AT_ONCE = 100
"""Tables whose sizes are asked for by one statement."""


def with_sizes(connection: Connection, relations: Sequence[Relation]) -> tuple[Relation, ...]:
    """The relations with their present sizes and their indexes' definitions; without those that are gone.

    Costs one look at the size of each of their files. Raises ``psycopg.OperationalError`` when the connection is lost.
    """
    measured: list[Relation] = []
    for start in range(0, len(relations), _AT_ONCE):
        some = relations[start : start + _AT_ONCE]
        try:
            measured += _measure(connection, some)
        except psycopg.Error:
            # One table that is held or just being dropped fails the statement for all of them.
            measured += [each for relation in some for each in _measure_alone(connection, relation)]
    return tuple(measured)


def _measure_alone(connection: Connection, relation: Relation) -> list[Relation]:
    try:
        return _measure(connection, [relation])
    except (errors.LockNotAvailable, errors.QueryCanceled):
        return [replace(relation, skipped=HELD)]
    except psycopg.Error as error:
        if connection.closed:
            raise
        row = connection.execute("SELECT FROM pg_class WHERE oid = %s", [relation.oid]).fetchone()
        return [] if row is None else [replace(relation, skipped=" ".join(str(error).split()))]


def _measure(connection: Connection, relations: Sequence[Relation]) -> list[Relation]:
    sizes = {row[0]: row[1:] for row in connection.execute(_SIZES, [[each.oid for each in relations]])}
    indexes = [index.oid for relation in relations for index in relation.indexes]
    parts = {row[0]: row[1:] for row in connection.execute(_INDEX_SIZES, [indexes])}
    measured: list[Relation] = []
    for relation in relations:
        found = sizes.get(relation.oid)
        if found is None or None in found:
            continue
        heap, toast, index, pages, toast_pages = found
        measured.append(
            replace(
                relation,
                heap_bytes=heap,
                toast_bytes=toast,
                index_bytes=index,
                pages=pages,
                toast_pages=toast_pages,
                indexes=tuple(
                    replace(each, bytes=parts[each.oid][0], definition=parts[each.oid][1])
                    for each in relation.indexes
                    if None not in parts[each.oid]
                ),
            )
        )
    return measured


_SIZES = """
    SELECT class.oid::bigint,
           pg_table_size(class.oid) - coalesce(pg_total_relation_size(nullif(class.reltoastrelid, 0)), 0),
           coalesce(pg_total_relation_size(nullif(class.reltoastrelid, 0)), 0),
           pg_indexes_size(class.oid),
           pg_relation_size(class.oid) / current_setting('block_size')::bigint,
           coalesce(pg_relation_size(nullif(class.reltoastrelid, 0)), 0) / current_setting('block_size')::bigint
    FROM pg_class AS class WHERE class.oid = ANY(%s::oid[])
"""

_INDEX_SIZES = """
    SELECT index.oid::bigint, pg_total_relation_size(index.oid), pg_get_indexdef(index.oid)
    FROM unnest(%s::oid[]) AS index(oid)
"""
