"""The files that Dagster keeps for a run: what its steps printed, and what they handed to one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

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
            # The id is the name of a folder: anything else would delete another one.
            prefix = [str(UUID(run_id))]
            if isinstance(self.manager, LocalComputeLogManager):
                folder = Path(self.manager.get_captured_local_path([*prefix, "any"], "out")).parent
                if not folder.exists():
                    continue
                self.bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            self.manager.delete_logs(prefix=prefix)
            self.runs += 1
