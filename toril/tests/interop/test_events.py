"""Events between Node BullMQ and toril, both ways."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import toril
from toril import events

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
KINDS = set(events.KINDS) - {"stalled"}


async def handler(job: toril.Job) -> object:
    if job.name == "never":
        raise ValueError("never")
    await job.update_progress({"at": 1})
    return {"by": "toril"}


@contextlib.asynccontextmanager
async def working(queue: toril.Queue) -> AsyncIterator[None]:
    worker = toril.Worker(queue.name, handler, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield
    finally:
        worker.stop()
        await task


async def test_node_hears_every_kind_of_toril_s_events(node: Node, queue: toril.Queue) -> None:
    await node("listen", queue.name)
    async with toril.FlowProducer(queue.url) as flows:
        flow = await flows.add(
            toril.FlowJob("good", queue.name, children=[toril.FlowJob("good", queue.name)])
        )
    await queue.add("good", job_id="twice")
    await queue.add("good", job_id="twice")
    for _ in range(2):
        await queue.add("good", deduplication=toril.Deduplication("k"))
    later = await queue.add("good", delay=60)
    await later.remove()
    await queue.pause()
    await queue.resume()
    bad = await queue.add("never")
    async with working(queue):
        assert await queue.wait(flow.job.id, 10) == {"by": "toril"}
        with pytest.raises(toril.JobFailed):
            await bad.wait(10)
    await queue.clean(toril.JobState.COMPLETED)
    async with asyncio.timeout(10):
        while KINDS - {event["type"] for event in await node("heard", queue.name)}:
            await asyncio.sleep(0.05)
    heard = await node("heard", queue.name)
    by_type = {(event["type"], event.get("jobId")): event for event in heard}
    assert by_type["progress", flow.job.id]["data"] == {"at": 1}
    assert by_type["completed", flow.job.id]["returnvalue"] == {"by": "toril"}
    assert by_type["retries-exhausted", bad.id]["attemptsMade"] == "1"
    assert by_type["removed", later.id]["prev"] == "delayed"
    assert int(by_type["cleaned", None]["count"]) >= 4


async def test_toril_hears_every_kind_of_node_s_events(node: Node, queue: toril.Queue) -> None:
    async with toril.QueueEvents(queue.name, queue.url) as reader:
        flow = {"name": "good", "queueName": queue.name}
        await node("flow", flow={**flow, "children": [flow]})
        for opts in ({"jobId": "twice"}, {"deduplication": {"id": "k"}}):
            await node("add", queue.name, job="good", data={}, opts=opts)
            await node("add", queue.name, job="good", data={}, opts=opts)
        later = await node("add", queue.name, job="good", data={}, opts={"delay": 60000})
        await node("callJob", queue.name, job=later["id"], method="updateProgress", args=[{"at": 1}])
        await node("remove", queue.name, job=later["id"])
        await node("pause", queue.name)
        await node("resume", queue.name)
        bad = await node("add", queue.name, job="fail", data={}, opts={})
        await node("work", queue.name, concurrency=1)
        found: list[events.Event] = []
        async with asyncio.timeout(15):
            async for event in reader:
                found.append(event)
                if {"completed", "failed", "drained"} <= {each.type for each in found}:
                    break
            await node("stop", queue.name)
            await node("call", queue.name, method="clean", args=[0, 100, "completed"])
            async for event in reader:
                found.append(event)
                if isinstance(event, events.Cleaned):
                    assert event.count >= 1
                    break
    assert {event.type for event in found} >= KINDS
    for event in found:
        assert type(event) is events.KINDS[event.type]
        if isinstance(event, events.Completed):
            assert isinstance(event.return_value, dict)
        if isinstance(event, events.Failed):
            assert (event.job_id, event.failed_reason) == (bad["id"], "no 0")
        if isinstance(event, events.Progress):
            assert event.progress == {"at": 1}
        if isinstance(event, events.Delayed):
            assert event.due.year >= 2024


async def test_custom_events_both_ways(node: Node, queue: toril.Queue) -> None:
    await node("listen", queue.name, types=["imported"])
    async with toril.QueueEvents(queue.name, queue.url) as reader:
        await queue.publish_event("imported", {"rows": "12", "jobId": "7"})
        await node("publish", queue.name, event={"eventName": "imported", "rows": "13"})
        first, second = [await reader.first(events.Event, timeout=5) for _ in range(2)]
    assert (first.type, first.job_id, first.fields) == ("imported", "7", {"rows": "12"})
    assert (second.type, second.job_id, second.fields) == ("imported", None, {"rows": "13"})
    async with asyncio.timeout(10):
        while len(await node("heard", queue.name)) < 2:
            await asyncio.sleep(0.05)
    assert await node("heard", queue.name) == [
        {"type": "imported", "rows": "12", "jobId": "7"},
        {"type": "imported", "rows": "13"},
    ]


@pytest.mark.parametrize("keep", [None, toril.Keep(count=0)])
async def test_wait_hanging_when_node_finishes_the_job(
    node: Node, queue: toril.Queue, keep: toril.Keep | None
) -> None:
    good = await queue.add("x", 1, keep_completed=keep)
    bad = await queue.add("fail", keep_failed=keep)
    waits = [asyncio.create_task(job.wait(15)) for job in (good, bad)]
    await node("work", queue.name, concurrency=1)
    assert await waits[0] == {"by": "node", "data": 1}
    with pytest.raises(toril.JobFailed, match="no 0"):
        await waits[1]
    assert await good.wait(5) == {"by": "node", "data": 1}
    with pytest.raises(toril.JobFailed, match="no 0"):
        await bad.wait(5)
    await node("stop", queue.name)


async def test_wait_hanging_when_node_removes_the_job(node: Node, queue: toril.Queue) -> None:
    jobs = [await queue.add("x", delay=60) for _ in range(2)]
    waits = [asyncio.create_task(job.wait(15)) for job in jobs]
    await node("remove", queue.name, job=jobs[0].id)
    with pytest.raises(toril.JobNotFound):
        await waits[0]
    await node("call", queue.name, method="drain", args=[True])
    with pytest.raises(toril.JobNotFound):
        await waits[1]
