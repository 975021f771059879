"""How time and memory grow: with the observations of a cycle, and with the history that is there already.

Observations grow by events, 500 markets each, 5 % of them changed; every size has a database of its own, and the
measured cycles a process of their own. History grows by days under an offer that stays as it is (75,000 markets). The
exponent is the power of the size with which a figure grows: 1 is a straight line, 0 is no growth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .growth_cycles import Cycles, first_cycle, measured_cycles
from .growth_history import STAGES, Grown, grow
from .measure import exponent, say
from .offers import SCALES
from .scratch import scratch_database, scratch_directory
from .writing import settle

_OBSERVATIONS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
_QUICK_OBSERVATIONS = _OBSERVATIONS[:4]
_LARGE = 100_000
"""From so many observations on, what a cycle costs whatever it holds no longer counts."""


def run(*, quick: bool) -> None:
    """Measure both and print a table of each. ``quick``: up to 300,000 observations and 10 million changes."""
    _observations(_QUICK_OBSERVATIONS if quick else _OBSERVATIONS)
    _history(STAGES[:-1] if quick else STAGES)


def _observations(sizes: Sequence[int]) -> None:
    measured: list[Cycles] = []
    firsts: list[float] = []
    for size in sizes:
        scale = SCALES["1M"].resized(size)
        with scratch_directory() as directory, scratch_database(directory) as database:
            url = database.url.render_as_string(hide_password=False)
            firsts.append(first_cycle(url, directory, scale).seconds)
            settle(database)
            measured.append(measured_cycles(url, directory, scale, range(1, 4)))
        say(f"{size:,} observations: first cycle {firsts[-1]:.2f} s, then {measured[-1]}")
    large = [place for place, size in enumerate(sizes) if size >= _LARGE]

    def row(name: str, values: Sequence[float], form: str) -> str:
        """A row of the table, with the exponents over all and over the large sizes."""
        of_large = exponent([sizes[place] for place in large], [values[place] for place in large])
        cells = " | ".join(format(value, form) for value in values)
        return f"| {name} | {cells} | {exponent(sizes, values):.2f} | {of_large:.2f} |"

    rows = (
        row("write, s", [one.seconds for one in measured], ".3f"),
        row("of which this process computes, s", [one.computing for one in measured], ".3f"),
        row("first cycle, s", firsts, ".2f"),
        row("peak memory, MB", [one.peak_mb for one in measured], ",.0f"),
        row("WAL, MB", [one.wal_mb for one in measured], ".2f"),
    )
    header = " | ".join(f"{size:,}" for size in sizes)
    say(f"\n| observations | {header} | exponent | from {_LARGE:,} on |\n|---|{'---|' * (len(sizes) + 2)}")
    say("\n".join(rows))


def _history(stages: Sequence[int]) -> None:
    grown = grow(stages)
    sizes = [one.changes for one in grown]

    def row(name: str, value: Callable[[Grown], float], form: str) -> str:
        values = [value(one) for one in grown]
        return f"| {name} | {' | '.join(format(each, form) for each in values)} | {exponent(sizes, values):.2f} |"

    rows = (
        row("days", lambda one: one.days, ",.0f"),
        row("MB of history", lambda one: one.history_mb, ",.0f"),
        row("bytes a change, heap and indexes", lambda one: one.history_mb * 1e6 / one.changes, ".1f"),
        row("a cycle's write, s", lambda one: one.cycles.seconds, ".3f"),
        row("its peak memory, MB", lambda one: one.cycles.peak_mb, ",.0f"),
        *(
            row(f"{question}, ms", lambda one, question=question: one.milliseconds[question], ".1f")
            for question in grown[0].milliseconds
        ),
    )
    say(f"\n| changes in history | {' | '.join(f'{size:,}' for size in sizes)} | exponent |")
    say(f"|---|{'---|' * (len(sizes) + 1)}")
    say("\n".join(rows))
