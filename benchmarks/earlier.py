"""Advice on the earlier system, carried out: what the profile says of two gigabytes, and what doing so really saved.

A database in the first generation's shape (``earlier_data.py``) is profiled and judged. The drivers must agree with
exact sums and the plan must be the expected one; then every opportunity is carried out on a copy of its own, and the
plan step by step on another. A saving that was reckoned wrongly fails the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import psycopg

from odds_pipeline.database.engine import Database
from odds_pipeline.settings import Settings
from odds_pipeline.storage.judged import Judgement
from odds_pipeline.storage.judging import judge
from odds_pipeline.storage.measured import StorageProfile
from odds_pipeline.storage.profile import foreign_profile
from odds_pipeline.storage.reporting import report
from odds_pipeline_tests.storage.carrying_out import (
    SAME_SHARE,
    CarriedOut,
    carry_out_each,
    carry_out_plan,
    exact_bytes,
    require_the_expected_plan,
)

from .earlier_data import NOW, earlier_database
from .measure import say
from .scratch import scratch_directory

LEAST_BYTES = 2_000_000_000


def run(keep: Path | None = None) -> None:
    """Make the database, or use the one that is kept at ``keep``; profile it, judge it, carry the advice out."""
    with nullcontext(keep) if keep else scratch_directory() as directory, earlier_database(directory) as url:
        profile, judgement = _judged(url)
        say(f"{profile.total_bytes / 1e9:.2f} GB, profiled in {profile.databases[0].seconds:.1f} s")
        assert profile.total_bytes >= LEAST_BYTES, profile.total_bytes
        _say_drivers(url, judgement, profile)
        require_the_expected_plan(judgement)
        far = _say_savings("each alone", carry_out_each(url, judgement.opportunities))
        far += _say_savings("the plan, step by step", carry_out_plan(url, judgement.plan))
        assert not far, far


def say_report(keep: Path | None = None) -> None:
    """Print what the profile says of the database, in Markdown."""
    with nullcontext(keep) if keep else scratch_directory() as directory, earlier_database(directory) as url:
        say(report(*_judged(url), (), style="markdown"))


def _judged(url: str) -> tuple[StorageProfile, Judgement]:
    with Database(url, application_name="benchmark") as database:
        profile = foreign_profile(database, schema="public", now=NOW)
    return profile, judge(profile, Settings())


def _say_drivers(url: str, judgement: Judgement, profile: StorageProfile) -> None:
    say(f"\n{'driver':44}{'MB':>10}{'exactly':>10}{'share':>8}")
    with psycopg.connect(url) as connection:
        for driver in judgement.drivers[:4]:
            exact = exact_bytes(connection, driver)
            say(f"{driver.what:44}{driver.bytes / 1e6:10.1f}{exact / 1e6:10.1f}{driver.share:8.1%}")
            share = exact / profile.total_bytes
            assert abs(driver.share - share) <= SAME_SHARE * share, (driver, exact)


def _say_savings(title: str, carried_out: Iterable[CarriedOut]) -> list[CarriedOut]:
    """Print each as it comes; return those whose estimate was too far off."""
    say(f"\n{title:60}{'estimated':>12}{'saved':>10}{'ratio':>8}   (MB)")
    far: list[CarriedOut] = []
    for each in carried_out:
        say(f"{each.id:60}{each.estimated / 1e6:12.1f}{each.measured / 1e6:10.1f}{each.ratio:8.2f}")
        far += [] if each.is_near else [each]
    return far
