"""Options and verbs of one side's worker, beside a worker of the other side or on its jobs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def simple(job: toril.Job) -> object:
    if job.name == "fail":
        raise ValueError(f"no {job.attempts_made}")
    if job.name == "snooze":
        raise toril.Snooze(0.001)
    return {"by": "toril"}


async def by(job: toril.Job) -> str:
    """Wait for the job and return which side has run it."""
    return str((await job.wait(10))["by"])


async def test_a_paused_worker_of_either_leaves_jobs_to_the_other(
    node: Node, queue: toril.Queue, running: Running
) -> None:
    await node("work", queue.name)
    async with running(simple) as worker:
        worker.pause()
        for _ in range(3):
            assert await by(await queue.add("x", {})) == "node"
        await node("callWorker", queue.name, method="pause", args=[])
        assert await node("callWorker", queue.name, method="isPaused", args=[])
        behind = await queue.add("x", {})
        worker.resume()
        assert await by(behind) == "toril"
        for _ in range(3):
            assert await by(await queue.add("x", {})) == "toril"
        worker.pause()
        await worker.quiet()
        last = await queue.add("x", {})
        await node("callWorker", queue.name, method="resume", args=[])
        assert await by(last) == "node"
        await node("stop", queue.name)


async def test_a_job_that_begins_too_often_fails_at_either(
    node: Node, queue: toril.Queue, running: Running
) -> None:
    """Begun by one side as often as may be, it fails at the other without being run."""
    async with running(simple):
        job = await queue.add("snooze", {})
        async with asyncio.timeout(10):
            while (found := await queue.get_job(job.id)) is None or found.attempts_started < 5:
                await asyncio.sleep(0.002)
    await node("work", queue.name, maxStartedAttempts=3)
    with pytest.raises(toril.JobFailed, match="started more than allowable limit"):
        await job.wait(10)
    again = await queue.add("again", {}, attempts=5)  # which Node's handler moves back to wait once
    assert await by(again) == "node"
    await node("stop", queue.name)
    await again.retry(reset_attempts=False)
    async with running(simple, max_started_attempts=2):
        with pytest.raises(toril.JobFailed, match="started more than allowable limit"):
            await again.wait(10)
    read = await node("get", queue.name, job=again.id)
    assert (read["state"], read["attemptsStarted"]) == ("failed", 3)


@pytest.mark.parametrize("side", ["node", "toril"])
@pytest.mark.parametrize("producer", ["node", "toril"])
async def test_a_backoff_of_one_s_own_is_asked_by_either(
    node: Node, queue: toril.Queue, running: Running, producer: str, side: str
) -> None:
    if producer == "node":
        opts = {"attempts": 9, "backoff": {"type": "mine", "delay": 7}}
        job_id = (await node("add", queue.name, job="fail", data={}, opts=opts))["id"]
    else:
        job_id = (await queue.add("fail", {}, attempts=9, backoff=toril.Backoff.custom("mine", 0.007))).id
    if side == "node":
        await node("work", queue.name)
        with pytest.raises(toril.JobFailed, match="no 2"):
            await queue.wait(job_id, 10)
        await node("stop", queue.name)
    else:

        def mine(made: int, error: BaseException, job: toril.Job) -> float:
            assert job.options.backoff is not None
            assert job.options.backoff.delay == 0.007
            return 0.01 if made < 3 else -1

        async with running(simple, backoffs={"mine": mine}):
            with pytest.raises(toril.JobFailed, match="no 2"):
                await queue.wait(job_id, 10)
    read = await node("get", queue.name, job=job_id)
    assert (read["attemptsMade"], read["opts"]["backoff"]) == (3, {"type": "mine", "delay": 7})


async def test_a_jitter_of_either_is_kept_by_both(node: Node, queue: toril.Queue) -> None:
    backoff = {"type": "exponential", "delay": 1000, "jitter": 0.5}
    theirs = await node("add", queue.name, job="x", data={}, opts={"attempts": 3, "backoff": backoff})
    found = await queue.get_job(theirs["id"])
    assert found is not None
    ours = toril.Backoff.exponential(1.0, jitter=0.5)
    assert found.options.backoff == ours
    job = await queue.add("x", attempts=3, backoff=ours)
    assert (await node("get", queue.name, job=job.id))["opts"]["backoff"] == backoff


@pytest.mark.parametrize("holder", ["node", "toril"])
async def test_a_lock_of_either_is_renewed_and_respected(
    node: Node, queue: toril.Queue, running: Running, holder: str
) -> None:
    """A run lasts several times its lock, beside a worker of the other side that looks all the time."""
    if holder == "node":
        await node("work", queue.name, lockDuration=400, stalledInterval=60_000)
        job = await queue.add("nap", {"ms": 1500})
        async with asyncio.timeout(10):
            while await job.get_state() != "active":
                await asyncio.sleep(0.005)
        async with running(simple, stalled_interval=0.1):
            assert await by(job) == "node"
        await node("stop", queue.name)
    else:

        async def blocking(job: toril.Job) -> object:
            time.sleep(1.5)  # the event loop stands still
            return {"by": "toril"}

        await node("work", queue.name, stalledInterval=100)
        await node("callWorker", queue.name, method="pause", args=[])  # it goes on to look
        async with running(blocking, lock_duration=0.4):
            job = await queue.add("x", {})
            assert await by(job) == "toril"
        assert await node("stop", queue.name) == []
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_started, found.stalled_count) == (1, 0)


@pytest.mark.parametrize("name", ["x", "fail"])
async def test_node_waits_for_a_job_that_toril_runs(
    node: Node, queue: toril.Queue, running: Running, name: str
) -> None:
    await node("listen", queue.name)
    job = await queue.add(name, {}, delay=0.05)
    async with running(simple):
        if name == "x":
            assert await node("wait", queue.name, job=job.id) == {"by": "toril"}
            assert await node("wait", queue.name, job=job.id) == {"by": "toril"}
        else:
            with pytest.raises(AssertionError, match="no 0"):
                await node("wait", queue.name, job=job.id)


async def test_each_goes_on_behind_the_other_s_cursor(node: Node, queue: toril.Queue) -> None:
    async with toril.QueueEvents(queue.name, queue.url) as events:
        await queue.add("x")
        await node("add", queue.name, job="x", data={}, opts={})
        seen = [await events.first(toril.Event, timeout=5) for _ in range(4)]
    assert [event.type for event in seen] == ["added", "waiting", "added", "waiting"]
    await node("listen", queue.name, since=seen[1].cursor)
    async with asyncio.timeout(10):
        while len(await node("heard", queue.name)) < 2:
            await asyncio.sleep(0.01)
    heard = await node("heard", queue.name)
    assert [(event["type"], event["jobId"]) for event in heard] == [("added", "2"), ("waiting", "2")]
    cursors = await node("cursors", queue.name)
    assert cursors == [event.cursor for event in seen[2:]]
    async with toril.QueueEvents(queue.name, queue.url, since=cursors[0]) as events:
        event = await events.first(toril.Event, timeout=5)
    assert (event.type, event.job_id, event.cursor) == ("waiting", "2", cursors[1])
