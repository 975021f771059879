"""Reading a quoted price strictly, the same for every bookmaker.

A price of an outcome that can be bet on is more than 1 and at most 1,000,000, with at most 3 decimals (I9). Anything
else is refused with its reason, never rounded or guessed. An inactive outcome's price means nothing and is not read.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

NOT_A_NUMBER = "price_not_a_number"
MISSING = "price_missing"
TOO_LOW = "price_too_low"
TOO_HIGH = "price_too_high"
TOO_PRECISE = "price_too_precise"

_LOWEST = Decimal(1)
_HIGHEST = Decimal(1_000_000)
_THOUSANDTH = Decimal("0.001")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)


def read_price(raw: Any) -> Decimal | str:
    """The exact decimal of a quoted price (text or JSON number), or the reason why it is refused."""
    kind = raw.__class__
    if kind is str or kind is float or kind is int:
        return _read(raw)
    return MISSING if raw is None else NOT_A_NUMBER


@lru_cache(maxsize=65_536, typed=True)
def _read(raw: str | float) -> Decimal | str:
    text = repr(raw) if isinstance(raw, float) else str(raw)
    if not _NUMBER.fullmatch(text):
        return NOT_A_NUMBER
    price = Decimal(text)
    if price <= _LOWEST:
        return TOO_LOW
    if price > _HIGHEST:
        return TOO_HIGH
    exact = price.quantize(_THOUSANDTH)
    if exact != price:
        return TOO_PRECISE
    return exact.normalize() + 0
