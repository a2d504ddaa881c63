"""A queue and its jobs are the same to whoever reads them: Node and toril, of jobs made by either."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

import toril
from toril import JobState

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
SIDES = ("node", "toril")


async def handler(job: toril.Job) -> object:
    if job.name == "fail":
        raise ValueError(f"no {job.attempts_made}")
    return {"by": "toril", "data": job.data}


@contextlib.asynccontextmanager
async def working(side: str, node: Node, queue: toril.Queue, **options: Any) -> AsyncIterator[None]:
    if side == "node":
        await node("work", queue.name, called="crew", **options)
        try:
            yield
        finally:
            await node("stop", queue.name)
        return
    worker = toril.Worker(queue.name, handler, url=queue.url, name="crew")
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield
    finally:
        worker.stop()
        await task


def ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def as_node_has_it(job: toril.Job) -> dict[str, Any]:
    """A job's fields by Node's names, in Node's units."""
    parent = job.parent
    return {
        "id": job.id,
        "name": job.name,
        "data": job.data,
        "queueName": job.queue,
        "prefix": job.ref.prefix,
        "delay": round(job.delay * 1000),
        "priority": job.priority,
        "timestamp": ms(job.timestamp),
        "processedOn": ms(job.processed_on),
        "finishedOn": ms(job.finished_on),
        "attemptsStarted": job.attempts_started,
        "attemptsMade": job.attempts_made,
        "stalledCounter": job.stalled_count,
        "progress": job.progress,
        "returnvalue": job.return_value,
        "failedReason": job.failed_reason,
        "deferredFailure": job.deferred_failure,
        "stacktrace": job.stacktrace,
        "processedBy": job.processed_by,
        "deduplicationId": job.deduplication_id,
        "repeatJobKey": job.scheduler_id,
        "parentKey": parent and f"{parent.prefix}:{parent.queue}:{parent.id}",
    }


async def fill(side: str, node: Node, queue: toril.Queue) -> None:
    """Let one side make and run jobs of which each field of a job is a part."""
    low = {"delay": 60_000, "priority": 3, "jobId": "low"}
    if side == "node":
        child = {"name": "x", "queueName": queue.name, "data": {"of": 1}}
        await node("flow", flow={"name": "x", "queueName": queue.name, "data": [1], "children": [child]})
        await node("add", queue.name, job="fail", data={}, opts={"attempts": 2, "jobId": "bad"})
        await node("add", queue.name, job="x", data=None, opts=low)
        throttled = {"deduplication": {"id": "k", "ttl": 60_000}}
        await node("add", queue.name, job="x", data="text", opts=throttled)
        await node("schedule", queue.name, scheduler="s", repeat={"every": 3_600_000, "limit": 2}, job="tick")
    else:
        async with toril.FlowProducer(queue.url) as flows:
            children = [toril.FlowJob("x", queue.name, {"of": 1})]
            await flows.add(toril.FlowJob("x", queue.name, [1], children=children))
        await queue.add("fail", {}, attempts=2, job_id="bad")
        await queue.add("x", None, delay=60.0, priority=3, job_id="low")
        await queue.add("x", "text", deduplication=toril.Deduplication("k", ttl=60.0))
        await queue.upsert_job_scheduler("s", toril.Every(3600.0, limit=2), "tick", {})
    await queue.update_progress("low", {"at": [1, None]})
    # One that has lost its worker, and is given back below.
    stalled = await queue.add("x", {"stalled": True}, lifo=True)
    call, keys = queue.store.connection.call, queue.store.keys
    moved = await call("LMOVE", keys.wait, keys.active, "RIGHT", "LEFT")
    assert moved.decode() == stalled.id
    await call("HSET", keys.job("low"), "defa", "a reason of old")
    options = {"concurrency": 1, "stalledInterval": 200} if side == "node" else {}
    if side == "toril":
        await call("SADD", keys.stalled, stalled.id)
        await call("DEL", keys.stalled_check)
    async with working(side, node, queue, **options), asyncio.timeout(20):
        while True:
            counts = await queue.get_job_counts()
            if counts["delayed"] == 2 and counts["completed"] + counts["failed"] == 6:
                break
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("side", SIDES)
async def test_each_field_of_a_job_reads_the_same(node: Node, queue: toril.Queue, side: str) -> None:
    await fill(side, node, queue)
    told: set[str] = set()
    for state in (JobState.COMPLETED, JobState.FAILED, JobState.DELAYED):
        for job in await queue.get_jobs(state):
            theirs = await node("get", queue.name, job=job.id)
            ours = as_node_has_it(job)
            assert {name: theirs.get(name) for name in ours} == ours
            assert theirs["state"] == state
            parent = job.parent
            assert theirs.get("parent", {}).get("id") == (parent and parent.id)
            told |= {name for name, value in ours.items() if value not in (None, 0, [])}
    assert told == set(ours), "each field was told of some job"


LISTS = {
    JobState.WAITING: "getWaiting",
    JobState.ACTIVE: "getActive",
    JobState.DELAYED: "getDelayed",
    JobState.PRIORITIZED: "getPrioritized",
    JobState.COMPLETED: "getCompleted",
    JobState.FAILED: "getFailed",
    JobState.WAITING_CHILDREN: "getWaitingChildren",
}
ASKS = {
    JobState.WAITING: "isWaiting",
    JobState.ACTIVE: "isActive",
    JobState.DELAYED: "isDelayed",
    JobState.COMPLETED: "isCompleted",
    JobState.FAILED: "isFailed",
    JobState.WAITING_CHILDREN: "isWaitingChildren",
}


async def some_of_each_state(node: Node, queue: toril.Queue) -> None:
    """Three or more jobs of each state, every other one added by Node."""
    flow = {"name": "x", "queueName": queue.name, "children": [{"name": "x", "queueName": queue.name}]}
    for _ in range(3):
        await queue.add("x")
        await node("add", queue.name, job="fail", data={}, opts={})
    async with working("toril", node, queue), asyncio.timeout(10):
        while True:
            counts = await queue.get_job_counts()
            if counts["completed"] + counts["failed"] == 6:
                break
            await asyncio.sleep(0.01)
    for number in range(6):
        await queue.add("x", number)
    call, keys = queue.store.connection.call, queue.store.keys
    for _ in range(3):
        await call("LMOVE", keys.wait, keys.active, "RIGHT", "LEFT")
    for number in range(3):
        await queue.add("x", number, delay=60.0 + number)
        await node("add", queue.name, job="x", data=number, opts={"delay": 70_000 - number})
        await queue.add("x", number, priority=3 + number)
        await node("add", queue.name, job="x", data=number, opts={"priority": 7 - number})
        await node("flow", flow=flow)


async def test_lists_pages_and_counts_read_the_same(node: Node, queue: toril.Queue) -> None:
    await some_of_each_state(node, queue)

    async def call(method: str, *args: object) -> Any:
        return await node("call", queue.name, method=method, args=args)

    for state, method in LISTS.items():
        newest = [job["id"] for job in await call(method, 0, 999)]
        assert len(newest) >= 3
        assert len(await queue.get_jobs(state)) == len(newest)
        for ascending in (False, True):
            for start, end in ((0, 999), (0, 0), (1, 2), (2, 500)):
                theirs = [job["id"] for job in await call("getJobs", [str(state)], start, end, ascending)]
                read = await queue.get_jobs(state, start, end, ascending=ascending)
                assert [job.id for job in read] == theirs, (state, ascending, start, end)
                assert await queue.get_job_ids(state, start, end, ascending=ascending) == theirs
                assert await call("getRanges", [str(state)], start, end, ascending) == theirs
    counts = await queue.get_job_counts()
    for state in LISTS:
        assert await call("getJobCountByTypes", str(state)) == counts[state]
        assert await call(f"{LISTS[state]}Count") == counts[state]
    assert await call("count") == await queue.count()
    assert await call("getCountsPerPriority", list(range(9))) == {
        str(priority): count
        for priority, count in (await queue.get_counts_per_priority(list(range(9)))).items()
    }


async def test_each_asks_for_the_state_of_the_other_s_jobs(node: Node, queue: toril.Queue) -> None:
    await some_of_each_state(node, queue)
    for state in LISTS:
        for job in await queue.get_jobs(state):
            assert await node("call", queue.name, method="getJobState", args=[job.id]) == state
            assert await queue.get_state(job.id) == state
            for asked, method in ASKS.items():
                said = await node("callJob", queue.name, job=job.id, method=method, args=[])
                assert said == (asked == state), (method, state)
    assert await node("call", queue.name, method="getJobState", args=["none"]) == "unknown"
    with pytest.raises(toril.JobNotFound):
        await queue.get_state("none")
