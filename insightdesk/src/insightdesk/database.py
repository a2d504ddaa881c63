"""PostgreSQL: the engine, the session, and one transaction a request or job."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import DateTime, Enum, ForeignKey, MetaData, Text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from insightdesk import tenancy
from insightdesk.settings import get_settings

CONNECT_TIMEOUT = 3
"""Seconds to wait for the server before a request is told that the database is gone."""


class Base(DeclarativeBase):
    """All tables of the helpdesk; constraints have names that migrations can refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), str: Text()}  # noqa: RUF012 - SQLAlchemy's own


def new_id() -> str:
    """A UUID of version 7 as text: rows made later sort later."""
    return _version_7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


def first_id(moment: datetime) -> str:
    """The lowest id that a row made at this moment may have; all that are made later have higher ones."""
    return _version_7(int(moment.timestamp() * 1000), 0)


def _version_7(milliseconds: int, rest: int) -> str:
    value = (milliseconds << 80) | rest
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(UUID(int=value))


class Identified:
    """A row with an id of its own."""

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)


class Owned(Identified):
    """A row that belongs to an organization and never leaves it."""

    @declared_attr
    def organization_id(cls) -> Mapped[str]:
        return mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))


def text_enum(kind: type[StrEnum], name: str) -> Enum:
    """A text column that holds only the values of ``kind``."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=lambda members: [member.value for member in members],
    )


def sqlalchemy_url(url: str) -> str:
    """``postgres://`` and ``postgresql://`` with the driver that we use."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}"


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end of the block, rolled back on an exception.

        It reaches what the running request or job may reach; see ``insightdesk.tenancy``.
        """
        async with self._sessions() as session, session.begin():
            await tenancy.restrict(session)
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """A session that only reads, and sees one moment however long it takes; it reaches what
        ``transaction`` does."""
        async with self._sessions() as session, session.begin():
            await session.connection(
                execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            )
            await tenancy.restrict(session)
            yield session

    async def close(self) -> None:
        """Give the connections back to the server."""
        await self.engine.dispose()


_databases: WeakKeyDictionary[asyncio.AbstractEventLoop, Database] = WeakKeyDictionary()


def database() -> Database:
    """The database of this process's settings; connections belong to the event loop that made them."""
    loop = asyncio.get_running_loop()
    if loop not in _databases:
        _databases[loop] = Database(get_settings().database_url)
    return _databases[loop]


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncSession]:
    """One transaction on the process's database: a job's or a request's."""
    async with database().transaction() as session:
        yield session


async def close_database() -> None:
    """Close what this event loop opened; call it before the loop ends."""
    opened = _databases.pop(asyncio.get_running_loop(), None)
    if opened is not None:
        await opened.close()
