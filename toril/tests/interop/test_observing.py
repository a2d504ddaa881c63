"""Workers and numbers of Node and toril, read by the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


async def test_each_sees_the_other_s_workers_and_numbers(node: Node, queue: toril.Queue) -> None:
    async def handler(job: toril.Job) -> None:
        return None

    worker = toril.Worker(queue.name, handler, url=queue.url, name="ours", metrics_minutes=60)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await worker.ready.wait()
    await node("work", queue.name, concurrency=1, metrics={"maxDataPoints": 60})
    assert {each.name for each in await queue.workers()} == {"ours", None}
    assert len(await node("workers", queue.name)) == 2
    for job in await queue.add_many([toril.NewJob("x") for _ in range(20)]):
        await job.wait(10)
    worker.stop()
    await task
    await node("stop", queue.name)
    assert (await queue.get_metrics("completed")).count == 20
    assert (await node("metrics", queue.name, type="completed"))["meta"]["count"] == 20
