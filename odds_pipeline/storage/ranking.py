"""All that could be done, ranked by saving for effort."""

from __future__ import annotations

from datetime import datetime

from odds_pipeline.storage.judged import Level, Opportunity
from odds_pipeline.storage.measured import DatabaseProfile, Kept, StorageProfile
from odds_pipeline.storage.opportunities import compress, eliminate, indexes, normalize, partition, retain
from odds_pipeline.storage.opportunities.advice import Advice, is_worth_it

EFFORT: dict[Level, float] = {"low": 1, "medium": 3, "high": 10}
"""An afternoon, some days, some weeks."""
RISK: dict[Level, float] = {"low": 1, "medium": 1.5, "high": 3}
LOSS = 2.0
"""A byte of retention counts half: it takes an answer with it that could be asked for."""


def advices(profile: DatabaseProfile, now: datetime, policies: tuple[Kept, ...] = ()) -> tuple[Advice, ...]:
    """What could be done in one database and is worth listing, by family."""
    found = (
        *eliminate.raw_answers(profile),
        *eliminate.documents(profile),
        *eliminate.repeating_rows(profile),
        *indexes.useless_indexes(profile, now),
        *eliminate.empty_room(profile),
        *compress.other_compression(profile),
        *normalize.outcomes_as_arrays(profile),
        *normalize.words_as_numbers(profile),
        *partition.by_day(profile),
        *retain.old_rows(profile, now),
        *retain.other_old_rows(profile, now),
        *retain.beyond_policy(profile, policies),
    )
    return tuple(advice for advice in found if is_worth_it(advice, profile))


def opportunities(profile: StorageProfile, *, lacks_room: bool = False) -> tuple[Opportunity, ...]:
    """Of all databases, the best saving for its effort first; what is not measured here stands last.

    ``lacks_room``: the plan misses the size target or the disk, so that old rows that are no odds are told of.
    """
    found = [
        advice.opportunity
        for database in profile.databases
        for advice in advices(database, profile.measured_at, policies_of(profile, database))
        if lacks_room or advice.kind != "other age"
    ]
    return tuple(sorted(found, key=lambda each: (each.saving_bytes is None, -worth(each), each.id)))


def policies_of(profile: StorageProfile, database: DatabaseProfile) -> tuple[Kept, ...]:
    """The policies of the tables that the database has."""
    return tuple(kept for kept in profile.policies if database.table(kept.table, kept.schema) is not None)


def worth(opportunity: Opportunity) -> float:
    """Bytes saved / (effort x risk), and half of that for retention; effort 1, 3 or 10, risk 1, 1.5 or 3."""
    price = EFFORT[opportunity.effort] * RISK[opportunity.risk] * (LOSS if opportunity.family == "retain" else 1)
    return (opportunity.saving_bytes or 0) / price
