"""The running API against its own OpenAPI document: schemathesis, every check in every phase."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from odds_pipeline_tests.api.asking import TOKEN, Api

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 4
"""Requests that are made up for each operation, beside those that the document's bounds call for."""


def test_schemathesis_finds_nothing(api: Api, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "--no-color"]
    options = ["--checks", "all", "--max-examples", str(EXAMPLES), "-H", f"Authorization: Bearer {TOKEN}"]
    done = subprocess.run(
        [*command, "run", f"{api.url}/openapi.json", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 selected / 16 total" in done.stdout
    assert api.get("/health").status_code == 200
