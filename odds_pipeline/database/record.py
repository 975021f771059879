"""What the writer did: a frozen record (R10), and how it is kept in ``scrape_runs.counts``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import psycopg

from odds_pipeline.database.locks import sign_transaction


class RunGivenUp(RuntimeError):
    """The run is no longer running: a watchdog gave it up, or it failed. It may not write over newer answers (I5)."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Counts of one committed cycle. Markets, unless the name says otherwise.

    - ``observations``: good observations in the answers; ``new``, ``changed``, ``returned``, ``unavailable``: the
      changes, together ``inserted_history``; ``confirmed``: observed with the same odds; ``relabelled``: whose words
      changed (among any of these).
    - ``refused``: refused by the parser or before the write; ``late``: answers (not markets) older than what is
      stored; ``set_aside``: answers that the database refused.
    - ``changed_answers``: answers that were read and changed something in history; None where nobody counted them.
    - ``outcomes_*``: outcomes of all answers; ``guard_held``: bookmakers whose mass disappearance is not believed yet;
      ``days``: UTC days of history touched; ``seconds``: per stage.
    """

    observations: int
    new: int
    changed: int
    returned: int
    unavailable: int
    confirmed: int
    relabelled: int
    refused: int
    late: int
    set_aside: int
    upserted_current: int
    inserted_history: int
    outcomes_stored: int
    outcomes_not_offered: int
    outcomes_refused: int
    guard_held: tuple[str, ...]
    days: tuple[date, ...]
    seconds: dict[str, float] = field(compare=False)
    changed_answers: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As stored in ``scrape_runs.counts``."""
        return asdict(self) | {"days": [day.isoformat() for day in self.days], "guard_held": list(self.guard_held)}

    @classmethod
    def from_json(cls, counts: dict[str, Any]) -> WriteRecord:
        """Back from ``scrape_runs.counts``."""
        return cls(
            **counts
            | {
                "days": tuple(map(date.fromisoformat, counts["days"])),
                "guard_held": tuple(counts["guard_held"]),
            }
        )


def recorded(connection: psycopg.Connection, run_id: int) -> WriteRecord | None:
    """The record of a run that was committed before, None for one that is running and may write (locks its row).

    Makes a retry after a lost connection harmless: whether the first commit arrived is known (B-48). The transaction
    is the run's from here on, so that giving the run up ends it. Raises ``RunGivenUp`` for any other run.
    """
    sign_transaction(connection, run_id)
    row = connection.execute("SELECT status, counts FROM scrape_runs WHERE id = %s FOR UPDATE", [run_id]).fetchone()
    if row is None:
        raise RunGivenUp(f"run {run_id} does not exist")
    status, counts = row
    if status == "running":
        return None
    if counts is not None and status in ("completed", "partial", "failed"):
        return WriteRecord.from_json(counts)
    raise RunGivenUp(f"run {run_id} is {status}, not running; its answers were not written")
