"""The family normalize: words that every row repeats are stored once, and a row keeps a number for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from odds_pipeline.storage.measured import Column, DatabaseProfile, Table
from odds_pipeline.storage.opportunities.advice import Advice, advise, called
from odds_pipeline.storage.opportunities.afterwards import with_narrower_column, with_table
from odds_pipeline.storage.opportunities.shapes import is_dagsters
from odds_pipeline.storage.opportunities.statements import name, relation, text
from odds_pipeline.storage.words import in_bytes, in_count

OUTCOMES = "outcomes"
"""JSON columns of this name hold lists of outcomes: a name, a price and whether it is active."""

_PACKED_KEYS = ("is_active", "name", "odds")
_SHOWN = 3
_ARRAY_HEADER = 21
"""Bytes of a short array of integers before its elements."""
_INTEGER = 4
_ALIGNED_INTEGER = 7
"""Bytes of an integer in a row with the most that its alignment may take: after a text of four letters it does."""
_MOST_WORDS = 10_000
_LEAST_LENGTH = 8
"""Bytes a value, on the average, below which a number in its place is not worth it."""
_CHANGED_TOGETHER = (
    "everything that reads or writes the column must be changed at the same moment; the table is locked while it is "
    "rewritten, and the copy needs room beside it"
)


def outcomes_as_arrays(profile: DatabaseProfile) -> Iterator[Advice]:
    """Lists of outcomes as one array of integers: the number of their list of names, then their prices.

    Saving: the column's bytes - values x (21 + 4 + 4 x average outcomes), 21 being the array's header.
    """
    if is_dagsters(profile):
        return
    for table in profile.own_tables:
        column = table.column(OUTCOMES)
        if column is None or not column.is_json or not column.average_elements:
            continue
        values = table.rows * (1 - column.null_share)
        size = int(values * (_ARRAY_HEADER + _INTEGER * (1 + column.average_elements)))
        others = [keys for keys in column.item_keys if keys != _PACKED_KEYS]
        yield advise(
            profile,
            _narrower(profile, table, column, size),
            kind="outcomes",
            family="normalize",
            subject=f"{called(profile, table)}.{column.name}",
            title=f"Names of outcomes once, prices of {table.name} as arrays",
            tables=(table,),
            evidence=f"{in_bytes(column.bytes / values if values else None)} a value repeat the names and keys of "
            f"{column.average_elements:.1f} outcomes; as integers they take "
            f"{in_bytes(size / values if values else None)}. The column has {in_bytes(column.bytes)}."
            + _in_the_way(column),
            effort="high",
            risk="high",
            risk_reason=_CHANGED_TOGETHER,
            statement=_otherwise(others) if others else _pack_outcomes(table, column),
            is_sql=not others and not column.dependents,
        )


def words_as_numbers(profile: DatabaseProfile) -> Iterator[Advice]:
    """Text columns with few different values, in no index: saving is the column's bytes - 7 x values.

    4 of the 7 are the integer, 3 what aligning it takes at most.
    """
    if is_dagsters(profile):
        return
    for table in profile.own_tables:
        indexed = {column for index in table.indexes for column in index.columns}
        for column in table.columns:
            if column.name in indexed or column.is_generated or not _is_repeated_text(table, column):
                continue
            values = table.rows * (1 - column.null_share)
            words = max(1, round((column.distinct_share or 0) * table.rows))
            size = int(values * _ALIGNED_INTEGER)
            yield advise(
                profile,
                _narrower(profile, table, column, size),
                kind="words",
                family="normalize",
                subject=f"{called(profile, table)}.{column.name}",
                title=f"A dictionary for {table.name}.{column.name}",
                tables=(table,),
                evidence=f"About {in_count(words)} different texts fill {in_bytes(column.bytes)} in "
                f"{in_count(values)} rows, {in_bytes(column.bytes / values)} each." + _in_the_way(column),
                effort="high",
                risk="high",
                risk_reason=_CHANGED_TOGETHER,
                statement=_number_words(table, column),
                is_sql=not column.dependents,
            )


def _in_the_way(column: Column) -> str:
    if not column.dependents:
        return ""
    return f" Must be dropped or changed before, or the type cannot be: {', '.join(column.dependents)}."


def _narrower(profile: DatabaseProfile, table: Table, column: Column, size: int) -> DatabaseProfile:
    """The column with ``size`` bytes in all; a partition's values take their share of them."""

    def part(each: Table) -> Table:
        found = each.column(column.name)
        return with_narrower_column(each, column.name, size * found.bytes // column.bytes) if found else each

    return with_table(profile, table, part) if column.bytes else profile


def _is_repeated_text(table: Table, column: Column) -> bool:
    values = table.rows * (1 - column.null_share)
    if column.distinct_share is None or values < 1 or not column.type.startswith(("character varying", "text")):
        return False
    return column.distinct_share * table.rows <= _MOST_WORDS and column.bytes / values >= _LEAST_LENGTH


def _pack_outcomes(table: Table, column: Column) -> str:
    return text(
        _PACK_OUTCOMES,
        table=relation(table),
        column=name(column.name),
        sets=name(table.schema, _beside(table, "outcome_names")),
    )


def _otherwise(others: Sequence[tuple[str, ...]]) -> str:
    found = "; ".join(f"({', '.join(keys)})" for keys in others[:_SHOWN])
    return (
        "No statement is given, for one that fits would lose what it does not know: besides or instead of a name, odds "
        f"and is_active, outcomes here have {found}. Keep the names once, with whatever else does not change, and "
        "prices as integers by their places."
    )


def _number_words(table: Table, column: Column) -> str:
    return text(
        _NUMBER_WORDS,
        table=relation(table),
        column=name(column.name),
        words=name(table.schema, _beside(table, f"{column.name}s")),
    )


def _beside(table: Table, what: str) -> str:
    """A name for a table beside this one, within PostgreSQL's 63 bytes."""
    return f"{table.name.encode()[: max(62 - len(what.encode()), 8)].decode(errors='ignore')}_{what}"


#: What cannot be packed without a loss ends the first statements, with nothing changed. Functions of pg_temp end with
#: the session. Of an array: the number of the names, then for each outcome its price in thousandths, negative when it
#: is not active; 0 is an active one without a price, -1 an inactive one.
_PACK_OUTCOMES = """
CREATE OR REPLACE FUNCTION pg_temp.outcome_names(outcomes jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT AS $packing$ BEGIN IF EXISTS (SELECT FROM jsonb_array_elements(outcomes) AS each
    WHERE each - '{{name,odds,is_active}}'::text[] <> '{{}}' OR NOT each ?& '{{name,odds,is_active}}'::text[]
        OR (each ->> 'odds')::numeric * 1000 % 1 <> 0 OR each ->> 'is_active' IS NULL OR each ->> 'name' IS NULL)
THEN RAISE EXCEPTION 'not only a name, odds of three decimals and is_active: %', outcomes; END IF; RETURN ARRAY(
    SELECT each ->> 'name' FROM jsonb_array_elements(outcomes) WITH ORDINALITY AS listed (each, place) ORDER BY place
); END $packing$;
CREATE TABLE {sets} (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, names text[] NOT NULL UNIQUE);
INSERT INTO {sets} (names)
    SELECT DISTINCT pg_temp.outcome_names({column}::jsonb) FROM {table} WHERE {column} IS NOT NULL;
CREATE OR REPLACE FUNCTION pg_temp.packed(outcomes jsonb) RETURNS integer[] LANGUAGE sql STABLE STRICT AS $packing$
    SELECT (SELECT id FROM {sets} WHERE names = pg_temp.outcome_names(outcomes)) || ARRAY(
        SELECT (CASE WHEN (each ->> 'is_active')::boolean THEN coalesce((each ->> 'odds')::numeric * 1000, 0)
            ELSE coalesce((each ->> 'odds')::numeric * -1000, -1) END)::integer
        FROM jsonb_array_elements(outcomes) WITH ORDINALITY AS listed (each, place) ORDER BY place)
$packing$;
ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT,
    ALTER COLUMN {column} TYPE integer[] USING pg_temp.packed({column}::jsonb);
ANALYZE {table};
"""

_NUMBER_WORDS = """
CREATE TABLE {words} (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text NOT NULL UNIQUE);
INSERT INTO {words} (word) SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL;
CREATE OR REPLACE FUNCTION pg_temp.number_of(said text) RETURNS integer LANGUAGE sql STABLE STRICT AS $packing$
    SELECT id FROM {words} WHERE word = said
$packing$;
ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT,
    ALTER COLUMN {column} TYPE integer USING pg_temp.number_of({column}::text);
ANALYZE {table};
"""
