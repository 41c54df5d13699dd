"""The base class of all tables, the column type of times, and the form in which free text is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Boolean, CheckConstraint, Dialect, Float, MetaData, String
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A UTC time, stored as ISO 8601 text of fixed width: it sorts, and is the same in every database."""

    impl = String(24)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else iso(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


def iso(moment: datetime) -> str:
    """`2026-01-31T09:30:00.000Z`, the form in which moments are stored, compared and exported."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> datetime:
    return datetime.now(UTC)


def storable(words: str, longest: int) -> str:
    """Free text without characters that databases refuse: null characters, and lone surrogates (half an emoji), which
    JSON can hold. Cut off after `longest` characters."""
    return words.encode("utf-8", "ignore").decode().replace("\0", "").strip()[:longest]


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {
        datetime: Moment,
        dict[str, Any]: JSON(none_as_null=True),
        bool: Boolean,
        float: Float,
    }
    metadata = MetaData(  # every constraint has a name, so that a later migration can change it in any database
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """A constraint: the column holds one of these words. The migrations state the same list."""
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)
