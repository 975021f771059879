"""Three layers, imports only downwards; the core does no I/O; nothing below the Dagster layer knows Dagster."""

from __future__ import annotations

from pathlib import Path

from importlinter.cli import lint_imports


def test_imports_go_downwards_only() -> None:
    """The contracts are in ``pyproject.toml``; what breaks one is printed."""
    project = Path(__file__).resolve().parent.parent
    assert lint_imports(config_filename=str(project / "pyproject.toml"), no_cache=True) == 0
