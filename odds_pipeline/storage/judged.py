"""What is made of a storage profile: drivers, opportunities, strategies, a plan, and what lies ahead.

The judgements themselves stand in the modules beside this one; none of them asks a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Family = Literal["eliminate", "compress", "normalize", "partition", "retain"]
Level = Literal["low", "medium", "high"]
Basis = Literal["sampled", "statistics", "not measured here"]
"""Where a saving comes from: a sample of this database's rows, its statistics, or nowhere (it cannot be had here)."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A table or column that takes a large part of everything. ``what``: ``odds_snapshots.raw_response``, a table."""

    database: str
    what: str
    bytes: int
    share: float
    """Of all databases and archives, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """One thing that could be done, alone: its saving is what it would save if nothing else were done before."""

    id: str
    """Stable: family and subject, e.g. ``eliminate:odds_snapshots.raw_response``."""
    family: Family
    title: str
    database: str
    tables: tuple[str, ...]
    evidence: str
    saving_bytes: int | None
    """None: not measured here."""
    saving_share: float | None
    """Of the database."""
    basis: Basis
    effort: Level
    risk: Level
    risk_reason: str
    loses: str | None
    """What can no longer be asked afterwards; None when nothing is lost."""
    statement: str
    """The exact SQL, setting or command. SQL runs as it stands, statement by statement, outside a transaction."""
    is_sql: bool

    @property
    def statements(self) -> tuple[str, ...]:
        """The single statements of SQL, in order: each ends with a semicolon at the end of a line."""
        if not self.is_sql:
            return ()
        return tuple(each.strip() for each in self.statement.split(";\n") if each.strip())


@dataclass(frozen=True, slots=True)
class StrategyJudgement:
    """One of the five strategies that are always judged (R23)."""

    name: str
    benefit: str
    risk: Level
    risk_reason: str
    effort: Level
    verdict: Literal["recommended", "not recommended", "done", "not available here"]
    reason: str
    saving_bytes: int | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class Step:
    """A chosen opportunity within the plan: ``saving_bytes`` is what it saves after the steps before it."""

    opportunity: Opportunity
    saving_bytes: int
    left_bytes: int
    """Of everything, after this step."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the plan that is done together (R24)."""

    name: Literal["schema", "application", "data migration", "monitoring"]
    steps: tuple[Step, ...]
    measures: tuple[str, ...]
    """What is to be done beside the steps, in words; of monitoring, all that there is."""
    saving_bytes: int
    cumulative_bytes: int
    risk: Level


@dataclass(frozen=True, slots=True)
class Plan:
    """The recommended strategy (R24)."""

    phases: tuple[Phase, ...]
    before_bytes: int
    after_bytes: int
    target_bytes: int
    disk_bytes: int

    @property
    def meets_target(self) -> bool:
        """Whether what is left is within the size target."""
        return self.after_bytes <= self.target_bytes

    @property
    def fits_disk(self) -> bool:
        """Whether what is left fits the disk."""
        return self.after_bytes <= self.disk_bytes

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in the order in which they are to be done."""
        return tuple(step for phase in self.phases for step in phase.steps)


@dataclass(frozen=True, slots=True)
class AgainstSnapshots:
    """A day of ours against a day of whole snapshots, by the same cycles."""

    rows_a_day: float
    snapshot_rows_a_day: float
    bytes_a_day: float
    snapshot_bytes_a_day: float
    snapshot_row_bytes: float
    """What a row of a snapshot is taken to cost; ``snapshot_row_from`` says why."""
    snapshot_row_from: str
    first_sightings_a_day: float
    """Of ``rows_a_day``, those that say what nobody had seen before: no way of storing does without them."""

    @property
    def fewer_rows(self) -> float:
        """Share of rows saved, 0 to 1."""
        return self._fewer(self.rows_a_day)

    @property
    def fewer_rows_beside_first_sightings(self) -> float:
        """The same without first sightings, of which a new database has many."""
        return self._fewer(self.rows_a_day - self.first_sightings_a_day)

    def _fewer(self, rows_a_day: float) -> float:
        return 1 - rows_a_day / self.snapshot_rows_a_day if self.snapshot_rows_a_day else 0.0


@dataclass(frozen=True, slots=True)
class Projection:
    """What lies ahead at the growth measured. Null where growth is not known, or there is none."""

    days_until_full: float | None
    days_until_target: float | None
    bytes_a_day: float | None
    retention_bytes: Mapping[int, int] | None
    """What keeping 14, 30 and 90 days of history would take in the end, everything else as it is.

    None: not known, because the largest history has no rows of a whole day among the last 7.
    """
    against_snapshots: AgainstSnapshots | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that is made of one profile."""

    drivers: tuple[Driver, ...]
    """Largest first; at most ten, the report names three."""
    opportunities: tuple[Opportunity, ...]
    """Ranked by saving for effort."""
    strategies: tuple[StrategyJudgement, ...]
    """The five, always."""
    plan: Plan
    projection: Projection
