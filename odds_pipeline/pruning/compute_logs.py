"""The files that Dagster keeps for a run: what its steps printed, and what they handed to one another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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

    left: list[str] = field(default_factory=list)
    """Runs whose files may not be deleted, and why, in words."""

    def delete(self, run_id: str) -> bool:
        """Delete the files of a run; none there is as good. False when they may not be deleted."""
        # The id names a folder among those of other runs. One that could name another folder is left alone.
        if not re.fullmatch(r"\w[\w-]*", run_id):
            return True
        try:
            size = 0
            if isinstance(self.manager, LocalComputeLogManager):
                folder = Path(self.manager.get_captured_local_path([run_id, "any"], "out")).parent
                if not folder.exists():
                    return True
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            self.manager.delete_logs(prefix=[run_id])
        except (OSError, ValueError) as refusal:  # the latter is what Dagster says of a link that leads elsewhere
            self.left.append(f"files of the run {run_id}: {refusal}")
            return False
        self.runs += 1
        self.bytes += size
        return True
