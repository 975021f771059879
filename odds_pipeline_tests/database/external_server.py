"""A PostgreSQL as others run it: reached by TCP, with passwords."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline_tests.database.servers import TEST_SETTINGS, directory_for_a_server


@contextmanager
def external_server(password: str) -> Iterator[int]:
    """The TCP port of a server without databases of ours, and the roles ``owner`` (makes databases) and ``plain``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with directory_for_a_server() as directory:
        rules = directory / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        rules.chmod(0o644)
        overrides = {"listen_addresses": "127.0.0.1", "port": str(port), "hba_file": str(rules)}
        with EmbeddedServer.ensure(directory, overrides={**TEST_SETTINGS, **overrides}) as server:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute("DROP DATABASE odds")
                connection.execute("DROP DATABASE dagster")
                for role in ("owner CREATEDB CREATEROLE", "plain"):
                    command = sql.SQL("CREATE ROLE " + role + " LOGIN PASSWORD {}")  # pyright: ignore[reportArgumentType]
                    connection.execute(command.format(password))
            yield port
