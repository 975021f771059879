"""What was imported from earlier systems, and what of it is not to be trusted."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from odds_pipeline.database.models.base import Base, BigInt


class ImportedDay(Base):
    """One UTC day of one earlier system, as it was imported; what it counts is in docs/data-dictionary.md."""

    __tablename__ = "imported_days"
    __table_args__ = (PrimaryKeyConstraint("source", "day"),)

    source: Mapped[str]
    day: Mapped[date]
    run_id: Mapped[int] = mapped_column(index=True)
    rows_read: Mapped[BigInt]
    changes: Mapped[BigInt]
    untrusted: Mapped[BigInt]
    refused: Mapped[BigInt]
    superseded: Mapped[BigInt]
    left_out: Mapped[BigInt]
    imported_at: Mapped[datetime]


class UntrustedSpan(Base):
    """A time (``until`` excluded) in which a market's history rows carry a known fault of the system they are from."""

    __tablename__ = "untrusted_spans"
    __table_args__ = (PrimaryKeyConstraint("market_id", "since"), CheckConstraint("since < until", name="is_a_span"))

    market_id: Mapped[int] = mapped_column(ForeignKey("markets.id", ondelete="CASCADE"), autoincrement=False)
    since: Mapped[datetime]
    until: Mapped[datetime]
    reason: Mapped[str]
