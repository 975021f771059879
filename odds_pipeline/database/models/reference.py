"""Reference tables: sports, bookmakers, tournaments, events, and each bookmaker's listings of events."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, PrimaryKeyConstraint, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Base, CreatedAt, IntegerKey


class Sport(Base):
    """A sport; football is there from the first migration."""

    __tablename__ = "sports"

    id: Mapped[IntegerKey]
    name: Mapped[str] = mapped_column(unique=True)
    slug: Mapped[str] = mapped_column(unique=True)


class Bookmaker(Base):
    """A source of odds."""

    __tablename__ = "bookmakers"

    id: Mapped[IntegerKey]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    base_url: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    last_discovery_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Tournament(Base):
    """A competition; two of one name in different countries are two (B-30)."""

    __tablename__ = "tournaments"
    __table_args__ = (UniqueConstraint("sport_id", "name", "country"),)

    id: Mapped[IntegerKey]
    sport_id: Mapped[int] = mapped_column(ForeignKey("sports.id"))
    name: Mapped[str]
    country: Mapped[str]


class Event(Base):
    """One football match, whoever offers it. Identity: its SportRadar id; else the bookmaker's own event."""

    __tablename__ = "events"

    id: Mapped[IntegerKey]
    tournament_id: Mapped[int] = mapped_column(ForeignKey("tournaments.id"), index=True)
    name: Mapped[str]
    home_team: Mapped[str]
    away_team: Mapped[str]
    kickoff: Mapped[datetime | None] = mapped_column(index=True)
    sportradar_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]


class EventKickoff(Base):
    """A kick-off that was known of an event, from ``known_since`` until the next row of the event."""

    __tablename__ = "event_kickoffs"
    __table_args__ = (PrimaryKeyConstraint("event_id", "known_since"),)

    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), autoincrement=False)
    known_since: Mapped[datetime]
    kickoff: Mapped[datetime | None]


class EventBookmaker(Base):
    """One bookmaker's listing of an event (the *bookmaker event*): the key of all odds.

    A bookmaker may list one match twice; one listing is primary, the other is stored and left out of the views. That
    there is never a second primary is checked when the transaction commits, so that the primary can be moved freely
    within it.
    """

    __tablename__ = "event_bookmakers"
    __table_args__ = (
        UniqueConstraint("bookmaker_id", "external_event_id"),
        ExcludeConstraint(
            ("event_id", "="),
            ("bookmaker_id", "="),
            using="btree",
            where=text("is_primary"),
            deferrable=True,
            initially="DEFERRED",
            name="ex_event_bookmakers_one_primary",
        ),
    )

    id: Mapped[IntegerKey]
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), index=True)
    bookmaker_id: Mapped[int] = mapped_column(ForeignKey("bookmakers.id"))
    external_event_id: Mapped[str]
    sportradar_id: Mapped[str | None] = mapped_column(index=True)
    kickoff: Mapped[datetime | None]
    home_team: Mapped[str]
    away_team: Mapped[str]
    tournament_id: Mapped[int] = mapped_column(ForeignKey("tournaments.id"), index=True)
    event_url: Mapped[str | None]
    is_primary: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[CreatedAt]


class SecondaryListing(Base):
    """A listing that was not primary when its event was cleaned up: its archived rows stay out of answers.

    Those of markets up to ``last_market_id``: a listing that takes the same id later has markets of its own.
    """

    __tablename__ = "secondary_listings"
    __table_args__ = (PrimaryKeyConstraint("bookmaker_id", "external_event_id"),)

    bookmaker_id: Mapped[int] = mapped_column(ForeignKey("bookmakers.id"), autoincrement=False)
    external_event_id: Mapped[str]
    last_market_id: Mapped[int]


class ListingState(Base):
    """How fresh a listing is: narrow, updated in place every cycle (HOT), nothing indexed but the key."""

    __tablename__ = "listing_state"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    event_bookmaker_id: Mapped[int] = mapped_column(
        ForeignKey("event_bookmakers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    last_answer_at: Mapped[datetime | None]
    last_confirmed_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    unlisted_at: Mapped[datetime | None]
    failed_answers: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    first_confirmed_at: Mapped[datetime | None]
