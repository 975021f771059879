"""What the report says of the plan and of what lies ahead, in a sentence each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odds_pipeline.storage.judged import Phase, Projection, Step
from odds_pipeline.storage.report.advice import plan_sentence, projection_sentence, to_do
from odds_pipeline_tests.storage.hand_judgements import DROP, PLAN

GB = 10**9
NONE = replace(PLAN, phases=(), after_bytes=PLAN.before_bytes)


def test_to_do_names_the_first_three_steps_and_counts_the_others():
    steps = tuple(Step(replace(DROP, title=f"Do {number}"), GB, 40 * GB) for number in range(1, 6))
    told = to_do(replace(PLAN, phases=(Phase("schema", steps, (), 0, 0, "low"),)))
    assert told.startswith("1. Do 1; 2. Do 2; 3. Do 3; and 2 more. From 63.0 GB to 40.0 GB")
    assert to_do(NONE) == plan_sentence(NONE)


@pytest.mark.parametrize(
    ("target", "disk", "words", "helps"),
    [
        (70, 75, "within the target of 70.0 GB and fits the disk of 75.0 GB.", ""),
        (10, 75, "above the target of 10.0 GB but fits the disk of 75.0 GB.", "ODDS_STORAGE_TARGET_GB"),
        (70, 60, "within the target of 70.0 GB but does not fit the disk of 60.0 GB.", "ODDS_DISK_GB"),
        (10, 60, "above the target of 10.0 GB and does not fit the disk of 60.0 GB.", "ODDS_DISK_GB"),
    ],
)
def test_where_nothing_can_be_saved_what_helps_is_named(target: int, disk: int, words: str, helps: str):
    told = plan_sentence(replace(NONE, target_bytes=target * GB, disk_bytes=disk * GB))
    assert words in told
    assert ("ODDS_RETENTION_DAYS" in told) is bool(helps)
    assert helps in told


def test_what_was_within_the_target_before_is_told_to_have_been():
    assert "75.0 GB, as it was before." in plan_sentence(replace(PLAN, target_bytes=70 * GB))
    assert "as it was before" not in plan_sentence(replace(PLAN, target_bytes=50 * GB))


def test_what_lies_far_ahead_is_not_told_to_the_year():
    told = projection_sentence(Projection(5_000.0, 900.0, 1e6, None, None))
    assert (
        told == "At 1.00 MB a day the size target is exceeded in 2.5 years, and the disk is full in more than 10 years."
    )
