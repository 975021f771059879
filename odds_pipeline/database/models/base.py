"""What all models share: the metadata with its naming convention, column types, and the base of views.

Tables hang on ``Base.metadata``, which Alembic compares with the database. Views hang on a metadata of their own:
their SQL is in the migrations, and nothing must ever try to create them as tables.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Numeric, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

#: A line or handicap: exact, at most three decimals.
Line = Annotated[Decimal, mapped_column(Numeric(10, 3))]
#: A key that PostgreSQL generates and the ORM reads back.
IntegerKey = Annotated[int, mapped_column(Identity(), primary_key=True)]
BigKey = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
BigInt = Annotated[int, mapped_column(BigInteger)]
#: Set by the database when the row is inserted.
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]

_COLUMN_TYPES = {
    datetime: DateTime(timezone=True),
    str: Text(),
    dict[str, Any]: JSONB(none_as_null=True),
    list[str]: JSONB(none_as_null=True),
    list[dict[str, Any]]: JSONB(none_as_null=True),
}


class Base(DeclarativeBase):
    """Base of every table's class."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = _COLUMN_TYPES


class ViewBase(DeclarativeBase):
    """Base of the classes mapped on views: to be selected from, never added to a session."""

    metadata = MetaData()
    type_annotation_map = _COLUMN_TYPES
