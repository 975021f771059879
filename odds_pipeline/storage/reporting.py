"""The report of a storage profile: what it says, in order, for people (Markdown, text) and for programs (JSON).

It is never blank (R25): a database without a table and figures that are not known are told in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any, Literal

from odds_pipeline.storage.alerts import Alert
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.markdown import markdown
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.report.advice import (
    driver_section,
    opportunity_sections,
    plan_section,
    projection_section,
    projection_sentence,
    strategy_section,
    to_do,
)
from odds_pipeline.storage.report.change import age_sections, change_section, growth_section, growth_sentence
from odds_pipeline.storage.report.parts import Facts, Part, Section, Sentences, grid
from odds_pipeline.storage.report.readers import reader_section
from odds_pipeline.storage.report.sizes import (
    archive_section,
    column_section,
    health_section,
    retention_section,
    table_sections,
)
from odds_pipeline.storage.text import text
from odds_pipeline.storage.words import in_bytes

WIDTH = 200
"""Columns of text that goes into a file."""


def report(
    profile: StorageProfile,
    judgement: Judgement,
    alerts: Sequence[Alert] | None,
    *,
    style: Literal["markdown", "text"],
    width: int = WIDTH,
    at_most: int | None = None,
) -> str:
    """The whole report. ``alerts``: those that are open; None of a database that is not ours, which has none.

    ``width``: columns of text. ``at_most``: characters of Markdown, beyond which the last sections are left out.
    """
    told = sections(profile, judgement, alerts)
    return markdown(told, at_most=at_most) if style == "markdown" else text(told, width=width)


def sections(profile: StorageProfile, judgement: Judgement, alerts: Sequence[Alert] | None) -> tuple[Section, ...]:
    """What the report says, the most important first; what only our own storage has is not told of another."""
    return (
        _headline(profile, judgement, alerts),
        *(() if alerts is None else (_alert_section(alerts),)),
        driver_section(judgement),
        plan_section(judgement.plan),
        *table_sections(profile),
        column_section(profile),
        growth_section(profile),
        *age_sections(profile),
        change_section(profile, judgement.projection),
        projection_section(judgement.projection),
        *(() if alerts is None else (archive_section(profile),)),
        health_section(profile),
        *(() if alerts is None else (retention_section(profile),)),
        strategy_section(judgement),
        reader_section(profile),
        *opportunity_sections(judgement),
    )


def report_json(profile: StorageProfile, judgement: Judgement, alerts: Sequence[Alert] | None) -> dict[str, Any]:
    """Everything that is in the profile and the judgement, and every number that follows from one of their parts.

    Names are those of ``measured.py`` and ``judged.py``; times are ISO 8601 in UTC, days and windows are keys as text.
    """
    return {
        **_plain(profile),
        **_plain(judgement),
        "alerts": _plain(alerts),
    }


def _headline(profile: StorageProfile, judgement: Judgement, alerts: Sequence[Alert] | None) -> Section:
    sizes = [(f"Database {each.name}", in_bytes(each.total_bytes)) for each in profile.databases]
    if profile.archives:
        sizes.append(("Archives", in_bytes(sum(each.bytes for each in profile.archives))))
    if profile.unmeasured:
        sizes.append(("Not measured", ", ".join(profile.unmeasured)))
    plan = judgement.plan
    limits = f"{in_bytes(plan.target_bytes)} and {in_bytes(plan.disk_bytes)}, by the settings here"
    beside = (
        ("Target and disk", f"{limits} (ODDS_STORAGE_TARGET_GB, ODDS_DISK_GB)")
        if alerts is None
        else ("Open alerts", f"{len(alerts):,}" if alerts else "none")
    )
    seconds = sum(each.seconds for each in profile.databases)
    return Section(
        f"{in_bytes(profile.total_bytes)} in all",
        (
            Facts(
                (
                    *sizes,
                    ("Growth", growth_sentence(profile.growth)),
                    ("Ahead", projection_sentence(judgement.projection)),
                    ("To do", to_do(plan)),
                    beside,
                    ("As of", f"{profile.measured_at:%Y-%m-%d %H:%M:%S} UTC, measured in {seconds:.1f} s"),
                )
            ),
        ),
    )


def _alert_section(alerts: Sequence[Alert]) -> Section:
    part: Part = Sentences("No alert is open.")
    if alerts:
        rows = [(f"{each.id}", f"{each.created_at:%Y-%m-%d %H:%M}", each.alert_type, each.message) for each in alerts]
        part = grid(("alert", "since (UTC)", "kind", "what, and what to do"), rows)
    return Section("Open alerts", (part,))


def _plain(value: Any) -> Any:
    """A value as JSON has it; an object with its fields and with what follows from them, but for lists of its parts."""
    if is_dataclass(value) and not isinstance(value, type):
        told = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        follows = [name for name, member in vars(type(value)).items() if isinstance(member, property)]
        return told | {name: each for name in follows if not isinstance(each := getattr(value, name), tuple)}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {f"{_plain(name)}": _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
