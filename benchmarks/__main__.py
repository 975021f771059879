"""``python -m benchmarks [NAME ...] [--scale SCALE ...] [--keep DIR] ...``: each in a process of its own."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from . import commit, cycle, days, earlier, growth, legacy, own_storage, peers, profile, pruning, questions, storage
from .measure import say
from .offers import SCALES

#: In the order in which all of them run, with the scales they have then (none: it has no scale).
_BENCHMARKS: dict[str, tuple[str, ...]] = {
    "commit": ("M", "XL", "1M"),
    "cycle": (),
    "days": (),
    "earlier": (),
    "growth": (),
    "legacy": (),
    "own_storage": (),
    "peers": ("M", "1M"),
    "profile": (),
    "pruning": (),
    "questions": (),
    "storage": ("S", "M", "L", "XL"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(_BENCHMARKS)}; default: all")
    parser.add_argument("--scale", action="append", choices=list(SCALES), help="another scale, where there is one")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="of one alone: where its database is, or is to stay")
    parser.add_argument("--quick", action="store_true", help="of growth: stop at a tenth of the largest sizes")
    parser.add_argument("--report", action="store_true", help="of earlier: print the profile's report and nothing else")
    parser.add_argument("--cycles", type=int, default=own_storage.CYCLES, help="of own_storage: how many it runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - _BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names = arguments.names or list(_BENCHMARKS)
    if arguments.report:
        if names != ["earlier"]:
            parser.error("--report is for earlier alone")
        earlier.say_report(arguments.keep)
        return
    if len(names) == 1:
        _run(names[0], arguments)
        return
    if arguments.keep:
        parser.error("--keep is for one benchmark: name it")
    scales = [f"--scale={scale}" for scale in arguments.scale or ()]
    for name in names:
        command = [sys.executable, "-m", "benchmarks", name, *scales, *(("--quick",) if arguments.quick else ())]
        say(f"\n$ {shlex.join(command)}")
        subprocess.run(command, check=True)


def _run(name: str, arguments: argparse.Namespace) -> None:
    scales = arguments.scale or _BENCHMARKS[name]
    match name:
        case "commit":
            commit.run(scales)
        case "storage":
            for scale in scales:
                storage.run(scale)
        case "days":
            days.run()
        case "earlier":
            earlier.run(arguments.keep)
        case "growth":
            growth.run(quick=arguments.quick)
        case "legacy":
            legacy.run()
        case "own_storage":
            own_storage.run(arguments.keep, arguments.cycles)
        case "peers":
            peers.run(scales)
        case "pruning":
            pruning.run()
        case "profile":
            profile.run(arguments.keep)
        case "questions":
            questions.run(arguments.keep)
        case _:
            cycle.run()


if __name__ == "__main__":
    main()
