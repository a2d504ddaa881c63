"""The outbox beside anybody's models: their own declarative base, sync and async sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import toril
from toril import outbox


class Shop:
    """An application's models, made anew for each test."""

    def __init__(self, name: str) -> None:
        class Base(DeclarativeBase):
            pass

        class Order(Base):
            __tablename__ = f"orders_{name}"

            id: Mapped[int] = mapped_column(primary_key=True)
            item: Mapped[str]

        self.base = Base
        self.order = Order
        self.outbox = outbox.outbox_table(Base.metadata, f"outbox_{name}")


@pytest.fixture
async def shop(engine: AsyncEngine, queue_name: str) -> AsyncIterator[Shop]:
    made = Shop(queue_name[-8:])
    async with engine.begin() as connection:
        await connection.run_sync(made.base.metadata.create_all)
    yield made
    async with engine.begin() as connection:
        await connection.run_sync(made.base.metadata.drop_all)


def ship(order_id: int) -> toril.NewJob:
    return toril.NewJob("ship", {"orderId": order_id})


async def relayed(engine: AsyncEngine, shop: Shop, queue: toril.Queue) -> list[int]:
    relay = outbox.OutboxRelay(engine, url=queue.url, table=shop.outbox)
    await relay.run_once()
    await relay.close()
    jobs = await queue.get_jobs(toril.JobState.WAITING, ascending=True)
    return [job.data["orderId"] for job in jobs]


async def test_an_async_session_adds_rows_and_jobs_together(
    engine: AsyncEngine, shop: Shop, queue: toril.Queue
) -> None:
    for item, commits in (("bull", True), ("bear", False)):
        async with AsyncSession(engine) as session:
            order = shop.order(item=item)
            session.add(order)
            await session.flush()
            await outbox.enqueue(session, queue.name, ship(order.id), table=shop.outbox)
            await (session.commit() if commits else session.rollback())
    assert await relayed(engine, shop, queue) == [1]


async def test_a_plain_session_does_too(
    engine: AsyncEngine, database_url: str, shop: Shop, queue: toril.Queue
) -> None:
    def work() -> list[str]:
        plain = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
        with Session(plain) as session, session.begin():
            order = shop.order(item="bull")
            session.add(order)
            session.flush()
            ids = outbox.enqueue_sync(session, queue.name, ship(order.id), ship(70), table=shop.outbox)
        with Session(plain) as session:
            outbox.enqueue_sync(session, queue.name, ship(8), table=shop.outbox)
            session.rollback()
        with plain.begin() as connection:
            ids += outbox.enqueue_sync(connection, queue.name, ship(9), table=shop.outbox)
            assert outbox.enqueue_sync(connection, queue.name, table=shop.outbox) == []
        plain.dispose()
        return ids

    ids = await asyncio.to_thread(work)
    assert await relayed(engine, shop, queue) == [1, 70, 9]
    assert [job.id for job in await queue.get_jobs(toril.JobState.WAITING, ascending=True)] == ids


async def test_a_running_relay_hears_of_a_plain_commit(
    engine: AsyncEngine, database_url: str, shop: Shop, queue: toril.Queue
) -> None:
    relay = outbox.OutboxRelay(engine, url=queue.url, table=shop.outbox, interval=60.0)
    running = asyncio.create_task(relay.run())
    plain = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))

    def write() -> None:
        with plain.begin() as connection:
            outbox.enqueue_sync(connection, queue.name, ship(1), table=shop.outbox)

    async with asyncio.timeout(20):
        while not (await queue.get_job_counts())["waiting"]:
            await asyncio.to_thread(write)
            await asyncio.sleep(0.1)
    relay.stop()
    await running
    plain.dispose()
