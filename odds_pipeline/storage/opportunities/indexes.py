"""The family eliminate, of indexes: those that another makes redundant, that nobody uses, that were never finished."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from odds_pipeline.storage.judged import Level
from odds_pipeline.storage.measured import DatabaseProfile, Index, Table
from odds_pipeline.storage.opportunities.advice import Advice, advise, called
from odds_pipeline.storage.opportunities.afterwards import with_table, without_index
from odds_pipeline.storage.opportunities.shapes import is_dagsters, is_ours
from odds_pipeline.storage.opportunities.statements import name, text
from odds_pipeline.storage.words import in_bytes

SCANS_COUNTED_FOR = timedelta(days=7)
"""How long the server must have counted before an index without scans is called unused."""


def useless_indexes(profile: DatabaseProfile, now: datetime) -> Iterator[Advice]:
    """Indexes that are not needed: saving is their size. Not told of databases whose migrations own them."""
    if is_dagsters(profile) or is_ours(profile):
        return
    for table in profile.own_tables:
        redundant = {index.name: other for index in table.indexes if (other := _made_redundant_by(index, table))}
        for index in table.indexes:
            other = redundant.get(index.name)
            if not index.is_valid:
                if _is_left_over(index, table):
                    evidence = f"{index.name} ({in_bytes(index.bytes)}) is invalid: making it was broken off, no "
                    evidence += "question is answered by it, and every write may still have to keep it."
                    reason = "it is of no use as it is; make it anew where it was meant to be, and make sure that "
                    reason += "nobody is making it at this moment"
                    yield _drop_index(profile, table, index, evidence, "low", reason)
            elif other:
                evidence = f"Whatever {index.name} ({in_bytes(index.bytes)}) answers, {other.name} answers too: "
                evidence += f"{_keys(other)} begins with {_keys(index)}."
                yield _drop_index(profile, table, index, evidence, "low", "another index does its work", other)
            elif _is_unused(index, table, profile, now) and index not in redundant.values():
                since = f"{profile.scans_since:%Y-%m-%d}" if profile.scans_since else ""
                evidence = f"No use of it is counted, and of other indexes of {table.name} there is; "
                evidence += f"{in_bytes(index.bytes)}. The server has counted since {since}, or since the index was "
                evidence += "made: when that was it does not say."
                reason = "a rare question may need it; keep its definition"
                yield _drop_index(profile, table, index, evidence, "medium", reason)


def _drop_index(
    profile: DatabaseProfile,
    table: Table,
    index: Index,
    evidence: str,
    risk: Level,
    reason: str,
    instead: Index | None = None,
) -> Advice:
    concurrently = "DROP INDEX CONCURRENTLY {index};" if table.kind == "table" else "DROP INDEX {index};"
    return advise(
        profile,
        with_table(profile, table, lambda each: without_index(each, index.name, instead=instead)),
        kind="index",
        family="eliminate",
        subject=f"{called(profile, table)}.{index.name}",
        title=f"Drop the index {index.name} of {table.name}",
        tables=(table,),
        evidence=evidence,
        effort="low",
        risk=risk,
        risk_reason=reason,
        statement=text(concurrently, index=name(table.schema, index.name)),
        basis="statistics",
    )


def _is_left_over(index: Index, table: Table) -> bool:
    """Of a partitioned table, one is invalid for as long as a partition lacks its own: that may be meant."""
    return table.kind == "table" and not index.is_constraint and not index.is_being_made


def _is_unused(index: Index, table: Table, profile: DatabaseProfile, now: datetime) -> bool:
    """A replica counts its own reads alone; uniqueness is used by every write, whatever the scans say.

    Where no index of the table was used either, nobody has asked for its rows since they are counted: a copy that was
    just restored, say.
    """
    if index.scans != 0 or index.is_constraint or index.is_unique or profile.is_replica:
        return False
    is_asked = any(other.scans for other in table.indexes)
    return is_asked and profile.scans_since is not None and now - profile.scans_since >= SCANS_COUNTED_FOR


def _made_redundant_by(index: Index, table: Table) -> Index | None:
    """Another plain b-tree that begins with the same keys; of two that are the same, the later name goes."""
    if index.is_constraint or index.is_unique or not (keys := _keys(index)):
        return None
    for other in table.indexes:
        theirs = _keys(other)
        if other.name == index.name or theirs is None:
            continue
        if theirs.startswith(f"{keys}, "):
            return other
        if theirs == keys and (other.is_constraint or other.is_unique or other.name < index.name):
            return other
    return None


def _keys(index: Index) -> str | None:
    """The keys of a plain b-tree as its definition has them; None of one with a condition, included columns etc."""
    found = re.search(r" USING btree \((.*)\)$", index.definition, re.DOTALL)
    is_plain = not re.search(r"\) (INCLUDE|WHERE|WITH|NULLS) ", index.definition)
    return found.group(1) if found and is_plain and index.is_valid else None
