"""Obliterate leaves no key of a queue behind, whatever has been done with it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

import toril
from toril import Deduplication, FlowJob, Keep


async def keys_of(queue: toril.Queue) -> set[str]:
    found: set[str] = set()
    cursor = b"0"
    while True:
        cursor, keys = await queue.store.connection.call(
            "SCAN", cursor, "MATCH", f"{queue.prefix}:{queue.name}:*", "COUNT", 1000
        )
        found |= {key.decode() for key in keys}
        if cursor == b"0":
            return found


async def handler(job: toril.Job) -> object:
    await job.update_progress({"done": 1})
    await job.log("a line")
    if job.name == "bad":
        raise ValueError("bad")
    if job.name == "again" and job.attempts_started < 2:
        raise toril.Snooze(0.01)
    return job.name


async def handler_of_a_schedule() -> None: ...


async def use_every_feature(queue: toril.Queue) -> None:
    """Leave something of each kind behind: ended, waiting, delayed jobs, logs, flows, schedules…"""
    worker = toril.Worker(
        queue.name,
        handler,
        url=queue.url,
        concurrency=5,
        metrics_minutes=60,
        keep_completed=Keep(count=1000, age=3600),
    )
    running = asyncio.create_task(worker.run(handle_signals=False))
    first = [
        await queue.add("good"),
        await queue.add("again"),
        await queue.add("bad", attempts=2, backoff=0.01),
        await queue.add("delayed", delay=0.01, job_id="own"),
        await queue.add("urgent", priority=3, lifo=True),
        await queue.add("once", deduplication=Deduplication("simple")),
        await queue.add("once", deduplication=Deduplication.throttle("throttle", 3600)),
        await queue.add("not kept", deduplication=Deduplication.throttle("gone", 3600), keep_completed=False),
        await queue.add("aged", keep_completed=Keep(age=3600), keep_failed=Keep(age=3600)),
    ]
    async with toril.FlowProducer(queue.url) as flows:
        children = [FlowJob("child", queue.name), FlowJob("bad", queue.name, on_failure="idof")]
        first.append((await flows.add(FlowJob("parent", queue.name, children=children))).job)
        for job in first:
            with contextlib.suppress(toril.JobFailed, toril.JobNotFound):
                await job.wait(10)
        worker.stop()
        await running
        children = [FlowJob("child", queue.name), FlowJob("child", queue.name, delay=3600)]
        await flows.add(FlowJob("parent", queue.name, children=children))
    await queue.upsert_job_scheduler("cron", toril.Cron("0 * * * *"), "tick", {"k": 1})
    await queue.upsert_job_scheduler("every", toril.Every(3600), "tock")
    app = toril.Toril(queue.url)
    app.job(queue.name, name="nightly")(handler_of_a_schedule)
    app.schedule("declared", toril.Cron("0 0 * * *"), app.definitions[0])
    await app.apply_schedules()
    await app.close()
    await queue.set_global_concurrency(3)
    await queue.set_global_rate_limit(100, 60)
    await queue.rate_limit(60)
    await (await queue.add("cancelled", delay=3600)).cancel("not wanted")
    await queue.add("deadline", delay=60, deadline=3600)
    await queue.add("waiting")
    await queue.add("waiting", deduplication=Deduplication("held"))
    await queue.add("delayed", delay=3600, deduplication=Deduplication.debounce("quiet", 3600))
    await queue.add("delayed", delay=3600, deduplication=Deduplication.debounce("quiet", 3600))
    urgent = await queue.add("urgent", priority=1)
    await urgent.log("before its run")


async def test_nothing_is_left_of_a_queue_that_used_every_feature(queue: toril.Queue) -> None:
    await use_every_feature(queue)
    used = {key.removeprefix(f"bull:{queue.name}:").partition(":")[0] for key in await keys_of(queue)}
    assert {"completed", "failed", "delayed", "wait", "prioritized", "waiting-children"} <= used
    assert {"repeat", "de", "metrics", "events", "meta", "toril"} <= used
    await queue.pause()
    await queue.obliterate()
    assert await keys_of(queue) == set()


@pytest.mark.parametrize("force", [True, False])
async def test_running_jobs_are_obliterated_by_force_only(queue: toril.Queue, force: bool) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(job: toril.Job) -> None:
        begun.set()
        await ended.wait()

    worker = toril.Worker(queue.name, slow, url=queue.url, drain_timeout=0.1)
    running = asyncio.create_task(worker.run(handle_signals=False))
    await queue.add("slow", deduplication=Deduplication.keep_last("last"))
    await begun.wait()
    await queue.add("slow", deduplication=Deduplication.keep_last("last"))
    await queue.publish_event("noticed", {"by": "test"})
    await queue.pause()
    if force:
        await queue.obliterate(force=True)
        ended.set()
        worker.stop()
        await running
        assert await queue.get_job_counts() == dict.fromkeys(await queue.get_job_counts(), 0)
        # What a worker of the queue may write once more, as any new queue would have it.
        left = {key.removeprefix(f"bull:{queue.name}:") for key in await keys_of(queue)}
        assert left <= {"events", "meta", "stalled-check"}
    else:
        with pytest.raises(toril.QueueActive):
            await queue.obliterate()
        ended.set()
        worker.stop()
        await running
        await queue.obliterate()
        assert await keys_of(queue) == set()


async def test_a_queue_whose_keys_look_like_deduplication_keys_is_spared(
    valkey_url: str, queue_name: str
) -> None:
    inner = toril.Queue("de", valkey_url, prefix=f"bull:{queue_name}")
    async with toril.Queue(queue_name, valkey_url) as outer, inner:
        job = await inner.add("y")
        before = await keys_of(inner)
        await outer.add("x", deduplication=Deduplication.throttle("k", 60))
        await outer.pause()
        await outer.obliterate()
        assert await keys_of(inner) >= before
        assert await job.get_state() == "waiting"


async def test_names_with_wildcards_spare_other_queues(valkey_url: str, queue_name: str) -> None:
    async with (
        toril.Queue(f"{queue_name}*[a]?", valkey_url) as wild,
        toril.Queue(queue_name, valkey_url) as tame,
    ):
        for queue in (wild, tame):
            await queue.add("x", deduplication=Deduplication.throttle("k", 60), job_id="own")
        await wild.pause()
        await wild.obliterate()
        assert await wild.get_deduplication_job_id("k") is None
        assert await tame.get_deduplication_job_id("k") == "own"
