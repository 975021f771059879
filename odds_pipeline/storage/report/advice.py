"""The report's sections on what is made of the figures: drivers, opportunities, strategies, plan, projection."""

from __future__ import annotations

from collections.abc import Iterator

from odds_pipeline.storage.judged import Judgement, Opportunity, Phase, Plan, Projection
from odds_pipeline.storage.report.parts import Part, Points, Section, Sentences, Statement, grid
from odds_pipeline.storage.words import in_bytes, in_days, in_percent

_DRIVERS_NAMED = 3
_STEPS_NAMED = 3
_FAR = 3_652
"""Days: nobody's growth stays what it is for ten years."""
_NOTHING = "Nothing was found whose saving would be worth its effort."


def driver_section(judgement: Judgement) -> Section:
    """The three that take most, with their shares of everything."""
    if not judgement.drivers:
        return Section("Top drivers", (Sentences("There is nothing that takes room."),))
    rows = [
        (f"{place}", driver.what, driver.database, in_bytes(driver.bytes), in_percent(driver.share))
        for place, driver in enumerate(judgement.drivers[:_DRIVERS_NAMED], start=1)
    ]
    return Section("Top drivers", (grid(("", "what", "database", "size", "of everything"), rows, numbers=(3, 4)),))


def plan_section(plan: Plan) -> Section:
    """The recommended strategy, phase by phase."""
    parts: list[Part] = [Sentences(plan_sentence(plan))]
    if plan.steps:
        titles = ("phase", "step", "risk", "saves", "saves so far", "left")
        parts.append(grid(titles, list(_step_rows(plan)), numbers=range(3, len(titles))))
        titles = ("phase", "steps", "risk", "saves", "saved by then")
        rows = [_phase_row(number, phase) for number, phase in enumerate(plan.phases, start=1)]
        parts.append(grid(titles, rows, numbers=(1, 3, 4)))
    measures = tuple(f"{phase.name}: {measure}" for phase in plan.phases for measure in phase.measures)
    if measures:
        parts += [Sentences("Beside the steps:" if plan.steps else "By phase:"), Points(measures)]
    return Section("Recommended strategy", tuple(parts))


def to_do(plan: Plan) -> str:
    """The first steps of the plan by their titles, and what it comes to."""
    titles = [f"{place}. {step.opportunity.title}" for place, step in enumerate(plan.steps, start=1)]
    named = "; ".join(titles[:_STEPS_NAMED])
    more = f"; and {len(titles) - _STEPS_NAMED:,} more" if len(titles) > _STEPS_NAMED else ""
    return f"{named}{more}. {plan_sentence(plan)}" if titles else plan_sentence(plan)


def plan_sentence(plan: Plan) -> str:
    """What the plan comes to: bytes before and after, target and disk, and what helps where one is missed."""
    target = f"{'within' if plan.meets_target else 'above'} the target of {in_bytes(plan.target_bytes)}"
    disk = f"{'fits' if plan.fits_disk else 'does not fit'} the disk of {in_bytes(plan.disk_bytes)}"
    limits = f"{target} {'and' if plan.meets_target == plan.fits_disk else 'but'} {disk}"
    if not plan.steps:
        is_fine = plan.meets_target and plan.fits_disk
        nothing = "Nothing to do" if is_fine else "Nothing was found that could be done"
        return f"{nothing}: {in_bytes(plan.before_bytes)} is {limits}.{_what_helps(plan)}"
    saved = plan.before_bytes - plan.after_bytes
    share = in_percent(saved / plan.before_bytes if plan.before_bytes else 0)
    sizes = f"From {in_bytes(plan.before_bytes)} to {in_bytes(plan.after_bytes)}"
    was_so = ", as it was before" if plan.before_bytes <= min(plan.target_bytes, plan.disk_bytes) else ""
    return f"{sizes} ({share} less): that is {limits}{was_so}.{_what_helps(plan)}"


def _what_helps(plan: Plan) -> str:
    larger = [
        *(() if plan.meets_target else ("a higher target (ODDS_STORAGE_TARGET_GB)",)),
        *(() if plan.fits_disk else ("a larger disk (ODDS_DISK_GB)",)),
    ]
    return f" What helps is fewer days (of ours: ODDS_RETENTION_DAYS), or {' and '.join(larger)}." if larger else ""


def opportunity_sections(judgement: Judgement) -> Iterator[Section]:
    """All opportunities in a table, ranked by saving for effort; then each with its evidence and its statement."""
    found = judgement.opportunities
    if not found:
        yield Section("Opportunities", (Sentences(_NOTHING),))
        return
    rows = [
        (
            f"{place}",
            each.title,
            each.family,
            _saving(each.saving_bytes),
            "" if each.saving_share is None else in_percent(each.saving_share),
            each.effort,
            each.risk,
            each.loses or "nothing",
        )
        for place, each in enumerate(found, start=1)
    ]
    titles = ("", "what", "family", "saves", "of the database", "effort", "risk", "loses")
    alone = Sentences("Ranked by saving for effort. Each saving is what it would be if nothing else were done before.")
    yield Section("Opportunities", (alone, grid(titles, rows, numbers=(3, 4))))
    for place, each in enumerate(found, start=1):
        yield Section(f"{place}. {each.title}", tuple(_details(each)), depth=2)


def strategy_section(judgement: Judgement) -> Section:
    """The five strategies that are always judged (R23)."""
    if not judgement.strategies:
        return Section("Strategies", (Sentences("No strategy was judged."),))
    titles = ("strategy", "verdict", "effort", "risk", "saves")
    rows = [
        (each.name, each.verdict, each.effort, each.risk, _saving(each.saving_bytes)) for each in judgement.strategies
    ]
    reasons = tuple(
        f"{each.name}, {each.verdict}: {each.reason} Benefit: {each.benefit} Risk: {each.risk_reason}."
        for each in judgement.strategies
    )
    return Section("Strategies", (grid(titles, rows, numbers=(4,)), Points(reasons)))


def projection_section(projection: Projection) -> Section:
    """Days until target and disk are reached, and what keeping more or less history would take."""
    parts: list[Part] = [Sentences(projection_sentence(projection))]
    if projection.retention_bytes:
        rows = [(in_days(days), in_bytes(size)) for days, size in sorted(projection.retention_bytes.items())]
        parts.append(grid(("history is kept for", "everything takes in the end"), rows, numbers=(1,)))
    else:
        parts.append(
            Sentences(
                "What keeping more or fewer days would take is not known: that is told by a whole day of history, from "
                "midnight to midnight UTC, among the last 7."
            )
        )
    return Section("Projection", tuple(parts))


def projection_sentence(projection: Projection) -> str:
    """When target and disk are reached, at the growth measured."""
    if projection.bytes_a_day is None:
        return "When the disk is full cannot be told, because growth is not known yet."
    if projection.bytes_a_day <= 0:
        return "Nothing grows at present: neither target nor disk will be reached."
    target = _until(projection.days_until_target, "the size target is exceeded")
    disk = _until(projection.days_until_full, "the disk is full")
    return f"At {in_bytes(projection.bytes_a_day)} a day {target}, and {disk}."


def _until(days: float | None, what: str) -> str:
    if days is None:
        return f"it is not known when {what}"
    if days > _FAR:
        return f"{what} in more than 10 years"
    return f"{what} already" if days <= 0 else f"{what} in {in_days(days)}"


def _details(each: Opportunity) -> Iterator[Part]:
    yield Sentences(each.evidence)
    yield Points(
        (
            f"Saves {_saving(each.saving_bytes)} (basis: {each.basis}); effort: {each.effort}.",
            f"Risk {each.risk}: {each.risk_reason}",
            f"Loses: {each.loses or 'nothing'}",
        )
    )
    yield Statement(each.statement, each.is_sql)


def _step_rows(plan: Plan) -> Iterator[tuple[str, ...]]:
    saved = 0
    for number, phase in enumerate(plan.phases, start=1):
        for step in phase.steps:
            saved += step.saving_bytes
            yield (
                f"{number} {phase.name}",
                step.opportunity.title,
                step.opportunity.risk,
                in_bytes(step.saving_bytes),
                in_bytes(saved),
                in_bytes(step.left_bytes),
            )


def _phase_row(number: int, phase: Phase) -> tuple[str, ...]:
    return (
        f"{number} {phase.name}",
        f"{len(phase.steps)}",
        phase.risk,
        in_bytes(phase.saving_bytes),
        in_bytes(phase.cumulative_bytes),
    )


def _saving(saving: int | None) -> str:
    return "not measured here" if saving is None else in_bytes(saving)
