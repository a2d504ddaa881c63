"""Job schedulers shared by Node BullMQ and toril: made, read and run by either, or by both at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import toril

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


@contextlib.asynccontextmanager
async def toril_working(queue: toril.Queue, **options: Any) -> AsyncIterator[list[str]]:
    ran: list[str] = []

    async def handler(job: toril.Job) -> dict[str, str]:
        ran.append(job.id)
        return {"by": "toril"}

    worker = toril.Worker(queue.name, handler, url=queue.url, **options)
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield ran
    finally:
        worker.stop()
        await task


@contextlib.asynccontextmanager
async def node_working(node: Node, queue: toril.Queue, **options: Any) -> AsyncIterator[None]:
    await node("work", queue.name, **options)
    try:
        yield
    finally:
        await node("stop", queue.name)


def working(side: str, node: Node, queue: toril.Queue) -> contextlib.AbstractAsyncContextManager[object]:
    return toril_working(queue) if side == "toril" else node_working(node, queue, concurrency=2)


async def upsert(node: Node, queue: toril.Queue, scheduler: str, repeat: dict[str, Any], **more: Any) -> None:
    arguments = [scheduler, repeat, {"name": "tick", **more}]
    await node("call", queue.name, method="upsertJobScheduler", args=arguments)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def instants(jobs: list[toril.Job]) -> list[int]:
    return sorted(int(job.id.rpartition(":")[2]) for job in jobs)


async def completed(queue: toril.Queue, wanted: int, limit: float = 15.0) -> list[toril.Job]:
    async with asyncio.timeout(limit):
        while len(jobs := await queue.get_jobs("completed", 0, 999)) < wanted:
            await asyncio.sleep(0.02)
    return jobs


async def nothing_left(queue: toril.Queue) -> None:
    async with asyncio.timeout(15):
        while True:
            counts = await queue.get_job_counts()
            if counts["active"] + counts["delayed"] + counts["waiting"] == 0:
                return
            await asyncio.sleep(0.02)


SIDES = pytest.mark.parametrize(("maker", "runner"), [("node", "toril"), ("toril", "node"), ("node", "node")])


@SIDES
@pytest.mark.parametrize("kind", ["every", "cron"])
async def test_a_limit_ends_it_wherever_it_runs(
    node: Node, queue: toril.Queue, maker: str, runner: str, kind: str
) -> None:
    if maker == "node":
        timing = {"every": 100} if kind == "every" else {"pattern": "* * * * * *", "tz": "Asia/Kolkata"}
        await upsert(node, queue, "s", {**timing, "limit": 3})
    else:
        cron = toril.Cron("* * * * * *", "Asia/Kolkata", limit=3)
        await queue.upsert_job_scheduler("s", toril.Every(0.1, limit=3) if kind == "every" else cron, "tick")
    async with working(runner, node, queue):
        jobs = await completed(queue, 3)
        await nothing_left(queue)
    assert len(await queue.get_jobs("completed")) == 3
    (read,) = await node("schedulers", queue.name)
    assert (read["limit"], read["iterationCount"]) == (3, 3)
    step = 100 if kind == "every" else 1000
    assert all((b - a) % step == 0 for a, b in itertools.pairwise(instants(jobs)))
    for job, count in zip(sorted(jobs, key=lambda each: each.id), (1, 2, 3), strict=True):
        found = await node("get", queue.name, job=job.id)
        assert found["opts"]["repeat"]["count"] == count


@SIDES
async def test_an_end_date_ends_it_wherever_it_runs(
    node: Node, queue: toril.Queue, maker: str, runner: str
) -> None:
    await node("counts", queue.name)  # Node has begun: its start takes as long as it may
    end = datetime.now(UTC) + timedelta(seconds=4.5)
    if maker == "node":
        await upsert(node, queue, "s", {"pattern": "* * * * * *", "tz": "UTC", "endDate": ms(end)})
    else:
        await queue.upsert_job_scheduler("s", toril.Cron("* * * * * *", end=end), "tick")
    async with working(runner, node, queue):
        await completed(queue, 2)
        await nothing_left(queue)
    assert max(instants(await queue.get_jobs("completed"))) <= ms(end)
    (read,) = await node("schedulers", queue.name)
    assert read["endDate"] == ms(end)


@SIDES
async def test_a_start_an_offset_and_an_immediate_run(
    node: Node, queue: toril.Queue, maker: str, runner: str
) -> None:
    await node("counts", queue.name)  # Node has begun: a start that has passed meanwhile is none to it
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    yearly = toril.Cron("30 4 1 1 *", "America/Sao_Paulo", immediately=True)
    if maker == "node":
        await upsert(node, queue, "start", {"every": 200, "startDate": ms(start), "limit": 2})
        await upsert(node, queue, "offset", {"every": 200, "offset": 70, "limit": 2})
        await upsert(
            node, queue, "now", {"pattern": "30 4 1 1 *", "tz": "America/Sao_Paulo", "immediately": True}
        )
    else:
        await queue.upsert_job_scheduler("start", toril.Every(0.2, start=start, limit=2), "tick")
        await queue.upsert_job_scheduler("offset", toril.Every(0.2, 0.07, limit=2), "tick")
        await queue.upsert_job_scheduler("now", yearly, "tick")
    before = ms(datetime.now(UTC))
    async with working(runner, node, queue):
        jobs = await completed(queue, 5)
    by_id = {key: [i for i in jobs if i.scheduler_id == key] for key in ("start", "offset", "now")}
    assert instants(by_id["start"]) == [ms(start), ms(start) + 200]
    assert [each % 200 for each in instants(by_id["offset"])] == [70, 70]
    (now,) = instants(by_id["now"])
    assert abs(now - before) < 5000
    found = await queue.get_job_scheduler("now")
    assert found is not None
    assert found.next_run == yearly.next_after(datetime.now(UTC))


async def test_a_template_is_read_on_both_sides(node: Node, queue: toril.Queue) -> None:
    end = datetime(2090, 1, 1, tzinfo=UTC)
    await queue.upsert_job_scheduler(
        "ours",
        toril.Cron("0 3 * * *", "Europe/Berlin", limit=9, end=end, missed=toril.Missed.skip()),
        "n",
        {"a": [1, "ž"]},
        attempts=4,
        backoff=toril.Backoff.exponential(2.0),
        keep_completed=toril.Keep(count=7),
        priority=2,
    )
    read = await node("call", queue.name, method="getJobScheduler", args=["ours"])
    found = await queue.get_job_scheduler("ours")
    assert found is not None
    assert read == {
        "key": "ours",
        "name": "n",
        "next": ms(found.next_run),
        "iterationCount": 1,
        "limit": 9,
        "endDate": ms(end),
        "tz": "Europe/Berlin",
        "pattern": "0 3 * * *",
        "offset": 0,
        "template": {
            "data": {"a": [1, "ž"]},
            "opts": {
                "attempts": 4,
                "priority": 2,
                "backoff": {"type": "exponential", "delay": 2000},
                "removeOnComplete": {"count": 7},
            },
        },
    }
    opts = {
        "attempts": 5,
        "backoff": {"type": "fixed", "delay": 1500},
        "removeOnFail": {"age": 60},
        "lifo": True,
    }
    repeat = {"every": 60000, "offset": 500, "limit": 3, "endDate": ms(end)}
    await upsert(node, queue, "theirs", repeat, data={"b": 2}, opts=opts)
    found = await queue.get_job_scheduler("theirs")
    assert found is not None
    assert found.when == toril.Every(60, 0.5, limit=3, end=end)
    assert (found.name, found.data, found.options.attempts, found.options.lifo) == ("tick", {"b": 2}, 5, True)
    assert found.options.backoff == toril.Backoff.fixed(1.5)
    assert found.options.keep_failed == toril.Keep(age=60)
    assert await node("call", queue.name, method="getJobSchedulersCount", args=[]) == 2
    assert await queue.get_job_schedulers_count() == 2


async def test_a_job_keeps_its_template_from_side_to_side(node: Node, queue: toril.Queue) -> None:
    opts = {"attempts": 3, "backoff": {"type": "fixed", "delay": 5}}
    await upsert(node, queue, "s", {"every": 60}, data={"k": 1}, opts=opts)
    for side in ("toril", "node", "toril"):
        before = len(await queue.get_jobs("completed", 0, 999))
        async with working(side, node, queue):
            jobs = await completed(queue, before + 3)
        for job in jobs:
            assert (job.name, job.data, job.options.attempts) == ("tick", {"k": 1}, 3)
            assert job.options.backoff == toril.Backoff.fixed(0.005)


@pytest.mark.parametrize("kind", ["every", "cron"])
async def test_workers_of_both_take_turns(node: Node, queue: toril.Queue, kind: str) -> None:
    if kind == "every":
        await queue.upsert_job_scheduler("s", toril.Every(0.04), "tick")
        wanted, step = 60, 40
    else:
        await upsert(node, queue, "s", {"pattern": "* * * * * *", "tz": "Africa/Casablanca"})
        wanted, step = 6, 1000
    async with node_working(node, queue, concurrency=2), toril_working(queue) as ours:
        await completed(queue, wanted, 30)
    jobs = await queue.get_jobs("completed", 0, 999)  # those too that ran while the workers stopped
    found = instants(jobs)
    assert len(set(found)) == len(found)
    assert all((b - a) % step == 0 for a, b in itertools.pairwise(found))
    if kind == "every":
        assert 0 < len(ours) < len(jobs)
    (read,) = await node("schedulers", queue.name)
    assert read["iterationCount"] - len(jobs) in (1, 2)


async def test_scheduler_doubled_or_vanished_on_concurrent_boot_with_node(
    node: Node, queue: toril.Queue
) -> None:
    """Node and toril put the same one in place again and again, while workers of both run it.

    Node's own upsert takes away a run that is due and has not begun, also among Node clients alone;
    so Node's come, twenty at once, when the next run is not due for a while.
    """
    done = asyncio.Event()
    call, keys = queue.store.connection.call, queue.store.keys
    repeat = {"pattern": "* * * * * *", "tz": "UTC"}

    async def ours() -> None:
        async with toril.Queue(queue.name, queue.url) as other:
            for i in itertools.count():
                if done.is_set():
                    return
                await other.upsert_job_scheduler("s", toril.Cron("* * * * * *"), "tick", {"n": i % 2})

    async def theirs() -> None:
        seen = 0.0
        while not done.is_set():
            due = float(await call("ZSCORE", keys.repeat, "s") or 0)
            if due == seen or due < 1000 * time.time() + 600:
                await asyncio.sleep(0.005)
                continue
            seen = due
            await asyncio.gather(*(upsert(node, queue, "s", repeat, data={"n": 2}) for _ in range(20)))

    async with node_working(node, queue, concurrency=2), toril_working(queue):
        boots = [asyncio.create_task(ours()) for _ in range(10)] + [asyncio.create_task(theirs())]
        await completed(queue, 5, 30)
        done.set()
        await asyncio.gather(*boots)
        jobs = await completed(queue, 6, 30)
    found = instants(jobs)
    assert len(set(found)) == len(found)
    assert {b - a for a, b in itertools.pairwise(found)} == {1000}
    counts = await queue.get_job_counts()
    assert counts["delayed"] + counts["waiting"] + counts["active"] == 1


async def test_what_node_does_to_toril_s_own_part(node: Node, queue: toril.Queue) -> None:
    skip = toril.Every(0.1, missed=toril.Missed.skip(5))
    await queue.upsert_job_scheduler("s", skip, "tick")
    async with node_working(node, queue, concurrency=1):
        await completed(queue, 3)
    found = await queue.get_job_scheduler("s")
    assert found is not None
    assert found.when is not None
    assert found.when.missed == skip.missed
    # To be made anew by Node is to be Node's.
    await upsert(node, queue, "s", {"every": 100}, data={"x": 1})
    found = await queue.get_job_scheduler("s")
    assert found is not None
    assert found.when is not None
    assert found.when.missed == toril.Missed.once()


async def test_a_node_worker_knows_no_policy_but_once(node: Node, queue: toril.Queue) -> None:
    call, keys = queue.store.connection.call, queue.store.keys
    await queue.upsert_job_scheduler("s", toril.Cron("0 * * * *", missed=toril.Missed.skip()), "tick")
    old = f"repeat:s:{(await call('ZSCORE', keys.repeat, 's')).decode()}"
    due = int(old.rpartition(":")[2]) - 5 * 3_600_000
    await call("RENAME", keys.job(old), keys.job(f"repeat:s:{due}"))
    await call("ZREM", keys.delayed, old)
    await call("ZADD", keys.delayed, due * 4096, f"repeat:s:{due}")
    await call("ZADD", keys.repeat, due, "s")
    async with node_working(node, queue, concurrency=1):
        (late,) = await completed(queue, 1)
    assert late.id == f"repeat:s:{due}"
    found = await queue.get_job_scheduler("s")
    assert found is not None
    assert found.next_run.timestamp() > time.time()


async def test_each_removes_the_other_s(node: Node, queue: toril.Queue) -> None:
    await queue.upsert_job_scheduler("ours", toril.Cron("0 3 * * *"), "tick")
    await upsert(node, queue, "theirs", {"pattern": "0 3 * * *", "tz": "UTC"})
    assert await node("call", queue.name, method="removeJobScheduler", args=["ours"])
    assert await queue.remove_job_scheduler("theirs")
    assert await queue.get_job_schedulers() == []
    assert (await queue.get_job_counts())["delayed"] == 0


@pytest.mark.slow
async def test_the_corpus_of_cron_times_is_what_node_says_today(node_packages: None) -> None:
    """`toril/tests/schedulers/test_cron.py` compares toril's times with it."""
    folder = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        "node", "cron.mjs", cwd=folder / "tests" / "node", stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    corpus = folder / "toril" / "tests" / "schedulers" / "cron_corpus.json"
    assert json.loads(printed) == json.loads(corpus.read_text())
