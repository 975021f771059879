"""Numbers of storage in words, wherever they are read by people: bytes, shares, counts, lengths of time.

Bytes are shown in units of 1000 with three digits, as disks are sold and as the settings have them.
"""

from __future__ import annotations

from odds_pipeline.storage.measured import RowsFrom

NOT_KNOWN = "not known"

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_ROWS_FROM: dict[RowsFrom, str] = {"counted": "counted", "statistics": "by statistics", "sampled": "by a sample"}


def in_bytes(number: float | None) -> str:
    """``0 B``, ``999 B``, ``1.23 kB``, ``63.0 GB``; negative as well; ``not known`` for None."""
    if number is None:
        return NOT_KNOWN
    size, unit = abs(number), 0
    # What would be written as 1000 of a unit is 1.00 of the next.
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    sign = "-" if number <= -0.5 else ""
    return f"{sign}{_digits(size) if unit else f'{size:.0f}'} {_UNITS[unit]}"


def in_percent(share: float | None) -> str:
    """``52.3 %`` of 0.523; what is not quite nothing or not quite all does not look it; ``not known`` for None."""
    if share is None:
        return NOT_KNOWN
    percent = 100 * share
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:,.1f} %"


def in_count(number: float | None) -> str:
    """``85,408,740``; ``not known`` for None."""
    return NOT_KNOWN if number is None else f"{number:,.0f}"


def in_rows(number: float, said_by: RowsFrom) -> str:
    """A count of rows; of a sample no more than it tells: ``≈7,500``, two digits."""
    if said_by != "sampled" or round(number) < 10:
        return in_count(number)
    beyond = len(str(round(number))) - 2
    return f"≈{in_count(round(number, -beyond))}"


def in_days(days: float | None) -> str:
    """A length of time that is given in days: ``40 minutes``, ``9 hours``, ``12 days``, ``3.4 years``."""
    if days is None:
        return NOT_KNOWN
    for unit, length, until in (("minute", 1 / 1440, 1 / 24), ("hour", 1 / 24, 2), ("day", 1, 730)):
        if days < until:
            whole = round(days / length)
            return f"{whole:,} {unit}{'' if whole == 1 else 's'}"
    years = days / 365.25
    return f"{years:,.1f} years" if years < 100 else "more than 100 years"


def rows_from(said_by: RowsFrom) -> str:
    """Who said how many rows there are: ``counted``, ``by statistics``, ``by a sample``."""
    return _ROWS_FROM[said_by]


def _digits(size: float) -> str:
    """Three digits, without losing those before the point."""
    if size < 9.995:
        return f"{size:.2f}"
    return f"{size:.1f}" if size < 99.95 else f"{size:.0f}"
