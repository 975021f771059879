"""The files that Dagster keeps for a run: what its steps printed, and what they handed to one another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager


@dataclass(slots=True)
class ComputeLogs:
    """The instance's files, and how many of them went."""

    manager: ComputeLogManager
    runs: int = 0
    """Runs whose files were deleted."""
    bytes: int = 0
    """Their size, where they are in a local folder."""

    def delete(self, run_ids: Iterable[str]) -> None:
        """Delete the files of runs; none there is no error. Raises ``OSError`` for what may not be deleted."""
        for run_id in run_ids:
            # The id names a folder among those of other runs. One that could name another folder is left alone.
            if not re.fullmatch(r"\w[\w-]*", run_id):
                continue
            if isinstance(self.manager, LocalComputeLogManager):
                folder = Path(self.manager.get_captured_local_path([run_id, "any"], "out")).parent
                if not folder.exists():
                    continue
                self.bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            self.manager.delete_logs(prefix=[run_id])
            self.runs += 1
