"""Bringing a database to a revision of the schema, and proving that it is there.

The revisions are in ``migrations/`` beside the package; Alembic is configured here, without an ``alembic.ini``. A
whole upgrade is one transaction under an advisory lock: two processes that start at once migrate once, and one that
fails leaves the database as it was.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from odds_pipeline.database.models import Base, ViewBase
from odds_pipeline.database.partitions import COPY_SUFFIX

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

_LOCK = 0x6F646473_0001  # "odds", then a number per use of an advisory lock
_LOCK_TIMEOUT = "15s"
_PARTITION = re.compile(rf"^(odds_history_\d{{8}}({COPY_SUFFIX})?|odds_snapshots_\d{{6}})$")
_FUNCTIONS = frozenset(
    {
        "odds_is_unavailable",
        "odds_outcomes",
        "odds_changes",
        "odds_count",
        "odds_is_mixed",
        "odds_pack",
        "market_odds_require_snapshot",
    }
)


class MigrationFailed(Exception):
    """A migration could not be applied; the database is as it was before."""


class SchemaDrift(Exception):
    """The database says that it is migrated, but its catalogue differs from the models; the message lists how."""


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    """Whether Alembic compares this object: partitions are made by ``partitions.py``, not by a revision."""
    return not (kind == "table" and name is not None and _PARTITION.match(name))


#: How Alembic compares the models with the database, in migrations and in the proof that they were applied.
COMPARISON: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_name": _is_ours,
    "compare_server_default": True,
    "transaction_per_migration": False,
}


def head() -> str:
    """The newest revision in ``migrations/``."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None, f"no revisions in {MIGRATIONS}"
    return newest


def current(url: str | URL) -> str | None:
    """The revision of the database at ``url``; None when it was never migrated."""
    with _connect(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str | URL, revision: str = "head") -> str | None:
    """Migrate the database at ``url`` up to ``revision`` and return the revision it is at then.

    Raises ``MigrationFailed`` when the database cannot be reached, is at a revision unknown here, refuses a statement,
    or holds a table locked for longer than 15 s.
    """
    return _migrate(url, command.upgrade, revision)


def downgrade(url: str | URL, revision: str) -> str | None:
    """Migrate the database at ``url`` down to ``revision`` (``base``: from empty) and return where it is then.

    Tables that the revisions above made are dropped with their content. Raises ``MigrationFailed`` like ``upgrade``.
    """
    return _migrate(url, command.downgrade, revision)


def upgrade_sql(revision: str = "head") -> str:
    """The SQL that takes an empty database to ``revision``."""
    script = StringIO()
    config = _config()
    config.output_buffer = script
    command.upgrade(config, revision, sql=True)
    return script.getvalue()


def verify(url: str | URL) -> None:
    """Prove from the catalogue that every migration was applied, not only recorded (B-51).

    Raises ``SchemaDrift`` naming everything that ``differences`` finds.
    """
    with _connect(url) as connection:
        found = differences(connection)
    if found:
        raise SchemaDrift("the database differs from the models: " + "; ".join(found))


def differences(connection: Connection) -> list[str]:
    """Each revision, table, column, index or constraint that differs from the models, each view or function missing."""
    context = MigrationContext.configure(connection, opts=COMPARISON)
    revision = context.get_current_revision()
    found = [] if revision == head() else [f"revision {revision}, expected {head()}"]
    found += [str(difference) for difference in compare_metadata(context, Base.metadata)]
    inspector = inspect(connection)
    views = set(inspector.get_view_names())
    for view in ViewBase.metadata.sorted_tables:
        expected = [column.name for column in view.columns]
        actual = [column["name"] for column in inspector.get_columns(view.name)] if view.name in views else None
        if actual != expected:
            found.append(f"view {view.name}: expected columns {expected}, found {actual}")
    functions = connection.execute(
        text("SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace")
    )
    missing = _FUNCTIONS - set(functions.scalars())
    return found + [f"function {name} is missing" for name in sorted(missing)]


def _config() -> Config:
    if not (MIGRATIONS / "env.py").is_file():
        raise MigrationFailed(f"no migrations at {MIGRATIONS}: run from a checkout of the project")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _connect(url: str | URL) -> Connection:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool).connect()


def _migrate(url: str | URL, step: Any, revision: str) -> str | None:
    config = _config()
    try:
        with _connect(url) as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
            config.attributes["connection"] = connection
            step(config, revision)
            return MigrationContext.configure(connection).get_current_revision()
    except (CommandError, SQLAlchemyError) as error:
        raise MigrationFailed(f"migration to {revision} failed: {error}") from error
