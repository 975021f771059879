"""One advice: an opportunity with the database as it would be afterwards, and what is too little to be advised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from odds_pipeline.storage.judged import Basis, Family, Level, Opportunity
from odds_pipeline.storage.measured import DatabaseProfile, Table
from odds_pipeline.storage.words import in_bytes

LEAST_SHARE = 0.01
LEAST_BYTES = 10_000_000
"""What saves less than both is not listed."""
LEAST_OF_ALL = 1_000_000
"""What saves less is not listed, however small the database."""


Kind = Literal[
    "raw column",
    "documents",
    "repeats",
    "index",
    "bloat",
    "compression",
    "outcomes",
    "words",
    "partitions",
    "age",
    "other age",
    "policy",
]
"""What is done, finer than the families: the plan chooses by it."""


_ROOM_ALONE: tuple[Kind, ...] = ("bloat", "partitions")
"""What saves nothing but empty room."""


@dataclass(frozen=True, slots=True)
class Advice:
    """An opportunity and its effect; ``afterwards`` is the same profile where the saving is not known."""

    kind: Kind
    opportunity: Opportunity
    afterwards: DatabaseProfile


def is_worth_it(advice: Advice, profile: DatabaseProfile) -> bool:
    """Whether an advice saves enough to be listed; of one whose saving is not known, yes.

    Empty room is listed by its bytes alone: a small table that is updated needs some to work in.
    """
    saving = advice.opportunity.saving_bytes
    if saving is None or saving >= LEAST_BYTES:
        return True
    return advice.kind != "bloat" and saving >= max(LEAST_OF_ALL, LEAST_SHARE * profile.total_bytes)


def own_saving(profile: DatabaseProfile, afterwards: DatabaseProfile) -> int:
    """Bytes by which the second is smaller, without the empty room that any rewrite gives back."""
    return max(profile.total_bytes - afterwards.total_bytes - (_bloat(profile) - _bloat(afterwards)), 0)


def called(profile: DatabaseProfile, table: Table) -> str:
    """The table's name, with its schema where the database has two of that name."""
    is_only = sum(each.name == table.name for each in profile.whole_tables) == 1
    return table.name if is_only else f"{table.schema}.{table.name}"


def advise(
    profile: DatabaseProfile,
    afterwards: DatabaseProfile | None,
    *,
    kind: Kind,
    family: Family,
    subject: str,
    title: str,
    tables: tuple[Table, ...],
    evidence: str,
    effort: Level,
    risk: Level,
    risk_reason: str,
    statement: str,
    is_sql: bool = True,
    loses: str | None = None,
    basis: Basis = "sampled",
) -> Advice:
    """Put an advice together. The saving is ``own_saving``; without the second profile it is not known.

    Empty room that is given back is the saving of what does nothing else; beside another it is told in the evidence.
    """
    saving = None if afterwards is None else own_saving(profile, afterwards)
    if afterwards is not None:
        room = _bloat(profile) - _bloat(afterwards)
        if kind in _ROOM_ALONE:
            saving = max(profile.total_bytes - afterwards.total_bytes, 0)
        elif room >= LEAST_OF_ALL and kind != "policy":
            evidence += f" Rewriting gives back {in_bytes(room)} of empty room as well, which is not counted here."
    return Advice(
        kind,
        Opportunity(
            id=f"{family}:{subject}",
            family=family,
            title=title,
            database=profile.name,
            tables=tuple(each.name for each in tables),
            evidence=evidence,
            saving_bytes=saving,
            saving_share=saving / profile.total_bytes if saving is not None and profile.total_bytes else None,
            basis="not measured here" if saving is None else basis,
            effort=effort,
            risk=risk,
            risk_reason=risk_reason,
            loses=loses,
            statement=statement,
            is_sql=is_sql,
        ),
        profile if afterwards is None else afterwards,
    )


def _bloat(profile: DatabaseProfile) -> int:
    """Empty room of all tables, no more of each than it has."""
    return sum(min(table.bloat_bytes or 0, table.heap_bytes + table.toast_bytes) for table in profile.whole_tables)
