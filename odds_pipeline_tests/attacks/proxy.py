"""A way to PostgreSQL over TCP on loopback that breaks off where it is told to, in the middle of a message if need be.

It reads the messages of PostgreSQL's protocol as they pass: a type byte, a length, and what belongs to it.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

_COPY_DATA, _QUERIES = b"d", (b"Q", b"P")
_COMMIT = b"COMMIT"


class Where(StrEnum):
    """In the middle of what a connection is cut."""

    COPY_IN = "rows on their way to the server"
    COPY_OUT = "rows on their way back"
    BEFORE_COMMIT = "COMMIT, which does not arrive"
    AFTER_COMMIT = "COMMIT, which arrives; its answer does not"


@dataclass(frozen=True)
class Cut:
    """``at``: bytes that still pass, of the rows or of the answer to COMMIT. ``times``: for so many connections."""

    where: Where
    at: int
    times: int = 1


class CuttingProxy:
    """As a context manager; ``url`` leads through it to the server whose own URL it was given."""

    def __init__(self, url: str) -> None:
        whole = make_url(url)
        host, port = whole.query["host"], whole.query["port"]
        assert isinstance(host, str)
        self._server = str(Path(host) / f".s.PGSQL.{port}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        address = whole.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})
        # Without a question for encryption first, whose answer is no message.
        self.url = address.update_query_dict({"sslmode": "disable", "gssencmode": "disable"}).render_as_string(
            hide_password=False
        )
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._left = 0
        self.cuts = 0
        """How many connections were cut since the last ``arm``."""
        self.copied = {Where.COPY_IN: 0, Where.COPY_OUT: 0}
        """Bytes of rows that passed since the last ``arm``."""

    def arm(self, cut: Cut | None) -> None:
        """What to do from now on; None: nothing."""
        with self._lock:
            self._cut, self._left = cut, cut.times if cut else 0
            self.cuts = 0
            self.copied = dict.fromkeys(self.copied, 0)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                _Connection(self, client, server)

    def rows_passed(self, where: Where, size: int) -> int | None:
        """Count bytes of rows that are about to pass; how many of them may, None: all."""
        with self._lock:
            before = self.copied[where]
            self.copied[where] += size
            if self._cut is None or self._cut.where is not where or not self._left or before + size <= self._cut.at:
                return None
            self._left, self.cuts = self._left - 1, self.cuts + 1
            return max(0, self._cut.at - before)

    def commit_passed(self) -> Cut | None:
        """What to do with a COMMIT that is about to pass, if anything."""
        with self._lock:
            if self._cut is None or self._cut.where not in (Where.BEFORE_COMMIT, Where.AFTER_COMMIT) or not self._left:
                return None
            self._left, self.cuts = self._left - 1, self.cuts + 1
            return self._cut


class _Connection:
    """Two sockets, and a thread for each direction."""

    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._has_sent_rows = False
        #: Bytes of the next answer that may pass before the connection is cut.
        self._answer_left: int | None = None
        self._ended = threading.Barrier(2)
        for pump in (self._to_server, self._to_client):
            threading.Thread(target=self._until_closed, args=[pump], daemon=True).start()

    def _until_closed(self, pump: Callable[[], None]) -> None:
        with suppress(OSError):
            pump()
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ended.wait()
        for end in (self._client, self._server):
            end.close()

    def _to_server(self) -> None:
        for message in _messages(self._client, has_start=True):
            if message[:1] == _COPY_DATA:
                self._has_sent_rows = True
                passing = self._proxy.rows_passed(Where.COPY_IN, len(message))
                self._server.sendall(message[:passing])
                if passing is not None:
                    return
            elif message[:1] in _QUERIES and _COMMIT in message[5:14] and self._has_sent_rows:
                self._has_sent_rows = False
                cut = self._proxy.commit_passed()
                if cut is not None and cut.where is Where.BEFORE_COMMIT:
                    return
                self._answer_left = None if cut is None else cut.at
                self._server.sendall(message)
            else:
                self._server.sendall(message)

    def _to_client(self) -> None:
        for message in _messages(self._server, has_start=False):
            passing = self._answer_left
            if passing is not None:
                self._answer_left = max(0, passing - len(message))
                passing = passing if passing < len(message) else None
            elif message[:1] == _COPY_DATA:
                passing = self._proxy.rows_passed(Where.COPY_OUT, len(message))
            self._client.sendall(message[:passing])
            if passing is not None:
                return


def _messages(end: socket.socket, *, has_start: bool) -> Iterator[bytes]:
    """Whole messages, until the other side closes. ``has_start``: the first one, a client's, has no type."""
    pending = b""
    header = 0 if has_start else 1
    while received := end.recv(1 << 16):
        pending += received
        while len(pending) >= header + 4:
            length = header + struct.unpack_from(">I", pending, header)[0]
            if len(pending) < length:
                break
            yield pending[:length]
            pending, header = pending[length:], 1
