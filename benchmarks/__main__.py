"""``python -m benchmarks [NAME ...] [--scale SCALE ...]``: each benchmark in a process of its own."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys

from . import commit
from .measure import say
from .offers import SCALES

#: In the order in which all of them run, with the scales they have then.
_BENCHMARKS = {"commit": ("M", "XL")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(_BENCHMARKS)}; default: all")
    parser.add_argument("--scale", action="append", choices=list(SCALES), help="another scale, where there is one")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - _BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names = arguments.names or list(_BENCHMARKS)
    wanted = [(name, scale) for name in names for scale in (arguments.scale or _BENCHMARKS[name])]
    if len(wanted) == 1:
        commit.run(wanted[0][1])
        return
    for name, scale in wanted:
        command = [sys.executable, "-m", "benchmarks", name, "--scale", scale]
        say(f"\n$ {shlex.join(command)}")
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
