"""Where the data lives: what the setting says, and where to go when PostgreSQL cannot live in the project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from odds_pipeline import data_dir
from odds_pipeline.data_dir import UnusableDataDirectory, data_directory, fallback_directory, project_directory
from odds_pipeline.service_account import service_account
from odds_pipeline.settings import Settings

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which this test is about")


@pytest.fixture
def project(server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own under a directory that other accounts can enter, with its fallback beside it."""
    project = server_directory / "project"
    project.mkdir(mode=0o755)
    monkeypatch.delenv("ODDS_DATA_DIR", raising=False)
    monkeypatch.setattr(data_dir, "project_directory", lambda: project)
    monkeypatch.setattr(data_dir, "fallback_directory", lambda project: server_directory / "elsewhere" / project.name)
    return project


def test_the_project_is_this_checkout() -> None:
    assert (project_directory() / "odds_pipeline" / "data_dir.py").is_file()


def test_the_default_is_in_the_project_and_entered_but_not_listed_by_others(project: Path) -> None:
    found = data_directory(Settings())
    assert found == project / ".data"
    assert found.stat().st_mode & 0o777 == 0o711
    assert data_directory(Settings()) == found


def test_the_setting_is_followed_parents_made_and_links_resolved(server_directory: Path) -> None:
    (server_directory / "real").mkdir(mode=0o711)
    (server_directory / "link").symlink_to(server_directory / "real")
    asked = server_directory / "link" / "a" / "b"
    assert data_directory(Settings(data_dir=asked)) == server_directory / "real" / "a" / "b"


def test_a_directory_that_cannot_be_made_is_told_with_the_setting_to_change(server_directory: Path) -> None:
    (server_directory / "file").write_text("")
    with pytest.raises(UnusableDataDirectory, match="cannot be made: Not a directory; set ODDS_DATA_DIR"):
        data_directory(Settings(data_dir=server_directory / "file" / "data"))


@as_root
def test_a_closed_project_of_root_falls_back_and_is_not_opened(project: Path) -> None:
    project.chmod(0o700)
    assert data_directory(Settings()) == project.parent / "elsewhere" / "project"
    assert project.stat().st_mode & 0o777 == 0o700
    assert list(project.iterdir()) == []


@as_root
def test_the_explicit_setting_never_falls_back(project: Path) -> None:
    project.chmod(0o700)
    with pytest.raises(UnusableDataDirectory, match=r"which runs PostgreSQL for root, cannot enter it"):
        data_directory(Settings(data_dir=project / "data"))
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("place", ["project/.data", "elsewhere/project"])
def test_a_place_that_holds_a_database_is_kept(project: Path, place: str) -> None:
    held = project.parent / place
    (held / "postgres" / "cluster").mkdir(parents=True)
    (held / "postgres" / "cluster" / "PG_VERSION").write_text("18\n")
    assert data_directory(Settings()) == held


def test_each_project_has_a_fallback_of_its_own() -> None:
    one, other = fallback_directory(Path("/a/odds")), fallback_directory(Path("/b/odds"))
    assert one != other
    assert one == fallback_directory(Path("/a/odds"))
    assert one.is_absolute()


@as_root
def test_a_child_that_dies_before_it_has_looked_says_nothing_about_a_directory(
    server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process whose libraries do not survive a fork, some children end by a signal."""
    asked, died = subprocess.run, [["/bin/sh", "-c", "kill -SEGV $$"]] * 2

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        return asked(died.pop() if died else command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    account = service_account()
    assert account is not None
    assert account.can_enter(server_directory)
    assert not died
    closed = server_directory / "closed"
    closed.mkdir(mode=0o700)
    died.append(["/bin/sh", "-c", "kill -SEGV $$"])
    assert not account.can_enter(closed)
