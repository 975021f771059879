"""Places for archives: a folder, and a bucket of an S3 server on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from moto.server import ThreadedMotoServer

ACCESS_KEY, SECRET_KEY = "AKIAODDSTESTS", "not-for-messages"


class S3:
    """A server of the S3 protocol on this machine, with one bucket; it takes any credentials."""

    BUCKET = "odds"

    def __init__(self, port: int) -> None:
        self.port = port

    def make_bucket(self) -> None:
        httpx.put(f"http://127.0.0.1:{self.port}/{self.BUCKET}", timeout=60).raise_for_status()

    def url(self, prefix: str, *, bucket: str = BUCKET) -> str:
        """The URL of an archive in the bucket, with credentials."""
        place = f"s3://{ACCESS_KEY}:{SECRET_KEY}@{bucket}/{prefix}"
        return f"{place}?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 server for the tests of this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    s3 = S3(server.get_host_and_port()[1])
    s3.make_bucket()
    yield s3
    server.stop()


@pytest.fixture(params=["folder", "object store"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a test's own archive may be: every test that takes this runs with a folder and with an object store."""
    if request.param == "folder":
        return str(tmp_path / "the archive")
    server: S3 = request.getfixturevalue("s3")
    return server.url(f"{uuid4().hex}/the%20archive")
