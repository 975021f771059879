"""An earlier system as the source of an import: where it is, what it has, and which days.

It is only read. Reading one day is in ``reading.py``, what the rows mean in ``changes.py``.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Self

from psycopg import sql

from odds_pipeline.database.engine import Database, DatabaseUrls, parse_url
from odds_pipeline.days.earlier_system import source_in_place
from odds_pipeline.legacy.markets_apart import MarketsApart
from odds_pipeline.legacy.snapshots import Snapshots
from odds_pipeline.legacy.tables import COMPETITOR_MARKET_ODDS, MARKET_ODDS, EarlierSystemMissing, Tables
from odds_pipeline.settings import Settings


class LegacySource:
    """An earlier system's tables in one schema of one database, which is never written to.

    ``is_ours``: the database is the odds database itself. As a context manager it closes its connections.
    """

    def __init__(self, database: Database, schema: str = "public", *, is_ours: bool = False) -> None:
        options = database.url.query.get("options", "")
        given = options if isinstance(options, str) else " ".join(options)
        read_only = {**database.url.query, "options": f"{given} -c default_transaction_read_only=on".strip()}
        self.database = Database(database.url.set(query=read_only), application_name="odds_pipeline legacy")
        self.schema = schema
        self._is_ours = is_ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.dispose()

    @classmethod
    def from_settings(cls, settings: Settings, ours: Database | None = None) -> Self:
        """The earlier system of the settings: a database of its own, or its tables in ours.

        ``ours``: the odds database, in whose name its tables are then read.

        Raises ``DatabaseUnusable`` for a URL that is none, and what ``DatabaseUrls.from_settings`` does.
        """
        if settings.legacy_database_url is None:
            ours = ours or Database(DatabaseUrls.from_settings(settings).odds)
            return cls(ours, settings.legacy_schema, is_ours=True)
        url = parse_url(settings.legacy_database_url.get_secret_value(), setting="ODDS_LEGACY_DATABASE_URL")
        return cls(Database(url), settings.legacy_schema)

    @property
    def name(self) -> str:
        """Which earlier system this is, without any password: host, database and schema."""
        if self._is_ours:
            return source_in_place(self.schema)
        url = self.database.url
        return f"{url.host or 'local'}{f':{url.port}' if url.port else ''}/{url.database}/{self.schema}"

    @cached_property
    def tables(self) -> Tables:
        """What the schema has. Raises ``psycopg.OperationalError`` when the database does not answer."""
        return Tables.of(self.database, self.schema)

    def look_again(self) -> None:
        """Forget which tables there are: they may have come or gone since they were looked for."""
        for remembered in ("tables", "snapshots", "markets_apart"):
            self.__dict__.pop(remembered, None)

    def require_tables(self) -> None:
        """Raise ``EarlierSystemMissing`` when no table of either generation can be read."""
        if not self.tables.readable:
            raise EarlierSystemMissing(
                f"no earlier system in {self.name}: "
                + (self.tables.unreadable() or "none of its tables of odds is there (views do not count)")
                + "; ODDS_LEGACY_DATABASE_URL and ODDS_LEGACY_SCHEMA say where it is"
            )

    def days(self) -> list[date]:
        """The UTC days with odds, oldest first; empty when there is no earlier system or it holds nothing."""
        queries = [snapshots.days_query() for snapshots in self.snapshots] + self.markets_apart.days_queries()
        if not queries:
            return []
        frame = self.database.read_frame(sql.SQL(" UNION ").join(queries))
        return sorted(frame["day"])

    @cached_property
    def snapshots(self) -> tuple[Snapshots, ...]:
        """The snapshot tables that can be read."""
        readable = self.tables.readable
        return tuple(
            Snapshots(self.database, self.tables, table)
            for table in (MARKET_ODDS, COMPETITOR_MARKET_ODDS)
            if table in readable
        )

    @cached_property
    def markets_apart(self) -> MarketsApart:
        """The tables of single markets."""
        return MarketsApart(self.database, self.tables)
