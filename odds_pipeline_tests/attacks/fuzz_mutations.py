"""Spoiling an answer: the members of its JSON dropped, doubled, renamed or replaced, and its bytes cut and changed.

What an answer is about is not known here; ``fuzz_answers.py`` chooses the answers.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

LONG = 1_000_000
"""Characters of the longest text that takes another's place."""

_HOSTILE_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\u202egnirts desrever",
    "\ufeff",
    "😀" * 90,
    "é" * 1_001,
    "x" * 300,
    "'; DROP TABLE odds_history; --",
    "{0.__class__}%s%(a)s$$\\",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "a=b|a=c",
    "total=2.5|total=3",
    "hcp=1:0",
    "total=9999999",
    "2999999.5",
    "S_OU@3000000_O",
    "\x1e\x1f\x7f\x85\u2028",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e9",
    "1e400",
    "-2.5",
    "1.85001",
    "1,85",
    "٣.٥",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2030-02-30T12:00:00Z",
    "2030-03-02 15:00:00",
    "1970-01-01 00:00:00",
)
_HOSTILE_NUMBERS = (
    0,
    -1,
    1,
    -0.0,
    1.0,
    1.85001,
    2.3456,
    1e-7,
    1e308,
    1_000_000.001,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    float("nan"),
    float("inf"),
    253402300800000,
    -(10**15),
)
_HOSTILE_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], {"": None}, [{}], [1, "a"])

Place = tuple[Any, Any]
"""A list or object, and the index or key of one of its members."""


class Pairs(dict[str, Any]):
    """An object of which some keys stand twice; it is not spoilt any further."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs

    def __deepcopy__(self, memo: dict[int, Any]) -> Pairs:
        return Pairs(copy.deepcopy(self._pairs, memo))


def mutated(document: Any, chance: Random) -> bytes:
    """The document as bytes, spoilt in one to three ways; ``document`` itself stays whole."""
    spoilt = copy.deepcopy(document)
    if chance.random() < 0.8:
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            spoilt = _with_a_member_spoilt(spoilt, chance)
        return written(spoilt)
    return chance.choice(_OF_BYTES)(written(spoilt), chance)


def written(document: Any) -> bytes:
    """JSON as a careless program writes it: lone surrogates and NaN included."""
    return json.dumps(document).encode()


def places(document: Any) -> Iterator[Place]:
    """Every member of every object and list, outermost first."""
    pending = [document]
    while pending:
        owner = pending.pop()
        members: Any = owner.items() if isinstance(owner, dict) else enumerate(owner)
        for key, member in list(members):
            yield owner, key
            if isinstance(member, (dict, list)) and not isinstance(member, Pairs):
                pending.append(member)


def _with_a_member_spoilt(document: Any, chance: Random) -> Any:
    found = list(places(document))
    if not found:
        return document
    owner, key = chance.choice(found)
    chance.choice(_OF_MEMBERS)(owner, key, chance)
    return document


def _drop(owner: Any, key: Any, chance: Random) -> None:
    del owner[key]


def _rename(owner: Any, key: Any, chance: Random) -> None:
    if isinstance(owner, dict):
        owner[chance.choice((f"{key}New", key.swapcase(), f" {key}", *_HOSTILE_TEXTS))] = owner.pop(key)


def _repeat(owner: Any, key: Any, chance: Random) -> None:
    if isinstance(owner, list):
        owner.insert(chance.randint(0, len(owner)), copy.deepcopy(owner[key]))
    elif isinstance(owner, dict):
        again = chance.choice((owner[key], _hostile(chance)))
        owner[key] = Pairs([("twice", owner[key]), ("twice", again)])


def _replace(owner: Any, key: Any, chance: Random) -> None:
    owner[key] = _hostile(chance)


def _retype(owner: Any, key: Any, chance: Random) -> None:
    member = owner[key]
    if isinstance(member, (dict, list)):
        owner[key] = list(member.values()) if isinstance(member, dict) else {str(n): m for n, m in enumerate(member)}
    else:
        owner[key] = chance.choice((str(member), [member], {"value": member}, bool(member)))


def _nudge(owner: Any, key: Any, chance: Random) -> None:
    member = owner[key]
    if isinstance(member, str):
        at = chance.randint(0, len(member))
        owner[key] = member[:at] + chance.choice(("", "\0", "'", '"', "|", "=", "@", "_", "5", ".", "-")) + member[at:]
    elif isinstance(member, (int, float)) and not isinstance(member, bool):
        owner[key] = chance.choice((-member, member * 1000, member / 3, member + 0.0005))


def _take_anothers(owner: Any, key: Any, chance: Random) -> None:
    """What stands elsewhere in the same list or object: two outcomes of one id, two markets of one line."""
    keys = list(owner) if isinstance(owner, dict) else range(len(owner))
    owner[key] = copy.deepcopy(owner[chance.choice(keys)])


def _empty(owner: Any, key: Any, chance: Random) -> None:
    for kind in (dict, list, str):
        if isinstance(owner[key], kind):
            owner[key] = kind()


def _bury(owner: Any, key: Any, chance: Random) -> None:
    for _ in range(chance.choice((1, 10, 200))):
        owner[key] = [owner[key]]


def _hostile(chance: Random) -> Any:
    if chance.random() < 0.003:
        return chance.choice("x\0é\\") * LONG
    return copy.deepcopy(chance.choice(chance.choice((_HOSTILE_TEXTS, _HOSTILE_NUMBERS, _HOSTILE_OTHERS))))


_OF_MEMBERS: tuple[Callable[[Any, Any, Random], None], ...] = (
    _drop,
    _rename,
    _repeat,
    _replace,
    _replace,
    _replace,
    _retype,
    _nudge,
    _nudge,
    _take_anothers,
    _empty,
    _bury,
)


def _truncated(body: bytes, chance: Random) -> bytes:
    return body[: chance.randrange(len(body))]


def _flipped(body: bytes, chance: Random) -> bytes:
    spoilt = bytearray(body)
    for _ in range(chance.choice((1, 1, 2, 8))):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    return bytes(spoilt)


def _cut_out(body: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(body))
    return body[:start] + body[start + chance.choice((1, 2, 10, 200)) :]


def _said_twice(body: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(body))
    end = start + chance.choice((1, 2, 10, 200))
    return body[:end] + body[start:]


def _digit_changed(body: bytes, chance: Random) -> bytes:
    """Still JSON: only a digit is another, or has become many."""
    digits = [place for place, byte in enumerate(body) if 0x30 <= byte <= 0x39]
    if not digits:
        return body
    place = chance.choice(digits)
    return (
        body[:place] + chance.choice((b"7", b"0", b"9" * 30, b"9" * 5_000, b"-1", b"1.5", b"1e9")) + body[place + 1 :]
    )


def _encoded(body: bytes, chance: Random) -> bytes:
    encoding = chance.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"))
    return body.decode().encode(encoding)


def _within_a_text(body: bytes, chance: Random) -> bytes:
    """Bytes in the middle of a JSON string that are no UTF-8, or no character that JSON allows."""
    quotes = [place for place, byte in enumerate(body) if byte == 0x22]
    if not quotes:
        return body
    place = chance.choice(quotes) + 1
    inserted = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\n", b"\\u0000", b"\\ud83d", b"\\", b"\xf0\x9f\x98\x80")
    return body[:place] + chance.choice(inserted) + body[place:]


def _something_else(body: bytes, chance: Random) -> bytes:
    return chance.choice(
        (
            b"",
            b"   ",
            b"null",
            b"[]",
            b"{}",
            b"0",
            b'"text"',
            b"<!doctype html><html></html>",
            b"[" * 100_000,
            b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
            gzip.compress(body),
            body + body,
            body + b"\0",
            b"\x0a\x05\x08\x01",
        )
    )


_OF_BYTES: tuple[Callable[[bytes, Random], bytes], ...] = (
    _truncated,
    _flipped,
    _cut_out,
    _said_twice,
    _digit_changed,
    _digit_changed,
    _encoded,
    _within_a_text,
    _within_a_text,
    _something_else,
)
