"""The conditions that raise an alert, each judged from what is known: no database is asked here.

A condition holds, nearly does, is gone, or cannot be told now; what a verdict says, an alert that is opened by it says
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Literal

from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.samples import SamplePair
from odds_pipeline.storage.words import in_bytes, in_days

AlertType = Literal["growth", "size_limit", "disk_filling", "missing_partition", "retention_not_run"]

State = Literal["holds", "nearly", "gone", "unknown"]
"""Only ``holds`` opens an alert and only ``gone`` ends one; between the two a condition stays what it was."""

EVERYTHING = "everything"
"""The subject of what is about all databases and the archive together."""
FULL = "everything, at once"
"""That of a disk that is full already."""

_GROWTH_KNOWN_AFTER = timedelta(days=1)
"""Less than a day of samples has not seen what every day does."""
_COMPARED_OVER = timedelta(days=1)
_COMPARED_INTERVALS = 3
"""Samples tell of growth at most so far apart, a day or these intervals, whichever is longer: the percentage is of what
comes at once, and after a pause it would be that of the pause."""
_CLEAR = 0.1
"""By which part of its limit a value lies within it when the condition is gone. What retention takes away at midnight
and cycles bring back by the next is a fifteenth at the default of 14 days, so it does not end and open an alert daily.
"""
_LARGEST = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition. ``message`` of one that holds: what, where, since when, what to do; of an unknown one: why."""

    alert_type: AlertType
    subject: str
    state: State
    message: str
    current_bytes: int
    previous_bytes: int | None = None
    growth_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What should have been done by now. ``first_run_at``: since when there are cycles, None before the first.

    ``first_profile_at``: since when it is looked at, for cycles may have been brought in from long before;
    ``retained_at``: when retention was last completed; ``retention_error``: what was amiss with a later run;
    ``missing_days``: days that history should have a partition for.
    """

    first_run_at: datetime | None
    first_profile_at: datetime | None
    retained_at: datetime | None
    retention_error: str | None
    missing_days: Sequence[date]


def judge_conditions(
    profile: StorageProfile,
    judgement: Judgement,
    pair: SamplePair | None,
    upkeep: Upkeep,
    *,
    settings: Settings,
    now: datetime,
) -> tuple[Verdict, ...]:
    """Every condition once. ``pair``: the two newest samples that lie far enough apart."""
    return (
        _growth(profile, pair, settings),
        _size_limit(profile, judgement, settings),
        _disk_full(profile, judgement, settings),
        _disk_filling(profile, judgement, settings),
        _missing_partition(profile, upkeep),
        _retention_not_run(profile, upkeep, settings, now),
    )


def _growth(profile: StorageProfile, pair: SamplePair | None, settings: Settings) -> Verdict:
    """Between two samples as they are: growth is not scaled to the time between them."""
    if pair is None:
        return Verdict("growth", EVERYTHING, "unknown", "there are no two samples to compare yet", profile.total_bytes)
    longest = max(_COMPARED_OVER, _COMPARED_INTERVALS * settings.profile_interval)
    if pair.apart > longest:
        why = (
            f"the newest two samples lie {_length(pair.apart)} apart, and growth is told between those that are "
            f"{_length(longest)} apart at most"
        )
        return Verdict("growth", EVERYTHING, "unknown", why, profile.total_bytes)
    gained = pair.after - pair.before
    percent = 100 * gained / pair.before
    holds = percent > settings.alert_growth_percent and gained > 1e6 * settings.alert_growth_least_mb
    where = ", ".join(f"{table} (+{in_bytes(size)})" for table, size in islice(pair.by_table.items(), _LARGEST))
    message = (
        f"Everything grew by {percent:.0f} % from {in_bytes(pair.before)} at {_at(pair.earlier.sampled_at)} to "
        f"{in_bytes(pair.after)} {_length(pair.apart)} later, most in {where}. If no import, "
        "rebuild or much larger offer explains it, odds-pipeline profile says what these tables hold and what to do."
    )
    if not holds and profile.unmeasured:
        return Verdict("growth", EVERYTHING, "unknown", _incomplete(profile), profile.total_bytes)
    state = "holds" if holds else "gone"
    return Verdict("growth", EVERYTHING, state, message, pair.after, pair.before, round(percent, 2))


def _size_limit(profile: StorageProfile, judgement: Judgement, settings: Settings) -> Verdict:
    total, limit = profile.total_bytes, 1e9 * settings.alert_size_gb
    message = (
        f"Everything takes {in_bytes(total)}, more than the {in_bytes(limit)} of ODDS_ALERT_SIZE_GB; most of it "
        f"{_largest(profile)}. {_advice(judgement, 'raise that setting if so much is meant to be kept')}"
    )
    if total > limit:
        return Verdict("size_limit", EVERYTHING, "holds", message, total)
    if profile.unmeasured:
        return Verdict("size_limit", EVERYTHING, "unknown", _incomplete(profile), total)
    return Verdict("size_limit", EVERYTHING, "nearly" if total > (1 - _CLEAR) * limit else "gone", message, total)


def _disk_full(profile: StorageProfile, judgement: Judgement, settings: Settings) -> Verdict:
    """Told by sizes alone: it ends when there is room again, also while growth is not known."""
    total, size = profile.total_bytes, 1e9 * settings.disk_gb
    message = (
        f"The disk of {in_bytes(size)} (ODDS_DISK_GB) is full: everything takes {in_bytes(total)}, most of it "
        f"{_largest(profile)}. {_advice(judgement, 'take a larger disk and say so in ODDS_DISK_GB')}"
    )
    if total >= size:
        return Verdict("disk_filling", FULL, "holds", message, total)
    if profile.unmeasured:
        return Verdict("disk_filling", FULL, "unknown", _incomplete(profile), total)
    return Verdict("disk_filling", FULL, "nearly" if total > (1 - _CLEAR) * size else "gone", message, total)


def _disk_filling(profile: StorageProfile, judgement: Judgement, settings: Settings) -> Verdict:
    """A disk that is full already is ``_disk_full``, and fills up no more."""
    total, growth, days = profile.total_bytes, profile.growth, judgement.projection.days_until_full
    disk = f"The disk of {in_bytes(1e9 * settings.disk_gb)} (ODDS_DISK_GB) is full"
    advice = _advice(judgement, "take a larger disk and say so in ODDS_DISK_GB")
    if total >= 1e9 * settings.disk_gb:
        return Verdict("disk_filling", EVERYTHING, "nearly", f"{disk}. {advice}", total)
    if growth is None or growth.said_by != "samples" or growth.until - growth.since < _GROWTH_KNOWN_AFTER:
        why = "how fast everything grows is not known before there is a day of samples"
        return Verdict("disk_filling", EVERYTHING, "unknown", why, total)
    grown = sorted(growth.by_table.items(), key=lambda item: (-item[1], item[0]))
    where = ", ".join(f"{table} (+{in_bytes(size)} a day)" for table, size in grown[:_LARGEST] if size > 0)
    message = (
        f"{disk} in {in_days(days)}: everything takes {in_bytes(total)} and since {_at(growth.since)} has grown by "
        f"{in_bytes(growth.bytes_a_day)} a day, most in {where or 'no table'}. {advice}"
    )
    if days is not None and days <= settings.alert_days_until_full:
        return Verdict("disk_filling", EVERYTHING, "holds", message, total)
    if profile.unmeasured:
        return Verdict("disk_filling", EVERYTHING, "unknown", _incomplete(profile), total)
    is_soon = days is not None and days <= (1 + _CLEAR) * settings.alert_days_until_full
    is_near = is_soon or total > (1 - _CLEAR) * 1e9 * settings.disk_gb
    return Verdict("disk_filling", EVERYTHING, "nearly" if is_near else "gone", message, total)


def _advice(judgement: Judgement, otherwise: str) -> str:
    """What makes everything smaller: the plan, where there is one, and what is always left to do."""
    plan = judgement.plan
    saving = in_bytes(plan.before_bytes - plan.after_bytes)
    if plan.steps:
        begin = f"Follow the plan of odds-pipeline profile, which saves {saving},"
    else:
        begin = "odds-pipeline profile finds nothing to save:"
    return f"{begin} keep fewer days (ODDS_RETENTION_DAYS), or {otherwise}."


def _missing_partition(profile: StorageProfile, upkeep: Upkeep) -> Verdict:
    missing = upkeep.missing_days
    message = (
        f"odds_history has no partition for {_days(missing)}: what prepares days ahead has not run. Nothing is lost, a "
        "cycle makes one when it writes. Start the daemon (odds-pipeline up), or run odds-pipeline migrate."
    )
    state = "holds" if missing and upkeep.first_run_at is not None else "gone"
    return Verdict("missing_partition", "odds_history", state, message, profile.total_bytes)


def _retention_not_run(profile: StorageProfile, upkeep: Upkeep, settings: Settings, now: datetime) -> Verdict:
    """What is younger than the time allowed has nothing to retain yet, or nobody to do it."""
    since, begun = upkeep.retained_at, "since"
    if since is None and upkeep.first_run_at is not None and upkeep.first_profile_at is not None:
        # Cycles of a simulated or replayed past lie before anything could have retained them.
        since, begun = max(
            (upkeep.first_run_at, "since the first cycle,"), (upkeep.first_profile_at, "since the first profile,")
        )
    state = "holds" if since is not None and now - since > settings.alert_retention_after else "gone"
    passed = "" if since is None else f" {begun} {_at(since)}, {_length(now - since)} ago"
    amiss = f" The last try: {upkeep.retention_error}." if upkeep.retention_error else ""
    message = (
        f"Retention was not completed{passed}: days that are over stay in PostgreSQL.{amiss} Start the daemon "
        "(odds-pipeline up), or run odds-pipeline retention and see what it says."
    )
    return Verdict("retention_not_run", "retention", state, message, profile.total_bytes)


def _incomplete(profile: StorageProfile) -> str:
    return f"not measured: {', '.join(profile.unmeasured)}; what was takes {in_bytes(profile.total_bytes)}"


def _largest(profile: StorageProfile) -> str:
    tables = [
        (table.total_bytes, f"{each.name}.{table.name}") for each in profile.databases for table in each.whole_tables
    ]
    tables += [(each.bytes, f"archive.{each.kind}") for each in profile.archives]
    largest = sorted(tables, key=lambda item: (-item[0], item[1]))[:_LARGEST]
    return ", ".join(f"{name} ({in_bytes(size)})" for size, name in largest) or "in no table"


def _days(days: Sequence[date]) -> str:
    match days:
        case []:
            return "no day"
        case [day]:
            return str(day)
        case [first, *between, last] if len(between) + 1 == (last - first).days:
            return f"{first} to {last}"
        case _:
            return ", ".join(map(str, days))


def _length(time: timedelta) -> str:
    return in_days(time / timedelta(days=1))


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
