"""How far the relay is behind, as a value and as metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import toril
from toril import outbox
from toril.outbox import lag
from toril.telemetry.prometheus import Metrics
from toril.telemetry.prometheus.outbox import OutboxCollector

Enqueue = Callable[..., Awaitable[list[str]]]


async def test_rows_and_age_are_told_until_the_relay_has_them(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, relay: outbox.OutboxRelay
) -> None:
    metrics = Metrics(queues=False, also=[OutboxCollector(lambda: engine, table=table, fresh=0)])
    text = str(await metrics.exposition())
    assert "toril_outbox_rows 0.0\n" in text
    assert "toril_outbox_oldest_seconds 0.0\n" in text
    await enqueue(toril.NewJob("a"), toril.NewJob("b"))
    async with engine.connect() as connection:
        first = await outbox.backlog(connection, table)
        second = await outbox.backlog(connection, table)
    assert first.rows == 2
    assert 0 < first.age < second.age < 60
    assert "toril_outbox_rows 2.0\n" in str(await metrics.exposition())
    await relay.run_once()
    async with engine.connect() as connection:
        assert await outbox.backlog(connection, table) == outbox.Backlog(0, 0.0)


async def test_counting_is_bounded(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "MOST", 3)
    await enqueue(*(toril.NewJob("a") for _ in range(5)))
    async with engine.connect() as connection:
        assert (await outbox.backlog(connection, table)).rows == 3


async def test_a_database_that_is_gone_is_told() -> None:
    gone = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    metrics = Metrics(queues=False, also=[OutboxCollector(lambda: gone)])
    text = str(await metrics.exposition())
    await gone.dispose()
    assert 'toril_exporter_up{source="outbox"} 0.0\n' in text
    assert "toril_outbox_rows" not in text
