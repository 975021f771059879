"""Gzip bodies made cheaply: level 1, and a tail that many answers share is compressed once.

More than half of a Bet9ja answer is the same metadata and translations for every match. A deflate stream may be put
together from parts compressed apart as long as each part ends on a full flush, so only the head is compressed anew.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_LEVEL = 1
# No name, no time stamp, unknown system: the same content gives the same bytes everywhere (RFC 1952).
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True)
class SharedTail:
    """The end of a body, as it is and as the end of a raw deflate stream."""

    content: bytes
    deflated: bytes


def shared_tail(content: bytes) -> SharedTail:
    """Compress ``content`` once, for use at the end of many bodies."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return SharedTail(content, compressor.compress(content) + compressor.flush())


_EMPTY = shared_tail(b"")


def gzip_body(head: bytes, tail: SharedTail = _EMPTY) -> bytes:
    """The gzip file (RFC 1952) of ``head`` followed by ``tail``."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(head) + compressor.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(tail.content, zlib.crc32(head))
    size = (len(head) + len(tail.content)) & 0xFFFFFFFF
    return b"".join((_HEADER, deflated, tail.deflated, struct.pack("<II", checksum, size)))
