"""The recommended strategy (R24): what is to be done in which order, and what is left after each step.

First what loses nothing, then what loses answers, and what takes much work or risks much only when the size target is
missed without it. Each step is judged on what the steps before it left, so that nothing is saved twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import Level, Phase, Plan, Step
from odds_pipeline.storage.measured import DatabaseProfile, StorageProfile
from odds_pipeline.storage.opportunities.advice import Advice, Kind
from odds_pipeline.storage.opportunities.partition import is_deleted_from
from odds_pipeline.storage.opportunities.retain import subject_of
from odds_pipeline.storage.opportunities.shapes import is_ours
from odds_pipeline.storage.ranking import RISK, advices, policies_of

PhaseName = Literal["schema", "application", "data migration", "monitoring"]

GB = 1_000_000_000
USUAL_DAYS, FEWEST_DAYS = 14, 7
"""What is kept, and what is kept when the target is missed otherwise."""
LEAST_PART = 0.05
"""Of everything there was; indexes, empty room and tables to partition that are less are left as they are."""
LEAST_LEFT = 0.01
"""Of what is left before a step; a step that gains less is not taken."""


def plan(profile: StorageProfile, settings: Settings) -> Plan:
    """Choose what to do. A healthy database's plan has no steps, and says in its phases that nothing is to be done."""
    doing = _Doing(profile, target=int(settings.storage_target_gb * GB))
    small = LEAST_PART * profile.total_bytes
    schema = [*doing.take("raw column"), *doing.take("index", least=small)]
    data = [*doing.take("repeats"), *doing.take("bloat", least=small), *doing.take("policy"), *doing.keep_days()]
    data += doing.take_until_target("outcomes", "words")
    return Plan(
        phases=tuple(_phases(profile, schema, data)),
        before_bytes=profile.total_bytes,
        after_bytes=doing.left,
        target_bytes=doing.target,
        disk_bytes=int(settings.disk_gb * GB),
    )


class _Taken(NamedTuple):
    """A step of the plan and what kind of advice it is."""

    kind: Kind
    step: Step


@dataclass
class _Doing:
    """The databases as the steps taken so far leave them."""

    profile: StorageProfile
    target: int
    databases: dict[str, DatabaseProfile] = field(init=False)
    done: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.databases = {each.name: each for each in self.profile.databases}

    @property
    def left(self) -> int:
        """Bytes of everything."""
        archives = sum(each.bytes for each in self.profile.archives)
        return archives + sum(each.total_bytes for each in self.databases.values())

    def take(self, kind: Kind, *, least: float = 1) -> list[_Taken]:
        """Take what is of that kind, saves so much and does not risk much, the largest saving first."""
        taken: list[_Taken] = []
        while wanted := [each for each in self._found(kind, least=least) if each.opportunity.risk != "high"]:
            taken.append(self._do(wanted[0]))
        return taken

    def take_until_target(self, *kinds: Kind) -> list[_Taken]:
        """Take what is of these kinds, however much it risks, for as long as the target is missed."""
        taken: list[_Taken] = []
        while self.left > self.target and (wanted := self._found(*kinds, least=LEAST_LEFT * self.left)):
            taken.append(self._do(wanted[0]))
        return taken

    def keep_days(self) -> list[_Taken]:
        """Retention of the usual days, or of the fewest where the target needs it."""
        aged = self._found("age", least=1)
        usual, fewest = (
            [each for each in aged if each.opportunity.id == f"retain:{subject_of(days)}"]
            for days in (USUAL_DAYS, FEWEST_DAYS)
        )
        saving = sum(each.opportunity.saving_bytes or 0 for each in usual)
        return [self._do(each) for each in (fewest if self.left - saving > self.target and fewest else usual)]

    def _found(self, *kinds: Kind, least: float) -> list[Advice]:
        found = [
            advice
            for database in self.databases.values()
            for advice in advices(database, self.profile.measured_at, policies_of(self.profile, database))
            if advice.kind in kinds
            and advice.opportunity.id not in self.done
            and (advice.opportunity.saving_bytes or 0) >= least
        ]
        return sorted(found, key=lambda each: -(each.opportunity.saving_bytes or 0))

    def _do(self, advice: Advice) -> _Taken:
        before = self.left
        self.databases[advice.opportunity.database] = advice.afterwards
        self.done.add(advice.opportunity.id)
        return _Taken(advice.kind, Step(advice.opportunity, before - self.left, self.left))


def _phases(profile: StorageProfile, schema: list[_Taken], data: list[_Taken]) -> Iterator[Phase]:
    contents: tuple[tuple[PhaseName, list[_Taken], list[str]], ...] = (
        ("schema", schema, _before_the_schema(schema)),
        ("application", [], _changes_of_the_application(profile, schema, data)),
        ("data migration", data, _around_the_data(profile, data)),
        ("monitoring", [], _watching(profile)),
    )
    cumulative = 0
    for name, taken, measures in contents:
        steps = tuple(each.step for each in taken)
        saving = sum(step.saving_bytes for step in steps)
        cumulative += saving
        risks: list[Level] = [step.opportunity.risk for step in steps]
        risk = max(risks, key=lambda level: RISK[level]) if risks else "low"
        yield Phase(name, steps, tuple(measures or ["Nothing is to be done."]), saving, cumulative, risk)


def _before_the_schema(schema: list[_Taken]) -> list[str]:
    columns = _subjects(schema, "raw column")
    if not columns:
        return []
    return [f"Deploy an application that no longer writes or reads {columns} first: every later write would fail."]


def _changes_of_the_application(profile: StorageProfile, schema: list[_Taken], data: list[_Taken]) -> list[str]:
    measures: list[str] = []
    if columns := _subjects(schema, "raw column"):
        measures.append(f"Stop writing {columns}; answers that are worth keeping belong into files, compressed.")
    if repeats := _tables(data, "repeats"):
        measures += [
            f"Write a row of {repeats} only when the market differs from its last state, and one with unavailable_at "
            "when an answer lacks it; confirm what is unchanged once for each answer.",
            "Read a market's state at a moment as its last row up to it, not as the rows of one snapshot.",
        ]
    if _tables(data, "age"):
        measures.append("Delete what is too old every day, before it is much; the last state of a market stays.")
    if words := _subjects(data, "outcomes", "words"):
        measures.append(f"Write and read numbers in {words}, with their words beside them.")
    if not measures and any(is_ours(each) for each in profile.databases):
        measures.append("Nothing is to be done: only changes are written, and no raw answers are kept.")
    return measures


def _around_the_data(profile: StorageProfile, data: list[_Taken]) -> list[str]:
    if not data:
        return []
    measures = [
        "Make a backup, stop what writes, and have as much room free as the largest table that is rewritten. Let no "
        "transaction stay open meanwhile: deleted rows that one may still see are kept, and their room with them."
    ]
    touched = {table for each in data for table in each.step.opportunity.tables}
    aging = [
        table.name
        for database in profile.databases
        for table in database.whole_tables
        if table.name in touched
        and is_deleted_from(database, table)
        and table.total_bytes >= LEAST_PART * database.total_bytes
    ]
    if aging:
        measures.append(
            f"While at it, partition by day: {', '.join(aging)}. A day then ends by DROP TABLE, which reads nothing "
            "and leaves nothing empty."
        )
    return measures


def _watching(profile: StorageProfile) -> list[str]:
    if any(is_ours(each) for each in profile.databases):
        return [
            "The asset storage/profile measures and keeps a sample every ODDS_PROFILE_INTERVAL; its alerts tell of "
            "growth, size, the disk, missing partitions and a retention that has not run."
        ]
    return [
        "Profile every hour and keep the sizes: growth of more than 20 % between two samples, a size over the limit "
        "and a retention that has not run should reach somebody.",
        "Look at the share of repeating rows once a week: it says whether only changes are written.",
    ]


def _subjects(taken: list[_Taken], *kinds: Kind) -> str:
    return ", ".join(each.step.opportunity.id.partition(":")[2] for each in taken if each.kind in kinds)


def _tables(taken: list[_Taken], *kinds: Kind) -> str:
    return ", ".join(table for each in taken if each.kind in kinds for table in each.step.opportunity.tables)
