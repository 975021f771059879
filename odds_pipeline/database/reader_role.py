"""The role that may only read: what the HTTP API's sessions run as, so that PostgreSQL itself refuses every write.

``odds_reader`` cannot log in; sessions of the pipeline's own account take it on as they connect. Whoever has an account
for reading names it by ``ODDS_READER_DATABASE_URL`` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg import errors, sql

from odds_pipeline.database.engine import Database, parse_url
from odds_pipeline.settings import Settings

READER = "odds_reader"

_LOCK = 0x6F646473_0006  # "odds", then a number per use of an advisory lock
_SET_OPTION_VERSION = 160000
"""From PostgreSQL 16 on a member of a role may not be allowed to take it on."""


class NoReaderRole(Exception):
    """The role for reading is missing or lacks a right, and we may not change that; the message has what to run."""


def own_account(settings: Settings) -> Database | None:
    """The odds database as the account of ``ODDS_READER_DATABASE_URL``; None when that is not set.

    Raises ``DatabaseUnusable`` for a URL that is none.
    """
    if settings.reader_database_url is None:
        return None
    url = settings.reader_database_url.get_secret_value()
    account = Database(parse_url(url, setting="ODDS_READER_DATABASE_URL"))
    return _reading(account, [], statement_timeout=settings.api_statement_timeout)


def as_reader(database: Database, *, statement_timeout: timedelta) -> Database:
    """The same database as ``odds_reader``, which must be there (``ensure_reader_role``)."""
    return _reading(database, [f"role={READER}"], statement_timeout=statement_timeout)


def ensure_reader_role(database: Database, schemas: Sequence[str] = ()) -> None:
    """Make ``odds_reader`` and let it read every table and view that this account reads, also those made later.

    In the schema of our tables and in ``schemas``, those left out that do not exist. What another account makes later
    stays closed to it. Where everything is in place nothing is done, and no right is needed. Raises ``NoReaderRole``.
    """
    with database.connect() as connection:
        # Two that start at once would trip over each other's changes of the same rows of the catalogue.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        missing = _missing(connection, schemas)
        try:
            for command in missing:
                connection.execute(command)
        except errors.InsufficientPrivilege as error:
            wanted = " ".join(command.as_string(connection) + ";" for command in missing)
            raise NoReaderRole(
                f"{connection.info.user} may not set up the role {READER} ({str(error).partition(chr(10))[0]}); an "
                f"administrator must run, in the database {connection.info.dbname}: {wanted} "
                "Or name an account that may read by ODDS_READER_DATABASE_URL"
            ) from None


def _reading(database: Database, options: list[str], *, statement_timeout: timedelta) -> Database:
    given = database.url.query.get("options", "")
    texts = [given] if isinstance(given, str) else list(given)
    milliseconds = max(1, round(statement_timeout.total_seconds() * 1000))
    for option in (*options, "default_transaction_read_only=on", f"statement_timeout={milliseconds}"):
        texts.append(f"-c {option}")
    query = {**database.url.query, "options": " ".join(texts).strip()}
    return Database(database.url.set(query=query), application_name="odds_pipeline api")


def _missing(connection: psycopg.Connection, schemas: Sequence[str]) -> list[sql.Composed]:
    """The commands that are still to be run, in their order."""
    reader, account = sql.Identifier(READER), sql.Identifier(connection.info.user)
    commands: list[sql.Composed] = []
    found = connection.execute("SELECT oid FROM pg_roles WHERE rolname = %s", [READER]).fetchone()
    role = found and found[0]  # as null, every question below about its rights has the answer no

    def holds(question: LiteralString, *parameters: object) -> bool:
        row = connection.execute(f"SELECT coalesce(({question}), false)", parameters).fetchone()
        return row is not None and row[0]

    if role is None:
        commands.append(sql.SQL("CREATE ROLE {} NOLOGIN").format(reader))
    mode = "SET" if connection.info.server_version >= _SET_OPTION_VERSION else "MEMBER"
    if not holds("pg_has_role(%s::oid, %s)", role, mode):
        commands.append(sql.SQL("GRANT {} TO {}").format(reader, account))
    for (schema,) in connection.execute(_EXISTING, [list(schemas)]).fetchall():
        name = sql.Identifier(schema)
        if not holds("has_schema_privilege(%s::oid, %s, 'USAGE')", role, schema):
            commands.append(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(name, reader))
        closed = [sql.Identifier(schema, table) for (table,) in connection.execute(_CLOSED, [schema, role]).fetchall()]
        if closed:
            commands.append(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.SQL(", ").join(closed), reader))
        if not holds(_LATER_READABLE, schema, role):
            later = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT SELECT ON TABLES TO {}")
            commands.append(later.format(account, name, reader))
    return commands


_EXISTING = "SELECT nspname FROM pg_namespace WHERE nspname = ANY (ARRAY[current_schema()::text] || %s::text[])"

_CLOSED = """
    SELECT relname FROM pg_class
    WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
      AND has_table_privilege(oid, 'SELECT') AND has_table_privilege(%s::oid, oid, 'SELECT') IS NOT TRUE
    ORDER BY relname
"""

_LATER_READABLE = """
    SELECT true FROM pg_default_acl AS given, aclexplode(given.defaclacl) AS right_given
    WHERE given.defaclrole = current_user::regrole AND given.defaclobjtype = 'r'
      AND given.defaclnamespace = %s::regnamespace
      AND right_given.grantee = %s::oid AND right_given.privilege_type = 'SELECT'
"""
