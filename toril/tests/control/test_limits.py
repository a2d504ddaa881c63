"""Limits that all workers of a queue keep: how many at once, how many in a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest

import toril

from ..begins import begins, windows

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def test_limits_are_set_read_and_removed(queue: toril.Queue) -> None:
    assert await queue.get_global_concurrency() is None
    assert await queue.get_global_rate_limit() is None
    assert not await queue.is_maxed()
    await queue.set_global_concurrency(3)
    await queue.set_global_rate_limit(5, 2.5)
    assert await queue.get_global_concurrency() == 3
    assert await queue.get_global_rate_limit() == toril.RateLimit(5, 2.5)
    assert await queue.get_rate_limit_ttl() == 0.0
    await queue.rate_limit(30)
    assert 29 < await queue.get_rate_limit_ttl() <= 30
    assert await queue.remove_rate_limit_key()
    assert not await queue.remove_rate_limit_key()
    await queue.remove_global_concurrency()
    await queue.remove_global_rate_limit()
    assert await queue.get_global_concurrency() is None
    assert await queue.get_global_rate_limit() is None


@pytest.mark.parametrize(("max", "duration"), [(0, 1), (1, 0), (1, -1), (1.5, 1), (1, float("nan"))])
async def test_a_limit_that_cannot_be_meant_is_refused(queue: toril.Queue, max: int, duration: float) -> None:
    with pytest.raises(toril.InvalidOption):
        await queue.set_global_rate_limit(max, duration)
    with pytest.raises(toril.InvalidOption):
        await queue.set_global_concurrency(0)
    with pytest.raises(toril.InvalidOption):
        await queue.rate_limit(0)
    with pytest.raises(toril.InvalidOption):
        toril.RateLimited(0)


@pytest.mark.parametrize("own", [True, False])
async def test_a_rate_limit_lets_so_many_begin_and_no_worker_sleeps_on(
    queue: toril.Queue, running: Running, own: bool
) -> None:
    done = asyncio.Event()
    left = 12

    async def handler(job: toril.Job) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    options: dict[str, object] = {"limiter": toril.RateLimit(4, 0.4)} if own else {}
    if not own:
        await queue.set_global_rate_limit(4, 0.4)
    async with running(handler, concurrency=10, **options), running(handler, concurrency=3, **options):
        await queue.add_many([toril.NewJob("x") for _ in range(12)])
        async with asyncio.timeout(10):
            await done.wait()
    starts = await begins(queue)
    counts = windows(starts, 400)
    assert (sum(counts), max(counts)) == (12, 4)
    assert 800 <= starts[-1] - starts[0] < 2000


async def test_a_handler_that_was_told_to_wait_stops_all_workers(
    queue: toril.Queue, running: Running
) -> None:
    starts: list[tuple[str, float, int]] = []
    done = asyncio.Event()

    async def handler(job: toril.Job) -> None:
        starts.append((job.name, time.monotonic(), job.attempts_made))
        if job.name == "limited" and job.attempts_started == 1:
            raise toril.RateLimited(0.6)
        if len(starts) == 4:
            done.set()

    await queue.add("limited")
    await queue.add("behind")
    async with running(handler):
        while not starts:
            await asyncio.sleep(0.005)
        async with running(handler):
            await queue.add("late")
            async with asyncio.timeout(10):
                await done.wait()
    assert starts[0][0] == "limited"
    assert "limited" in {name for name, _, _ in starts[1:3]}  # two workers begin at the same time
    assert {name for name, _, _ in starts[1:]} == {"limited", "behind", "late"}
    assert all(0.55 < began - starts[0][1] < 1.5 for _, began, _ in starts[1:])
    assert all(attempts == 0 for _, _, attempts in starts)
    assert await queue.get_rate_limit_ttl() == 0.0


async def test_a_prioritized_job_goes_back_before_those_of_its_priority(
    queue: toril.Queue, running: Running
) -> None:
    order: list[str] = []

    async def handler(job: toril.Job) -> None:
        order.append(job.name)
        if len(order) == 1:
            raise toril.RateLimited(0.05)

    for name in ("a", "b", "c"):
        await queue.add(name, priority=2)
    async with running(handler):
        async with asyncio.timeout(5):
            while len(order) < 4:
                await asyncio.sleep(0.005)
    assert order == ["a", "a", "b", "c"]


async def test_jobs_go_on_at_once_when_the_limit_is_taken_away(queue: toril.Queue, running: Running) -> None:
    async def handler(job: toril.Job) -> None:
        return None

    await queue.rate_limit(30)
    async with running(handler):
        job = await queue.add("x")
        with pytest.raises(toril.WaitTimeout):
            await job.wait(0.3)
        await queue.remove_rate_limit_key()
        await job.wait(2)


async def test_global_concurrency_holds_over_workers_and_every_slot_is_used(
    queue: toril.Queue, running: Running
) -> None:
    now, most, ended = 0, 0, 0

    async def handler(job: toril.Job) -> None:
        nonlocal now, most, ended
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        ended += 1

    await queue.set_global_concurrency(3)
    began = time.monotonic()
    async with running(handler, concurrency=10), running(handler, concurrency=10):
        await queue.add_many([toril.NewJob("x") for _ in range(30)])
        async with asyncio.timeout(10):
            while ended < 30:
                await asyncio.sleep(0.005)
        took = time.monotonic() - began
        assert most == 3
        assert took < 2.0
        # A larger limit is used at once.
        now = most = ended = 0
        await queue.set_global_concurrency(1)
        jobs = await queue.add_many([toril.NewJob("x") for _ in range(100)])
        await queue.set_global_concurrency(8)
        for job in jobs:
            await job.wait(10)
        assert 1 < most <= 8


async def test_a_worker_that_stops_leaves_its_slot_to_another(queue: toril.Queue, running: Running) -> None:
    go = asyncio.Event()

    async def slow(job: toril.Job) -> str:
        await go.wait()
        return "slow"

    async def quick(job: toril.Job) -> str:
        return "quick"

    await queue.set_global_concurrency(1)
    async with running(slow) as first:
        held = await queue.add("x")
        async with asyncio.timeout(5):
            while first.running == 0:
                await asyncio.sleep(0.005)
        async with running(quick):
            behind = await queue.add("x")
            first.stop()
            with pytest.raises(toril.WaitTimeout):
                await behind.wait(0.2)  # the other worker has looked, and sleeps
            assert await queue.is_maxed()
            began = time.monotonic()
            go.set()
            assert await behind.wait(10) == "quick"
            assert time.monotonic() - began < 2.0
            assert await held.wait(5) == "slow"
