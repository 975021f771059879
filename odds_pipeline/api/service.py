"""What the API answers from: the odds read as a role that may only read, the clock, and the one way to write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from psycopg import errors

from odds_pipeline.analysis.source import OddsSource, open_source
from odds_pipeline.clock import Clock
from odds_pipeline.database import migrate
from odds_pipeline.database.engine import Database
from odds_pipeline.database.reader_role import as_reader, ensure_reader_role, own_account
from odds_pipeline.settings import Settings


class NotMigrated(Exception):
    """The database is at another revision than this version of the pipeline needs."""


@dataclass(frozen=True, slots=True)
class Service:
    """``writer``: the database as the pipeline's own account, for refreshes alone; None while those are off."""

    source: OddsSource
    writer: Database | None
    clock: Clock
    settings: Settings

    def now(self) -> datetime:
        """The pipeline's time."""
        return self.clock.now()


@contextmanager
def open_service(settings: Settings, clock: Clock) -> Iterator[Service]:
    """Reach the database, set up the role for reading unless an account is named, and close all at the end.

    With ``ODDS_READER_DATABASE_URL`` and no ``ODDS_REFRESH_TOKEN`` the pipeline's own account is not used at all.
    Raises ``NotMigrated``, ``NoReaderRole``, and what ``Database.from_settings`` and ``open_source`` do.
    """
    with ExitStack() as stack:
        reader = own_account(settings)
        writer = None
        if reader is None or settings.refresh_token is not None:
            writer = stack.enter_context(Database.from_settings(settings, application_name="odds_pipeline api"))
        if reader is None:
            assert writer is not None
            require_revision(writer)
            ensure_reader_role(writer, [settings.legacy_schema] if settings.legacy_database_url is None else [])
            reader = as_reader(writer, statement_timeout=settings.api_statement_timeout)
        else:
            require_revision(reader)
        stack.enter_context(reader)
        source = stack.enter_context(open_source(settings, reader))
        yield Service(source, writer if settings.refresh_token is not None else None, clock, settings)


def require_revision(database: Database) -> str:
    """The revision of the database, which must be the newest. Raises ``NotMigrated``."""
    with database.borrow() as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except errors.UndefinedTable:
            row = None
    needed = migrate.head()
    if row != (needed,):
        raise NotMigrated(
            f"the odds database is at revision {row[0] if row else 'none'}, this version needs {needed}; "
            "run odds-pipeline migrate"
        )
    return needed


async def _of_application(request: Request) -> Service:
    return request.app.state.service


Asked = Annotated[Service, Depends(_of_application)]
"""The parameter by which an operation is given the service."""
