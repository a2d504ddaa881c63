"""Telemetry harms no job: what another client has written wrongly runs with it as it does without."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider

import toril
from toril.telemetry.logs import JobLogs
from toril.telemetry.prometheus import Metrics
from toril.telemetry.sentry import SentryReports
from toril.telemetry.tracing import Tracing

BROKEN = [
    ("atm", "x"),
    ("ats", "1e400"),
    ("timestamp", "NaN"),
    ("processedOn", "soon"),
    ("opts", "[]"),
    ("name", "\x85"),
]


async def state_after(queue: toril.Queue, telemetry: list[toril.Telemetry], field: str, value: str) -> str:
    job = await queue.add("x", attempts=2)
    await queue.store.connection.call("HSET", f"bull:{queue.name}:{job.id}", field, value)
    worker = toril.Worker(queue.name, lambda job: 7, url=queue.url, telemetry=telemetry)
    task = asyncio.create_task(worker.run(handle_signals=False))
    async with asyncio.timeout(15):
        while not worker.finished:
            await asyncio.sleep(0.01)
    worker.stop()
    await task
    return (await job.get_state()).value


@pytest.mark.parametrize(("field", "value"), BROKEN)
async def test_what_is_written_wrongly_runs_as_without(queue: toril.Queue, field: str, value: str) -> None:
    expected = await state_after(queue, [], field, value)
    followers = [Tracing(TracerProvider()), JobLogs(), Metrics(), SentryReports()]
    assert await state_after(queue, followers, field, value) == expected
