"""Limits set by either side are kept by workers of both together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril

from ..begins import begins, windows

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def nap(job: toril.Job) -> str:
    if job.name == "nap":
        await asyncio.sleep(job.data["ms"] / 1000)
    return "toril"


async def server_ms(queue: toril.Queue) -> int:
    seconds, micros = await queue.store.connection.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


async def spans(jobs: list[toril.Job], queue: toril.Queue) -> list[tuple[float, float]]:
    """Wait for the jobs' ends and return when each began and ended, in seconds."""
    found = []
    for job in jobs:
        await job.wait(20)
        read = await queue.get_job(job.id)
        assert read is not None
        assert read.processed_on is not None
        assert read.finished_on is not None
        found.append((read.processed_on.timestamp(), read.finished_on.timestamp()))
    return sorted(found)


async def both_ran(node: Node, queue: toril.Queue, worker: toril.Worker) -> None:
    ran = await node("stop", queue.name)
    assert len(ran) > 0
    assert worker.completed > 0


@pytest.mark.parametrize("setter", ["toril", "node", "workers"])
async def test_one_rate_limit_holds_for_both(
    node: Node, queue: toril.Queue, running: Running, setter: str
) -> None:
    # Neither has slots enough to take a whole window for itself.
    ours: dict[str, object] = {"concurrency": 3}
    theirs: dict[str, object] = {"concurrency": 3}
    if setter == "toril":
        await queue.set_global_rate_limit(6, 0.5)
    elif setter == "node":
        await node("call", queue.name, method="setGlobalRateLimit", args=[6, 500])
        assert await queue.get_global_rate_limit() == toril.RateLimit(6, 0.5)
    else:
        ours["limiter"] = toril.RateLimit(6, 0.5)
        theirs["limiter"] = {"max": 6, "duration": 500}
    await node("work", queue.name, **theirs)
    async with running(nap, **ours) as worker:
        jobs = await queue.add_many([toril.NewJob("nap", {"ms": 200}) for _ in range(30)])
        for job in jobs:
            await job.wait(20)
        await both_ran(node, queue, worker)
    starts = await begins(queue)
    counts = windows(starts, 500)
    assert sum(counts) == 30
    assert max(counts) == 6
    # 30 jobs are 5 windows, so the last one begins after 4; a lost wake-up would cost seconds.
    assert 2000 <= starts[-1] - starts[0] < 4000


@pytest.mark.parametrize("raiser", ["toril", "node", "queue"])
async def test_a_limit_made_on_the_run_holds_for_both(
    node: Node, queue: toril.Queue, running: Running, raiser: str
) -> None:
    async def handler(job: toril.Job) -> str:
        if job.name == "limit" and job.attempts_started == 1:
            raise toril.RateLimited(job.data["ms"] / 1000)
        return await nap(job)

    await node("work", queue.name, concurrency=2, limiter={"max": 1000, "duration": 1000})
    if raiser == "toril":
        await node("stop", queue.name)
    limited = await queue.add("limit", {"ms": 1500}) if raiser != "queue" else None
    if limited is not None and raiser == "node":
        async with asyncio.timeout(10):
            while not await queue.get_rate_limit_ttl(1000):
                await asyncio.sleep(0.005)
    if limited is None:
        await node("call", queue.name, method="rateLimit", args=[1500])
    async with running(handler, concurrency=2) as worker:
        if raiser == "toril":
            async with asyncio.timeout(10):
                while not await queue.get_rate_limit_ttl(1000):
                    await asyncio.sleep(0.005)
            await node("work", queue.name, concurrency=2, limiter={"max": 1000, "duration": 1000})
        before = await server_ms(queue)
        left = round(1000 * await queue.get_rate_limit_ttl(1000))
        after = await server_ms(queue)
        assert 0 < left <= 1500
        jobs = await queue.add_many([toril.NewJob("nap", {"ms": 100}) for _ in range(16)])
        for job in jobs if limited is None else [limited, *jobs]:
            await job.wait(20)
        await both_ran(node, queue, worker)
    starts = await begins(queue)
    if limited is not None:
        del starts[0]  # the run that has made the limit
    assert len(starts) == len(jobs) + (limited is not None)
    assert before + left <= starts[0] < after + left + 1500
    if limited is not None:
        read = await node("get", queue.name, job=limited.id)
        assert (read["attemptsMade"], read["attemptsStarted"], read["state"]) == (1, 2, "completed")


@pytest.mark.parametrize("setter", ["toril", "node"])
async def test_one_global_concurrency_holds_for_both(
    node: Node, queue: toril.Queue, running: Running, setter: str
) -> None:
    if setter == "toril":
        await queue.set_global_concurrency(3)
        assert await node("call", queue.name, method="getGlobalConcurrency", args=[]) == 3
    else:
        await node("call", queue.name, method="setGlobalConcurrency", args=[3])
        assert await queue.get_global_concurrency() == 3
    # Whoever ends a job takes the next one, so neither side may be able to hold all slots.
    await node("work", queue.name, concurrency=2)
    most = 0
    maxed = False
    async with running(nap, concurrency=2) as worker:
        jobs = await queue.add_many([toril.NewJob("nap", {"ms": 30}) for _ in range(60)])
        for _ in range(20):
            active = (await queue.get_job_counts())["active"]
            most = max(most, active)
            if active == 3:
                maxed = maxed or await node("call", queue.name, method="isMaxed", args=[])
            await asyncio.sleep(0.01)
        found = await spans(jobs, queue)
        await both_ran(node, queue, worker)
    assert most == 3
    assert maxed
    # 60 jobs of 30 ms, three at a time, are 0.6 s; a lost wake-up would cost seconds.
    assert found[-1][1] - found[0][0] < 3.0


async def test_each_reads_the_other_s_rate_limit(node: Node, queue: toril.Queue) -> None:
    await queue.set_global_rate_limit(2, 60)
    assert await node("call", queue.name, method="getGlobalRateLimit", args=[]) == {
        "max": 2,
        "duration": 60000,
    }
    await queue.rate_limit(50)
    assert 49_000 < await node("call", queue.name, method="getRateLimitTtl", args=[]) <= 50_000
    await node("call", queue.name, method="removeRateLimitKey", args=[])
    assert await queue.get_rate_limit_ttl() == 0.0
    await node("call", queue.name, method="removeGlobalRateLimit", args=[])
    assert await queue.get_global_rate_limit() is None
