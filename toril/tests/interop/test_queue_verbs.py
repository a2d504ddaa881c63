"""Deduplication modes and the verbs on jobs: done by one side, heeded and read by the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril
from toril import Deduplication, JobState, NewJob

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]

MODES: list[tuple[Deduplication, dict[str, Any]]] = [
    (Deduplication("k"), {"id": "k"}),
    (Deduplication.throttle("k", 60.0), {"id": "k", "ttl": 60000}),
    (Deduplication("k", ttl=60.0, extend=True), {"id": "k", "ttl": 60000, "extend": True}),
    (Deduplication.debounce("k", 60.0), {"id": "k", "ttl": 60000, "extend": True, "replace": True}),
    (Deduplication("k", reschedule=True), {"id": "k", "reschedule": True}),
    (Deduplication.keep_last("k"), {"id": "k", "keepLastIfActive": True}),
]


@pytest.mark.parametrize("first", ["node", "toril"])
@pytest.mark.parametrize(("ours", "theirs"), MODES, ids=lambda mode: str(mode)[:40])
async def test_each_mode_holds_across_sides(
    node: Node, queue: toril.Queue, ours: Deduplication, theirs: dict[str, Any], first: str
) -> None:
    async def add(side: str, data: int) -> str:
        if side == "node":
            added = await node(
                "add", queue.name, job="x", data=data, opts={"delay": 30000, "deduplication": theirs}
            )
            return str(added["id"])
        return (await queue.add("x", data, delay=30.0, deduplication=ours)).id

    second = "toril" if first == "node" else "node"
    one, two = await add(first, 1), await add(second, 2)
    (job,) = await queue.get_jobs(JobState.DELAYED)
    assert job.options.deduplication == ours
    assert (job.id, job.data) == ((two, 2) if ours.replace else (one, 1))
    if not ours.replace:
        assert two == one
    holder = await node("call", queue.name, method="getDeduplicationJobId", args=["k"])
    assert holder == job.id == await queue.get_deduplication_job_id("k")


@pytest.mark.parametrize("worker", ["node", "toril"])
@pytest.mark.parametrize("producer", ["node", "toril"])
async def test_keep_last_across_sides(node: Node, queue: toril.Queue, producer: str, worker: str) -> None:
    go_on = asyncio.Event()
    running = asyncio.Event()

    async def hold(job: toril.Job) -> None:
        running.set()
        await go_on.wait()

    async def add(data: int) -> None:
        if producer == "node":
            opts = {"deduplication": {"id": "k", "keepLastIfActive": True}}
            await node("add", queue.name, job="hold", data=data, opts=opts)
        else:
            await queue.add("hold", data, deduplication=Deduplication.keep_last("k"))

    async with toril.QueueEvents(queue.name, queue.url) as events:
        await add(1)
        task = None
        if worker == "node":
            await node("work", queue.name, concurrency=2)
        else:
            ours = toril.Worker(queue.name, hold, url=queue.url, concurrency=2)
            task = asyncio.create_task(ours.run(handle_signals=False))
        ended = 0
        async with asyncio.timeout(15):
            async for event in events:
                if event.type == "active" and ended == 0:
                    await add(2)
                    await add(3)
                    go_on.set()
                    await node("release", queue.name)
                ended += event.type == "completed"
                if ended == 2:
                    break
        if task is None:
            await node("stop", queue.name)
        else:
            ours.stop()
            await task
    assert sorted(job.data for job in await queue.get_jobs("completed")) == [1, 3]
    assert await queue.get_deduplication_job_id("k") is None


async def test_node_does_to_our_jobs_what_we_do(node: Node, queue: toril.Queue) -> None:
    delayed = await queue.add("x", 1, delay=30.0)
    waiting = await queue.add("x", 2, keep_logs=2)
    await node("callJob", queue.name, job=delayed.id, method="changeDelay", args=[90000])
    await node("callJob", queue.name, job=waiting.id, method="changePriority", args=[{"priority": 4}])
    await node("callJob", queue.name, job=waiting.id, method="updateData", args=[{"n": 5}])
    for line in "abc":
        await node("callJob", queue.name, job=waiting.id, method="log", args=[line])
    first, second = await queue.get_job(delayed.id), await queue.get_job(waiting.id)
    assert first is not None
    assert second is not None
    assert first.delay == 90.0
    assert (second.priority, second.data) == (4, {"n": 5})
    assert await second.get_state() == JobState.PRIORITIZED
    assert await second.get_logs() == ["b", "c"]


async def test_we_do_to_node_s_jobs_what_node_does(node: Node, queue: toril.Queue) -> None:
    delayed = await node("add", queue.name, job="x", data=1, opts={"delay": 30000})
    waiting = await node("add", queue.name, job="x", data=2, opts={"keepLogs": 2})
    await queue.change_delay(delayed["id"], 90.0)
    await queue.change_priority(waiting["id"], 4)
    await queue.update_data(waiting["id"], {"n": 5})
    job = await queue.get_job(waiting["id"])
    assert job is not None
    for line in "abc":
        await job.log(line)
    assert (await node("get", queue.name, job=delayed["id"]))["delay"] == 90000
    found = await node("get", queue.name, job=waiting["id"])
    assert (found["priority"], found["data"], found["state"]) == (4, {"n": 5}, "prioritized")
    logs = await node("call", queue.name, method="getJobLogs", args=[waiting["id"]])
    assert (logs["logs"], logs["count"]) == (["b", "c"], 2)
    assert await node("call", queue.name, method="getCountsPerPriority", args=[[0, 4]]) == {"0": 0, "4": 1}


@pytest.mark.parametrize("side", ["node", "toril"])
async def test_bulk_verbs_of_either_on_jobs_of_both(node: Node, queue: toril.Queue, side: str) -> None:
    await queue.add_many([NewJob("x", delay=60.0) for _ in range(3)])
    await node("addBulk", queue.name, jobs=[{"name": "x", "opts": {"delay": 60000}} for _ in range(3)])
    if side == "node":
        await node("call", queue.name, method="promoteJobs", args=[{}])
    else:
        assert await queue.promote_jobs() == 6
    assert (await queue.get_job_counts())["waiting"] == 6
    await queue.add_many([NewJob("never") for _ in range(3)])
    await node("work", queue.name, concurrency=5)
    async with asyncio.timeout(15):
        while (await queue.get_job_counts())["failed"] < 3:
            await asyncio.sleep(0.02)
    await node("stop", queue.name)
    if side == "node":
        await node("call", queue.name, method="retryJobs", args=[{"state": "failed"}])
    else:
        assert await queue.retry_jobs() == 3
    assert (await queue.get_job_counts())["waiting"] == 3
    if side == "node":
        assert len(await node("call", queue.name, method="clean", args=[0, 0, "completed"])) == 6
    else:
        assert len(await queue.clean("completed")) == 6
    assert (await node("counts", queue.name))["completed"] == 0
