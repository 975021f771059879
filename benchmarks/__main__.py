"""``python -m benchmarks [NAME ...] [--scale SCALE ...] [--keep DIR] ...``: each in a process of its own."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from . import commit, cycle, days, earlier, legacy, own_storage, profile, pruning, questions, storage
from .measure import say
from .offers import SCALES

#: In the order in which all of them run, with the scales they have then (none: it has no scale).
_BENCHMARKS: dict[str, tuple[str, ...]] = {
    "commit": ("M", "XL"),
    "cycle": (),
    "days": (),
    "earlier": (),
    "legacy": (),
    "own_storage": (),
    "profile": (),
    "pruning": (),
    "questions": (),
    "storage": ("S", "M", "L"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(_BENCHMARKS)}; default: all")
    parser.add_argument("--scale", action="append", choices=list(SCALES), help="another scale, where there is one")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="of one alone: where its database is, or is to stay")
    parser.add_argument("--report", action="store_true", help="of earlier: print the profile's report and nothing else")
    parser.add_argument("--cycles", type=int, default=own_storage.CYCLES, help="of own_storage: how many it runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - _BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    runs = [
        (name, scale)
        for name in arguments.names or _BENCHMARKS
        for scale in (_BENCHMARKS[name] and (arguments.scale or _BENCHMARKS[name])) or (None,)
    ]
    if arguments.report:
        if arguments.names != ["earlier"]:
            parser.error("--report is for earlier alone")
        earlier.say_report(arguments.keep)
        return
    if len(runs) == 1:
        _run(*runs[0], arguments.keep, arguments.cycles)
        return
    if arguments.keep:
        parser.error("--keep is for one benchmark: name it, and one scale")
    for name, scale in runs:
        command = [sys.executable, "-m", "benchmarks", name, *(("--scale", scale) if scale else ())]
        say(f"\n$ {shlex.join(command)}")
        subprocess.run(command, check=True)


def _run(name: str, scale: str | None, keep: Path | None, cycles: int) -> None:
    match name, scale:
        case "commit", str():
            commit.run(scale)
        case "storage", str():
            storage.run(scale)
        case "days", _:
            days.run()
        case "earlier", _:
            earlier.run(keep)
        case "legacy", _:
            legacy.run()
        case "own_storage", _:
            own_storage.run(keep, cycles)
        case "pruning", _:
            pruning.run()
        case "profile", _:
            profile.run(keep)
        case "questions", _:
            questions.run(keep)
        case _:
            cycle.run()


if __name__ == "__main__":
    main()
