"""The jobs of a dead worker are given back by a worker of the other side."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import toril

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
FOLDER = Path(__file__).parents[3] / "tests" / "node"


async def stalled_events(queue: toril.Queue) -> list[str]:
    entries = await queue.store.connection.call("XRANGE", queue.store.keys.events, "-", "+")
    pairs = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in entries]
    return [pair[b"jobId"].decode() for pair in pairs if pair[b"event"] == b"stalled"]


async def test_toril_gives_back_a_dead_node_worker_s_job(node_packages: None, queue: toril.Queue) -> None:
    port = str(urlsplit(queue.url).port)
    process = await asyncio.create_subprocess_exec(
        "node", "mixed.mjs", port, "work", queue.name, cwd=FOLDER, stdin=asyncio.subprocess.PIPE
    )
    job = await queue.add("x", {"ms": 60_000, "fails": 0, "plan": 1})
    async with asyncio.timeout(20):
        while await job.get_state() != "active":
            await asyncio.sleep(0.02)
    process.kill()
    await process.wait()
    call, keys = queue.store.connection.call, queue.store.keys
    # As if the lock's 30 seconds were over, and the last check some time ago.
    await call("DEL", keys.job(job.id) + ":lock", keys.stalled_check)

    async def handler(job: toril.Job) -> int:
        return job.stalled_count

    worker = toril.Worker(queue.name, handler, url=queue.url, stalled_interval=0.2)
    task = asyncio.create_task(worker.run(handle_signals=False))
    assert await job.wait(10) == 1
    worker.stop()
    await task
    assert await stalled_events(queue) == [job.id]


async def test_node_gives_back_a_dead_toril_worker_s_job(node: Node, queue: toril.Queue) -> None:
    begun = asyncio.Event()

    async def never(job: toril.Job) -> None:
        begun.set()
        await asyncio.sleep(60)

    dead = toril.Worker(queue.name, never, url=queue.url, lock_duration=0.3, stalled_interval=60)
    task = asyncio.create_task(dead.run(handle_signals=False))
    job = await queue.add("x", {"n": 1}, attempts=3)
    await begun.wait()
    task.cancel()  # no settlement, no renewal: as a crash leaves it
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await queue.store.connection.call("DEL", queue.store.keys.stalled_check)
    await node("work", queue.name, concurrency=1, stalledInterval=200, lockDuration=1000)
    assert await job.wait(10) == {"by": "node", "data": {"n": 1}}
    await node("stop", queue.name)
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.stalled_count, found.attempts_started, found.attempts_made) == (1, 2, 1)
    assert await stalled_events(queue) == [job.id]


async def test_a_job_over_its_limit_of_either_fails_at_the_other(node: Node, queue: toril.Queue) -> None:
    ours, theirs = await queue.add("x", {}), await queue.add("x", {})
    call, keys = queue.store.connection.call, queue.store.keys
    for job in (ours, theirs):
        await call("HSET", keys.job(job.id), "defa", "job stalled more than allowable limit")
    await node("work", queue.name, concurrency=2)
    for job in (ours, theirs):
        with pytest.raises(toril.JobFailed, match="stalled more than allowable"):
            await job.wait(10)
    await node("stop", queue.name)
