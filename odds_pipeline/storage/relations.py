"""What the catalogue says of the tables of a database: which there are, and how they hang together.

Nothing here reads a row of a user's table or locks one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, LiteralString

import psycopg

from odds_pipeline.storage.hanging import CASCADES, DEPENDENTS
from odds_pipeline.storage.session import unhurried

Connection = psycopg.Connection[tuple[Any, ...]]

UNREADABLE = "this account may not read it"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column as the catalogue has it. Types are those under any domains."""

    number: int
    name: str
    type: str
    base: int
    """The type's id, without modifiers."""
    length: int
    """Bytes of a type of fixed length; -1 for one of varying length."""
    alignment: str
    storage: str
    """``p`` plain, ``e`` out of line, ``m`` compressed, ``x`` both."""
    category: str
    is_virtual: bool
    """Reckoned when it is asked for, and stored nowhere."""
    not_null: bool
    is_generated: bool


@dataclass(frozen=True, slots=True)
class IndexRelation:
    """An index; ``parent`` is that of the partitioned table that it is a part of."""

    oid: int
    name: str
    columns: tuple[str, ...]
    is_unique: bool
    is_constraint: bool
    is_tree: bool
    """Whether values can be found by it in their order, the first column alone given."""
    scans: int | None
    parent: int | None
    bytes: int
    is_valid: bool
    is_being_made: bool
    """By a session that this account may see."""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of one column."""

    column: str
    table: int
    referenced: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, a partitioned table or a partition, which may be partitioned again, or a materialized view."""

    oid: int
    schema: str
    name: str
    is_partitioned: bool
    is_view: bool
    """A materialized view."""
    parent: int | None
    bound: str | None
    partitioned_by: str | None
    """Of a table partitioned by the range of one column: that column."""
    heap_bytes: int
    toast_bytes: int
    index_bytes: int
    pages: int
    """Of the heap alone, without its maps."""
    toast_pages: int
    fillfactor: int
    density: float | None
    """Rows per page by PostgreSQL's statistics; None when it was never analysed."""
    dead_rows: int
    skipped: str | None
    attributes: tuple[Attribute, ...] = ()
    indexes: tuple[IndexRelation, ...] = ()
    references: tuple[Reference, ...] = ()
    distinct: dict[str, float] = field(default_factory=dict[str, float])
    """Columns to ``n_distinct`` of the statistics."""
    primary_key: tuple[str, ...] = ()
    dependents: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Columns to what depends on them and is no index, default or NOT NULL of theirs."""
    cascades_to: tuple[str, ...] = ()
    """Tables of which rows are deleted with this one's, at any remove."""


class NoSuchSchema(LookupError):
    """The database has no schema of that name."""


def require_schema(connection: Connection, schema: str) -> None:
    """Raise ``NoSuchSchema`` with the schemas that there are, unless the schema is one of them."""
    there = [name for (name,) in connection.execute(_SCHEMAS)]
    if schema not in there:
        raise NoSuchSchema(f"there is no schema {schema} in this database; there are {', '.join(there)}")


def catalogued_relations(connection: Connection, schema: str | None) -> list[Relation]:
    """Every table of a schema, or of all that are not PostgreSQL's own; views, foreign and temporary tables
    are none, materialized views are.

    Sizes are those that the last VACUUM or ANALYZE saw, definitions of indexes are empty: see ``sizes.py``. Costs some
    statements over the catalogue, which lock no table.
    """
    with unhurried(connection):
        return _catalogued(connection, schema)


def _catalogued(connection: Connection, schema: str | None) -> list[Relation]:
    rows = connection.execute(_RELATIONS, {"schema": schema}).fetchall()
    found = [_relation(row) for row in rows]
    oids = [relation.oid for relation in found]
    attributes = _grouped(connection, _ATTRIBUTES, oids)
    indexes = _grouped(connection, _INDEXES, oids)
    references = _grouped(connection, _REFERENCES, oids)
    distinct = _grouped(connection, _DISTINCT, oids)
    keys = _grouped(connection, _PRIMARY_KEYS, oids)
    dependents = _grouped(connection, DEPENDENTS, oids)
    cascades = _grouped(connection, CASCADES, oids)
    return [
        replace(
            relation,
            attributes=tuple(Attribute(*row) for row in attributes.get(relation.oid, [])),
            indexes=tuple(_index(row) for row in indexes.get(relation.oid, [])),
            references=tuple(Reference(*row) for row in references.get(relation.oid, [])),
            distinct=dict(distinct.get(relation.oid, [])),
            primary_key=tuple(name for (name,) in keys.get(relation.oid, [])),
            dependents={name: tuple(found) for name, found in dependents.get(relation.oid, [])},
            cascades_to=tuple(name for (name,) in cascades.get(relation.oid, [])),
        )
        for relation in found
    ]


def _relation(row: tuple[Any, ...]) -> Relation:
    *known, heap, toast, index, fillfactor, density, dead, may_read = row
    oid, schema, name, is_partitioned, is_view, parent, bound, partitioned_by, block = known
    return Relation(
        oid=oid,
        schema=schema,
        name=name,
        is_partitioned=is_partitioned,
        is_view=is_view,
        parent=parent,
        bound=bound,
        partitioned_by=partitioned_by,
        heap_bytes=heap * block,
        toast_bytes=toast * block,
        index_bytes=index * block,
        pages=heap,
        toast_pages=toast,
        fillfactor=fillfactor,
        density=density,
        dead_rows=dead,
        skipped=None if may_read else UNREADABLE,
    )


def _index(row: tuple[Any, ...]) -> IndexRelation:
    oid, name, columns, *others = row
    return IndexRelation(oid, name, tuple(columns), *others)


def _grouped(connection: Connection, query: LiteralString, oids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    """The rows by their first column, which is the table's id."""
    groups = dict[int, list[tuple[Any, ...]]]()
    for oid, *row in connection.execute(query, [oids]):
        groups.setdefault(oid, []).append(tuple(row))
    return groups


_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)' ORDER BY nspname"

# The bound of a partition names no column; without a table (0) its text is made without a lock on one.
_RELATIONS = """
    SELECT class.oid::bigint, namespace.nspname, class.relname, class.relkind = 'p', class.relkind = 'm',
           link.inhparent::bigint, pg_get_expr(class.relpartbound, 0),
           (SELECT attribute.attname FROM pg_partitioned_table AS tree
            JOIN pg_attribute AS attribute ON attribute.attrelid = tree.partrelid
                                          AND attribute.attnum = tree.partattrs[0]
            WHERE tree.partrelid = class.oid AND tree.partstrat = 'r' AND tree.partnatts = 1),
           current_setting('block_size')::bigint,
           greatest(class.relpages, 0)::bigint,
           coalesce(greatest(toast.relpages, 0), 0)::bigint,
           coalesce((SELECT sum(greatest(part.relpages, 0)) FROM pg_index AS index
                     JOIN pg_class AS part ON part.oid = index.indexrelid
                     WHERE index.indrelid = class.oid), 0)::bigint,
           coalesce((SELECT option.option_value::int FROM pg_options_to_table(class.reloptions) AS option
                     WHERE option.option_name = 'fillfactor'), 100),
           CASE WHEN class.reltuples >= 0 AND class.relpages > 0
                THEN class.reltuples::double precision / class.relpages END,
           coalesce(pg_stat_get_dead_tuples(class.oid), 0),
           coalesce(has_schema_privilege(namespace.oid, 'USAGE') AND has_table_privilege(class.oid, 'SELECT'), false)
    FROM pg_class AS class
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    LEFT JOIN pg_class AS toast ON toast.oid = class.reltoastrelid
    LEFT JOIN pg_inherits AS link ON link.inhrelid = class.oid AND class.relispartition
    WHERE class.relkind IN ('r', 'p', 'm') AND class.relpersistence <> 't'
      AND CASE WHEN %(schema)s::text IS NULL
               THEN namespace.nspname <> 'information_schema' AND namespace.nspname !~ '^pg_'
               ELSE namespace.nspname = %(schema)s END
    ORDER BY namespace.nspname, class.relname
"""

_ATTRIBUTES = """
    WITH RECURSIVE base AS (
        SELECT oid AS declared, oid, typtype, typbasetype, -1 AS modifier FROM pg_type
        UNION ALL
        SELECT base.declared, type.oid, type.typtype, type.typbasetype, domain.typtypmod
        FROM base
        JOIN pg_type AS domain ON domain.oid = base.oid
        JOIN pg_type AS type ON type.oid = base.typbasetype
        WHERE base.typtype = 'd'
    )
    SELECT attribute.attrelid::bigint, attribute.attnum::int, attribute.attname,
           format_type(type.oid, CASE WHEN attribute.atttypmod >= 0 THEN attribute.atttypmod ELSE base.modifier END),
           type.oid::bigint, attribute.attlen::int, attribute.attalign::text, attribute.attstorage::text,
           type.typcategory::text, attribute.attgenerated = 'v', attribute.attnotnull, attribute.attgenerated <> ''
    FROM pg_attribute AS attribute
    JOIN base ON base.declared = attribute.atttypid AND base.typtype <> 'd'
    JOIN pg_type AS type ON type.oid = base.oid
    WHERE attribute.attrelid = ANY(%s::oid[]) AND attribute.attnum > 0 AND NOT attribute.attisdropped
    ORDER BY attribute.attrelid, attribute.attnum
"""

# An index keeps the names of its columns in its own pg_attribute, which those of the table are renamed with; of an
# expression that is a made-up name, such as "expr", shown in brackets.
_INDEXES = """
    SELECT index.indrelid::bigint, index.indexrelid::bigint, class.relname,
           ARRAY(SELECT CASE WHEN index.indkey[attribute.attnum - 1] = 0 THEN '(' || attribute.attname || ')'
                             ELSE attribute.attname::text END
                 FROM pg_attribute AS attribute
                 WHERE attribute.attrelid = index.indexrelid AND attribute.attnum <= index.indnkeyatts
                 ORDER BY attribute.attnum),
           index.indisunique,
           index.indisreplident
               OR EXISTS (SELECT FROM pg_constraint WHERE pg_constraint.conindid = index.indexrelid),
           method.amname = 'btree' AND index.indpred IS NULL AND index.indisvalid,
           pg_stat_get_numscans(index.indexrelid), link.inhparent::bigint,
           greatest(class.relpages, 0)::bigint * current_setting('block_size')::bigint,
           index.indisvalid,
           EXISTS (SELECT FROM pg_stat_progress_create_index AS making WHERE making.index_relid = index.indexrelid)
    FROM pg_index AS index
    JOIN pg_class AS class ON class.oid = index.indexrelid
    JOIN pg_am AS method ON method.oid = class.relam
    LEFT JOIN pg_inherits AS link ON link.inhrelid = index.indexrelid
    WHERE index.indrelid = ANY(%s::oid[])
    ORDER BY index.indrelid, class.relname
"""

_REFERENCES = """
    SELECT link.conrelid::bigint, attribute.attname, link.confrelid::bigint, referenced.attname
    FROM pg_constraint AS link
    JOIN pg_attribute AS attribute ON attribute.attrelid = link.conrelid AND attribute.attnum = link.conkey[1]
    JOIN pg_attribute AS referenced ON referenced.attrelid = link.confrelid AND referenced.attnum = link.confkey[1]
    WHERE link.contype = 'f' AND cardinality(link.conkey) = 1 AND link.conrelid = ANY(%s::oid[])
    ORDER BY link.conrelid, attribute.attname
"""

_DISTINCT = """
    SELECT class.oid::bigint, stats.attname, stats.n_distinct::double precision
    FROM unnest(%s::oid[]) AS known(oid)
    JOIN pg_class AS class ON class.oid = known.oid
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    JOIN pg_stats AS stats ON stats.schemaname = namespace.nspname AND stats.tablename = class.relname
    WHERE stats.inherited = (class.relkind = 'p') AND stats.n_distinct <> 0
"""

_PRIMARY_KEYS = """
    SELECT link.conrelid::bigint, attribute.attname
    FROM pg_constraint AS link
    CROSS JOIN unnest(link.conkey) WITH ORDINALITY AS key(number, position)
    JOIN pg_attribute AS attribute ON attribute.attrelid = link.conrelid AND attribute.attnum = key.number
    WHERE link.contype = 'p' AND link.conrelid = ANY(%s::oid[])
    ORDER BY link.conrelid, key.position
"""
