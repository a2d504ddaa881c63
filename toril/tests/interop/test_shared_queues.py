"""Node BullMQ and toril on the same queues, each as writer and as reader."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import toril

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
UNICODE = {"text": "žluťoučký ☃ 🐂", "nested": [1, 2.5, None, True, {"k": "v"}], "big": 2**53 - 1}


async def handler(job: toril.Job) -> object:
    if job.name == "fail":
        raise ValueError(f"no {job.attempts_made}")
    if job.name == "never":
        raise toril.Fail("never")
    if job.name == "later" and job.attempts_made == 0:
        raise ValueError("not yet")
    return {"by": "toril", "data": job.data}


@contextlib.asynccontextmanager
async def working(queue: toril.Queue, concurrency: int = 5) -> AsyncIterator[toril.Worker]:
    worker = toril.Worker(queue.name, handler, url=queue.url, concurrency=concurrency)
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def ended(queue: toril.Queue, job_id: str) -> toril.Job:
    with contextlib.suppress(toril.JobFailed):
        await queue.wait(job_id, 15)
    found = await queue.get_job(job_id)
    assert found is not None
    return found


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("plain", {}, {}),
    ("delayed", {"delay": 50}, {"delay": 0.05}),
    ("prioritized", {"priority": 3}, {"priority": 3}),
    ("lifo", {"lifo": True}, {"lifo": True}),
    ("own id", {"jobId": "mine"}, {"job_id": "mine"}),
    ("deduplicated", {"deduplication": {"id": "k"}}, {"deduplication": toril.Deduplication("k")}),
    (
        "throttled",
        {"deduplication": {"id": "k", "ttl": 60000}},
        {"deduplication": toril.Deduplication("k", ttl=60.0)},
    ),
]


@pytest.mark.parametrize(("name", "wire", "options"), CASES)
async def test_node_adds_and_toril_runs(
    node: Node, queue: toril.Queue, name: str, wire: dict[str, Any], options: object
) -> None:
    async with working(queue):
        added = await node("add", queue.name, job=name, data=UNICODE, opts=wire)
        job = await ended(queue, added["id"])
    assert job.return_value == {"by": "toril", "data": UNICODE}
    seen = await node("get", queue.name, job=job.id)
    assert seen["state"] == "completed"
    assert seen["returnvalue"] == {"by": "toril", "data": UNICODE}
    assert (seen["attemptsMade"], seen["attemptsStarted"]) == (1, 1)
    assert job.attempts_made == 1
    assert seen["finishedOn"] >= seen["processedOn"] >= seen["timestamp"] > 0


@pytest.mark.parametrize(("name", "wire", "options"), CASES)
async def test_toril_adds_and_node_runs(
    node: Node, queue: toril.Queue, name: str, wire: dict[str, Any], options: toril.JobKeywords
) -> None:
    await node("work", queue.name, concurrency=5)
    added = await queue.add(name, UNICODE, **options)
    job = await ended(queue, added.id)
    await node("stop", queue.name)
    assert job.return_value == {"by": "node", "data": UNICODE}
    seen = await node("get", queue.name, job=job.id)
    assert seen["data"] == UNICODE
    for key, value in wire.items():
        assert seen["opts"][key] == value
    assert (job.attempts_made, job.attempts_started, seen["attemptsMade"]) == (1, 1, 1)


@pytest.mark.parametrize("worker", ["node", "toril"])
@pytest.mark.parametrize("backoff", ["fixed", "exponential"])
@pytest.mark.parametrize("name", ["later", "fail", "never"])
async def test_retries_and_failures_read_the_same(
    node: Node, queue: toril.Queue, worker: str, backoff: str, name: str
) -> None:
    attempts = 3
    if worker == "node":
        await node("work", queue.name, concurrency=2)
        options: toril.JobKeywords = {"attempts": attempts, "backoff": toril.Backoff(backoff, 0.02)}
        job = await ended(queue, (await queue.add(name, {}, **options)).id)
        await node("stop", queue.name)
    else:
        wire = {"attempts": attempts, "backoff": {"type": backoff, "delay": 20}}
        async with working(queue):
            job = await ended(queue, (await node("add", queue.name, job=name, data={}, opts=wire))["id"])
    seen = await node("get", queue.name, job=job.id)
    made = {"later": 2, "fail": 3, "never": 1}[name]
    assert (job.attempts_made, seen["attemptsMade"], seen["attemptsStarted"]) == (made, made, made)
    assert seen["state"] == ("completed" if name == "later" else "failed") == await job.get_state()
    assert seen["stacktrace"] == job.stacktrace
    if name == "later":
        assert job.return_value == {"by": worker, "data": {}}
    else:
        reason = {"fail": "no 2", "never": "never"}[name]
        assert (seen["failedReason"], job.failed_reason) == (reason, reason)
        assert len(job.stacktrace) == made
        assert reason in job.stacktrace[-1]


async def test_node_deduplicates_toril_s_job_and_the_other_way(node: Node, queue: toril.Queue) -> None:
    first = await queue.add("x", deduplication=toril.Deduplication("k"))
    same = await node("add", queue.name, job="x", data={}, opts={"deduplication": {"id": "k"}})
    assert same["id"] == first.id
    other = await node("add", queue.name, job="x", data={}, opts={"deduplication": {"id": "n", "ttl": 60000}})
    again = await queue.add("x", deduplication=toril.Deduplication("n", ttl=60.0))
    assert (again.id, again.created) == (other["id"], False)
    assert not (await queue.add("x", job_id=(await _own(node, queue)))).created


async def _own(node: Node, queue: toril.Queue) -> str:
    added = await node("add", queue.name, job="x", data={}, opts={"jobId": "own"})
    return str(added["id"])


async def test_counts_and_pause_read_the_same(node: Node, queue: toril.Queue) -> None:
    await queue.add_many(
        [toril.NewJob("x"), toril.NewJob("x", delay=60), toril.NewJob("x", priority=2), toril.NewJob("x")]
    )
    theirs = await node("counts", queue.name)
    ours = await queue.get_job_counts()
    assert {key: ours[key] for key in theirs if key in ours} == {
        key: theirs[key] for key in theirs if key in ours
    }
    assert theirs["prioritized"] == theirs["delayed"] == 1
    await node("pause", queue.name)
    assert await queue.is_paused()
    await queue.resume()
    await node("work", queue.name, concurrency=1)
    job = await queue.add("y")
    assert (await job.wait(10))["by"] == "node"
    await node("stop", queue.name)


async def test_both_kinds_of_worker_run_each_job_once(node: Node, queue: toril.Queue) -> None:
    count = 2000
    await queue.pause()
    half = [{"name": "n", "data": {"i": i}} for i in range(count // 2)]
    ids = await node("addBulk", queue.name, jobs=half)
    ids += [job.id for job in await queue.add_many([toril.NewJob("t", {"i": i}) for i in range(count // 2)])]
    await node("work", queue.name, concurrency=20)
    async with working(queue, 20) as worker:
        await queue.resume()
        async with asyncio.timeout(30):
            while (await queue.get_job_counts())["completed"] < count:
                await asyncio.sleep(0.05)
        by_node = await node("stop", queue.name)
    assert len(by_node) + worker.completed == count
    assert len(set(by_node)) == len(by_node)
    assert by_node
    assert worker.completed
    jobs = itertools.chain.from_iterable(
        [await queue.get_jobs("completed", start, start + 499) for start in range(0, count, 500)]
    )
    assert {job.id: (job.attempts_started, job.attempts_made) for job in jobs} == dict.fromkeys(ids, (1, 1))


async def test_node_hears_toril_s_events(node: Node, queue: toril.Queue) -> None:
    await node("listen", queue.name)
    async with working(queue):
        good = await queue.add("good", delay=0.02)
        bad = await queue.add("never")
        await ended(queue, good.id)
        await ended(queue, bad.id)
    async with asyncio.timeout(10):
        while {"completed", "failed"} - {event["type"] for event in await node("heard", queue.name)}:
            await asyncio.sleep(0.05)
    heard = await node("heard", queue.name)
    by_type = {(event["type"], event.get("jobId")): event for event in heard}
    assert {("delayed", good.id), ("waiting", bad.id), ("active", good.id)} <= set(by_type)
    assert by_type["completed", good.id]["returnvalue"]["by"] == "toril"
    assert by_type["failed", bad.id]["failedReason"] == "never"


async def test_toril_hears_node_s_events(node: Node, queue: toril.Queue) -> None:
    await node("work", queue.name, concurrency=1)
    async with toril.QueueEvents(queue.name, queue.url) as events, asyncio.timeout(10):
        added = await node("add", queue.name, job="x", data={}, opts={})
        types = []
        async for event in events:
            if event.job_id == added["id"]:
                types.append(event.type)
            if event.type == "completed":
                break
    await node("stop", queue.name)
    assert types == ["added", "waiting", "active", "completed"]


@pytest.mark.parametrize("repeat", ["every", "cron"])
async def test_each_side_goes_on_with_the_other_s_schedule(
    node: Node, queue: toril.Queue, repeat: str
) -> None:
    wire = {"every": 100} if repeat == "every" else {"pattern": "* * * * * *", "tz": "UTC"}
    when: toril.Every | toril.Cron = toril.Every(0.1) if repeat == "every" else toril.Cron("* * * * * *")
    wanted = 3 if repeat == "every" else 2

    async def completed(more_than: int) -> int:
        async with asyncio.timeout(15):
            while (done := (await queue.get_job_counts())["completed"]) < more_than + wanted:
                await asyncio.sleep(0.02)
        return done

    await node("schedule", queue.name, scheduler="s", repeat=wire, job="tick")
    async with working(queue):
        done = await completed(0)
    assert await queue.remove_job_scheduler("s")
    await queue.upsert_job_scheduler("t", when, "tick")
    (found,) = await node("schedulers", queue.name)
    assert (found["key"], found["name"]) == ("t", "tick")
    await node("work", queue.name, concurrency=1)
    await completed(done)
    await node("stop", queue.name)
