"""A worker that is paused, stopped or made smaller loses no wake-up of others."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest

import toril

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def asleep(queue: toril.Queue, workers: int) -> None:
    """Wait until so many workers of the queue sleep on its marker."""
    name = f"name={queue.store.keys.client}:w:"
    async with asyncio.timeout(10):
        while True:
            lines = (await queue.store.connection.call("CLIENT", "LIST")).decode().splitlines()
            if (
                sum(name in line and "cmd=bzpopmin" in line and "flags=b" in line for line in lines)
                == workers
            ):
                return
            await asyncio.sleep(0.005)


async def test_a_paused_worker_leaves_jobs_to_others_at_once(queue: toril.Queue, running: Running) -> None:
    ran: list[str] = []

    async def first(job: toril.Job) -> None:
        ran.append("first")

    async def second(job: toril.Job) -> None:
        ran.append("second")

    async with running(first) as paused:
        await (await queue.add("x")).wait(5)
        await asleep(queue, 1)
        async with running(second):
            await asleep(queue, 2)
            paused.pause()
            for _ in range(3):
                await (await queue.add("x")).wait(2)
            assert ran == ["first", *["second"] * 3]
        behind = await queue.add("x")
        with pytest.raises(toril.WaitTimeout):
            await behind.wait(0.2)
        paused.resume()
        await behind.wait(2)


async def test_a_worker_that_stops_leaves_jobs_to_others_at_once(
    queue: toril.Queue, running: Running
) -> None:
    go = asyncio.Event()

    async def first(job: toril.Job) -> None:
        if job.name == "hold":
            await go.wait()

    async def second(job: toril.Job) -> str:
        return "second"

    async with running(first, concurrency=2) as stopping:
        held = await queue.add("hold")
        await until(lambda: stopping.running == 1)
        await (await queue.add("x")).wait(5)
        await asleep(queue, 1)
        async with running(second):
            await asleep(queue, 2)
            stopping.stop()
            await until(lambda: stopping.stopping)
            for _ in range(3):
                began = time.monotonic()
                assert await (await queue.add("x")).wait(5) == "second"
                assert time.monotonic() - began < 2
            go.set()
            await held.wait(5)


async def test_a_worker_that_was_made_smaller_leaves_jobs_to_others(
    queue: toril.Queue, running: Running
) -> None:
    go = asyncio.Event()

    async def first(job: toril.Job) -> None:
        await go.wait()

    async def second(job: toril.Job) -> str:
        return "second"

    async with running(first, concurrency=4) as small:
        held = await queue.add_many([toril.NewJob("hold") for _ in range(3)])
        await until(lambda: small.running == 3)
        await asleep(queue, 1)
        small.concurrency = 1
        async with running(second):
            await asleep(queue, 2)
            assert await (await queue.add("x")).wait(2) == "second"
            go.set()
            for job in held:
                await job.wait(5)
