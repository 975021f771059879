"""Making the databases that are missing on a server."""

from __future__ import annotations

import psycopg
from psycopg import errors, sql


class CannotCreateDatabase(Exception):
    """The database is missing and we may not make it; the message says what an administrator has to run."""


def create_if_missing(connection: psycopg.Connection, name: str) -> bool:
    """Make the database ``name`` unless it exists; whether it was made.

    ``connection``: to any other database of the server, in autocommit. Raises ``CannotCreateDatabase``.
    """
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
        return False
    try:
        command = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
        connection.execute(command.format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return False  # another process made it between the question and the command
    except errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise CannotCreateDatabase(
            f"the database {name!r} is missing on {connection.info.host or 'the server'} and {user!r} may not make it; "
            f'an administrator must run: CREATE DATABASE "{name}" OWNER "{user}" ENCODING \'UTF8\' TEMPLATE template0;'
        ) from error
    return True
