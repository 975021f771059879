"""URLs of archives: which are folders, and how one is shown without the credentials in it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

_SHOWN = frozenset({"", "endpoint_override", "region", "scheme"})
"""Parameters that hold no secret."""


def without_credentials(url: str) -> str:
    """The URL with what stands before an @, and every parameter that may be a secret, masked."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    # A secret may hold any character but an @ in front of the host, a question mark included.
    account, at, rest = rest.rpartition("@")
    account = "***@" if at else ""
    place, mark, query = rest.partition("?")
    parameters = [
        each if name in _SHOWN else f"{name}=***" for each in query.split("&") for name in [each.partition("=")[0]]
    ]
    return f"{scheme}://{account}{place}{mark}{'&'.join(parameters)}"


def folder_of(url: str) -> Path | None:
    """The folder that a URL or a path means, None for an object store."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    return None if "://" in url else Path(url).expanduser().absolute()
