"""Recognisable secrets in every setting, and the search for them in all that the pipeline leaves behind."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

#: One for each setting that may hold a secret, so that what is found says where it is from.
SECRETS: Mapping[str, str] = {
    name: f"TopSecret{number}{name.title()}"
    for number, name in enumerate(
        ("database", "wrong", "dagster", "reader", "legacy", "storage", "token", "proxy", "address", "parameter")
    )
}


def environment(port: int, *, archive_url: str) -> dict[str, str]:
    """Settings of an ordinary pipeline, a secret in each that takes one."""
    server = f"127.0.0.1:{port}"
    return {
        "ODDS_DATABASE_URL": f"postgresql://owner:{SECRETS['database']}@{server}/odds",
        "ODDS_DAGSTER_DATABASE_URL": f"postgresql://owner@{server}/dagster?password={SECRETS['database']}",
        "ODDS_READER_DATABASE_URL": f"postgresql://reader:{SECRETS['reader']}@{server}/odds",
        "ODDS_LEGACY_DATABASE_URL": f"postgresql://legacy:{SECRETS['legacy']}@{server}/odds",
        "ODDS_ARCHIVE_URL": archive_url,
        "ODDS_REFRESH_TOKEN": SECRETS["token"],
        "HTTPS_PROXY": f"http://somebody:{SECRETS['proxy']}@127.0.0.1:1",
        "AWS_SECRET_ACCESS_KEY": SECRETS["storage"],
    }


def object_store(address: str) -> str:
    """The URL of an archive in a bucket, with credentials."""
    return f"s3://key:{SECRETS['storage']}@odds/secrets?endpoint_override={address}&scheme=http&region=us-east-1"


def found_in(texts: Mapping[str, bytes]) -> dict[str, str]:
    """Which texts give which secret away, in any spelling that a program may turn it into."""
    spellings = {
        spelling: name
        for name, secret in SECRETS.items()
        for spelling in (
            secret.encode(),
            quote(secret, safe="").encode(),
            secret.encode().hex().encode(),
            *(base64.b64encode(f"{user}{secret}".encode())[4:-4] for user in ("", "somebody:", "owner:", "key:")),
        )
    }
    return {place: name for place, text in texts.items() for spelling, name in spellings.items() if spelling in text}


def databases(port: int) -> Iterator[tuple[str, bytes]]:
    """Everything in the odds database and in Dagster's, table by table; what is compressed there is unpacked."""
    for database in ("odds", "dagster"):
        url = f"postgresql://owner:{SECRETS['database']}@127.0.0.1:{port}/{database}"
        with psycopg.connect(url) as connection:
            tables = connection.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            ).fetchall()
            for (table,) in tables:
                statement = sql.SQL("SELECT * FROM {}").format(sql.SQL(table))
                rows = connection.execute(statement, binary=False).fetchall()
                yield f"{database}: {table}", b"\n".join(_bytes(value) for row in rows for value in row)


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        try:
            return zlib.decompress(value)
        except zlib.error:
            return value
    return str(value).encode()
