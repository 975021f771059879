"""Where the two databases are, and connections to the odds database.

``DatabaseUrls`` says where, from the settings: the embedded server, started on demand, or one named by
``ODDS_DATABASE_URL``. ``Database`` connects: psycopg for transactions and COPY, SQLAlchemy for the models, ADBC for
reading large frames. Every session is in UTC (B-36) and names itself in ``pg_stat_activity``.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psycopg
from psycopg import errors, sql
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from odds_pipeline.data_dir import data_directory
from odds_pipeline.database.create import create_if_missing
from odds_pipeline.database.embedded import EmbeddedServer
from odds_pipeline.settings import Settings

OLDEST_VERSION = 15
"""Major version of PostgreSQL that the schema needs (NULLS NOT DISTINCT)."""

_CONNECT_TIMEOUT_S = 10
_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"})


class DatabaseUnusable(Exception):
    """A database cannot be reached or used; the message says what, where and what to do, without any password."""


@dataclass(frozen=True)
class DatabaseUrls:
    """The URLs of both databases. Their ``repr`` and ``str`` mask the password; ``libpq`` and ``dagster`` reveal it."""

    odds: URL
    dagster_database: URL

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Find the server of the settings, start it if it is the embedded one, and make what is missing.

        The embedded server then runs until this process ends (see ``embedded.py``). Raises ``DatabaseUnusable`` for an
        external server that does not answer, is too old or lacks a database that we may not make, and
        ``EmbeddedServerError`` and ``UnusableDataDirectory`` for the embedded one.
        """
        if settings.database_url is not None:
            odds = parse_url(settings.database_url.get_secret_value(), setting="ODDS_DATABASE_URL")
            make_database(odds)
            default = odds.set(database="dagster")
        else:
            server = _embedded_server(data_directory(settings))
            odds, default = (make_url(server.url(name)) for name in ("odds", "dagster"))
        if settings.dagster_database_url is not None:
            default = parse_url(settings.dagster_database_url.get_secret_value(), setting="ODDS_DAGSTER_DATABASE_URL")
        if settings.database_url is not None or settings.dagster_database_url is not None:
            make_database(default)
        return cls(odds, default)

    @property
    def libpq(self) -> str:
        """The odds database for libpq, psycopg and ADBC. Contains the password."""
        return libpq_url(self.odds)

    @property
    def dagster(self) -> str:
        """Dagster's database for its ``postgres_url``. Contains the password.

        A bare ``postgresql://`` would mean psycopg 3 to SQLAlchemy 2.1, which dagster-postgres does not work with.
        Dagster takes its times for UTC, and has the server say when a run was created: in the session's time zone.
        """
        url = self.dagster_database.set(drivername="postgresql+psycopg2")
        return url.update_query_dict({"options": _in_utc(url)}).render_as_string(hide_password=False)


class Database:
    """Connections to one odds database. Cheap to make: nothing is connected before it is asked for.

    As a context manager it closes the connections that it keeps.
    """

    def __init__(self, url: str | URL, *, application_name: str = "odds_pipeline") -> None:
        self.url = make_url(url) if isinstance(url, URL) else parse_url(url, setting="the database's URL")
        self._application_name = application_name
        # libpq would send it after our own options, and the session would speak of local times and days.
        os.environ.pop("PGTZ", None)
        # Kept, because ADBC reads the whole catalogue of types when it connects, which takes 30 to 60 ms.
        self._reader: adbc.Connection | None = None
        self._reading = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, *, application_name: str = "odds_pipeline") -> Self:
        """The odds database of the settings; raises what ``DatabaseUrls.from_settings`` does."""
        return cls(DatabaseUrls.from_settings(settings).odds, application_name=application_name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"  # the URL's own repr masks its password

    @property
    def libpq(self) -> str:
        """The URL with the session's settings for libpq, psycopg and ADBC. Contains the password."""
        query = {
            "connect_timeout": str(_CONNECT_TIMEOUT_S),
            **self.url.query,
            "application_name": self._application_name,
            "options": _in_utc(self.url),
        }
        return libpq_url(self.url.set(query=query))

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection:
        """A new psycopg connection; as a context manager it commits (or rolls back after an error) and closes.

        Raises ``psycopg.OperationalError`` when the server does not answer.
        """
        return psycopg.connect(self.libpq, autocommit=autocommit)

    @contextmanager
    def borrow(self) -> Iterator[psycopg.Connection]:
        """Like ``connect``, with a connection out of the engine's pool: for short work that comes again and again.

        A session's own state (temporary tables, prepared statements) may be left from an earlier use. Raises
        ``psycopg.OperationalError`` when the server does not answer.
        """
        try:
            lent = self.engine.raw_connection()
        except DBAPIError as error:
            raise error.orig or error from None
        try:
            connection = lent.driver_connection
            assert isinstance(connection, psycopg.Connection)
            try:
                yield connection
                connection.commit()
            finally:
                # An interruption may have left a query under way, behind which nothing can be rolled back.
                if connection.broken or connection.info.transaction_status is TransactionStatus.ACTIVE:
                    lent.invalidate()
        finally:
            lent.close()  # rolls back what was not committed

    @cached_property
    def engine(self) -> Engine:
        """A SQLAlchemy engine on psycopg, whose pool checks each connection before it is lent."""
        url = make_url(self.libpq).set(drivername="postgresql+psycopg")
        return create_engine(url, pool_pre_ping=True)

    def read_frame(self, query: str | sql.Composed, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
        """The rows of one query as a frame, read in Arrow batches over a connection for reading alone.

        Placeholders are ``$1``, ``$2``, ...; parameters are Python scalars or lists of them. Without parameters the
        rows come by COPY, which is faster: for many rows, compose the values into the query. ``numeric`` and ``jsonb``
        arrive as text, exactly as PostgreSQL writes them (cast to the decimal that is wanted); ``interval`` and arrays
        of ``numeric`` have no frame type: cast them in the query. Raises the ``psycopg.Error`` that psycopg would.
        """
        if isinstance(query, sql.Composed):
            query = query.as_string()
        with self._reading:
            is_reused = self._reader is not None
            try:
                frame = self._read(query, parameters)
            except psycopg.OperationalError as error:
                # A connection that was kept may have died since; a read does no harm twice. One that took too long
                # would again.
                if not is_reused or isinstance(error, errors.QueryCanceled):
                    raise
                frame = self._read(query, parameters)
        extensions = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Extension)]
        return frame.with_columns(pl.col(name).ext.storage() for name in extensions)

    def _read(self, query: str, parameters: Sequence[Any] | None) -> pl.DataFrame:
        try:
            if self._reader is None:
                self._reader = adbc.connect(self.libpq, autocommit=True)
                self._end_reader = weakref.finalize(self, _close, self._reader)
            with self._reader.cursor() as cursor:
                cursor.execute(query, tuple(parameters) if parameters else None)
                return pl.DataFrame(cursor.fetch_arrow_table())
        except adbc.Error as error:
            self._close_reader()
            raise _psycopg_error(error, self.url) from None

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._end_reader()
            self._reader = None

    def dispose(self) -> None:
        """Close the connections that are kept; they open again when they are needed."""
        with self._reading:
            self._close_reader()
        if "engine" in self.__dict__:
            self.engine.dispose()


def _close(reader: adbc.Connection) -> None:
    with suppress(adbc.Error):
        reader.close()


def parse_url(text: str, *, setting: str) -> URL:
    """Read a PostgreSQL URL. Raises ``DatabaseUnusable`` naming ``setting``, never the URL, when it is not one."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUnusable(
            f"{setting} is not a URL; it has the form postgresql://user:password@host:5432/odds"
        ) from None
    if url.drivername not in _SCHEMES:
        raise DatabaseUnusable(f"{setting} has the scheme {url.drivername!r}; only postgresql:// is supported")
    if not url.database:
        raise DatabaseUnusable(f"{setting} names no database; add one, as in postgresql://user@host:5432/odds")
    if "sslpassword" in url.query:
        raise DatabaseUnusable(f"{setting} has an sslpassword in it, which messages would show; give a key without one")
    # libpq takes a password there, too, where nobody who prints a URL would mask it.
    if (password := url.query.get("password")) is not None:
        given = password if isinstance(password, str) else password[-1]
        url = url.set(password=given).difference_update_query(["password"])
    return url.set(drivername="postgresql")


def _in_utc(url: URL) -> str:
    """What a session of ``url`` is asked for: the options that the URL names, and times in UTC."""
    options = url.query.get("options", "")
    given = options if isinstance(options, str) else " ".join(options)
    return f"{given} -c TimeZone=UTC".strip()


def libpq_url(url: URL) -> str:
    """The URL as libpq reads it, password included."""
    # Not SQLAlchemy's own rendering, which writes a space as "+": libpq takes that literally.
    password = "" if url.password is None else f":{quote(str(url.password), safe='')}"
    user = "" if url.username is None else f"{quote(url.username, safe='')}{password}@"
    host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
    port = "" if url.port is None else f":{url.port}"
    query = urlencode(
        [(name, value) for name, values in url.normalized_query.items() for value in values], quote_via=quote
    )
    return f"postgresql://{user}{host}{port}/{quote(url.database or '', safe='')}{query and '?' + query}"


def make_database(url: URL) -> None:
    """Make the database that ``url`` names unless it is there, and check that its server is recent enough.

    Raises ``DatabaseUnusable``, and ``CannotCreateDatabase`` saying what to run.
    """
    problem = _problem(url)
    # A failed connection carries no SQLSTATE, so whether only the database is missing is found out by asking.
    if problem is not None and not isinstance(problem, errors.ConnectionTimeout):
        for maintenance in (url.set(database="postgres"), url.set(database="template1")):
            if _problem(maintenance) is None:
                with _connect(maintenance) as connection:
                    create_if_missing(connection, str(url.database))
                problem = _problem(url)
                break
    if problem is not None:
        raise DatabaseUnusable(
            f"PostgreSQL at {url.render_as_string()} cannot be used: {_masked(problem, url)}; is it running, and are "
            f"host, port, user and password right?"
        ) from None


def _connect(url: URL) -> psycopg.Connection:
    return psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)


def _problem(url: URL) -> psycopg.OperationalError | None:
    """Why no connection can be had; None when it can, to a server that is recent enough."""
    try:
        with _connect(url) as connection:
            major = connection.info.server_version // 10000
    except psycopg.OperationalError as error:
        return error
    if major < OLDEST_VERSION:
        raise DatabaseUnusable(
            f"{url.render_as_string()} is PostgreSQL {major}; version {OLDEST_VERSION} or newer is needed"
        )
    return None


def _psycopg_error(error: adbc.Error, url: URL) -> psycopg.Error:
    """The error of the same meaning in psycopg's hierarchy, so that callers tell errors apart in one way."""
    try:
        kind = errors.lookup(error.sqlstate or "")
    except KeyError:
        kind = psycopg.OperationalError if isinstance(error, adbc.OperationalError) else psycopg.DatabaseError
    # ADBC repeats the whole query, values and all.
    return kind(_masked(error, url).partition(" Query was: ")[0])


def _masked(error: Exception, url: URL) -> str:
    text = " ".join(str(error).split())
    return text.replace(str(url.password), "***") if url.password else text


_embedded_servers: dict[Path, EmbeddedServer] = {}
_embedded_servers_lock = threading.Lock()


def _embedded_server(directory: Path) -> EmbeddedServer:
    """This process's use of the server of ``directory``: one, kept until the process ends."""
    with _embedded_servers_lock:
        server = _embedded_servers.get(directory)
        if server is None or not server.health().is_serving:
            server = _embedded_servers[directory] = EmbeddedServer.ensure(directory)
        return server
