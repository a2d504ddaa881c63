"""What toril writes is what Node BullMQ writes: the same calls leave the same keys.

Each call is made by Node on one queue and by toril on another; then all that the server holds of both is
compared: lists, sets with their order, hashes field by field, the stream of events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import toril
from toril import Backoff, Cron, Deduplication, Every, FlowJob, Keep, OnFailure

from .stored import stored

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


async def handler(job: toril.Job) -> object:
    if job.name == "fail":
        raise ValueError(f"no {job.attempts_made}")
    if job.name == "never":
        raise toril.Fail("never")
    if job.name == "later" and job.attempts_made == 0:
        raise ValueError("not yet")
    if job.name == "snooze" and job.attempts_started == 1:
        raise toril.Snooze(0.02)
    if job.name == "again" and job.attempts_started == 1:
        raise toril.Snooze(0)
    if job.name == "limit" and job.attempts_started == 1:
        raise toril.RateLimited(job.data["ms"] / 1000)
    return {"by": "node", "data": job.data}


@contextlib.asynccontextmanager
async def working(queue: toril.Queue, **options: Any) -> AsyncIterator[None]:
    worker = toril.Worker(queue.name, handler, url=queue.url, **options)
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield
    finally:
        worker.stop()
        await task


async def until_idle(queue: toril.Queue) -> None:
    async with asyncio.timeout(15):
        while True:
            counts = await queue.get_job_counts()
            if not sum(counts.values()) - counts["completed"] - counts["failed"]:
                return
            await asyncio.sleep(0.02)


Pair = tuple[toril.Queue, toril.Queue]
"""Two queues: the first is Node's to work on, the second toril's."""

Pairs = Callable[[str], contextlib.AbstractAsyncContextManager[Pair]]


@pytest.fixture
def pairs(node: Node, valkey_url: str, queue_name: str) -> Pairs:
    """Make the two queues of one case."""

    @contextlib.asynccontextmanager
    async def make(case: str) -> AsyncIterator[Pair]:
        name = f"{queue_name}-{case}"
        async with (
            toril.Queue(f"{name}-x", valkey_url) as theirs,
            toril.Queue(f"{name}-y", valkey_url) as ours,
        ):
            await node("open", theirs.name, opts={})
            yield theirs, ours

    return make


def as_written(kept: dict[str, Any]) -> dict[str, Any]:
    """Take out what may differ: toril's own keys, Node's version, the workers' names, two spellings."""
    # The key of the stalled check is there for a time only.
    found = {
        key: value for key, value in kept.items() if key != "stalled-check" and not key.startswith("toril:")
    }
    found.setdefault("meta", {})  # written by Node's Queue at its start, by toril's with the first job
    for key, value in found.items():
        if isinstance(value, dict):
            fields = {name: each for name, each in value.items() if name != "pb"}
            if key == "meta":
                fields.pop("version", None)
                fields.setdefault("opts.maxLenEvents", "10000")
            if key.startswith("repeat:"):
                fields.setdefault("opts", {})
            if isinstance(opts := fields.get("opts"), dict):
                fields["opts"] = same_options(opts)
            if key.startswith("repeat:"):
                without_moments(fields)
            found[key] = fields
    return found


def without_moments(fields: dict[str, Any]) -> None:
    """Take out of a scheduler or its job what follows from the millisecond at which it was made."""
    if "every" in fields and len(fields.get("offset", "")) > 5:
        del fields["offset"]
    if fields.get("delay", "0") != "0":
        fields["delay"] = fields["opts"]["delay"] = "some"
    # Read for a pattern only; toril writes it for an interval too.
    fields["opts"].pop("prevMillis", None)


def same_options(opts: dict[str, Any]) -> dict[str, Any]:
    # Node writes 0 or nothing for one attempt, and `true` or a number for the count that is kept.
    made = {**opts, "attempts": opts.get("attempts") or 1}
    for name in ("removeOnComplete", "removeOnFail"):
        if name in made and not isinstance(made[name], dict):
            made[name] = {"count": 0 if made[name] is True else made[name]}
    return made


async def assert_same(pair: Pair, case: str, *, after_a_run: bool = False) -> None:
    theirs, ours = [as_written(await stored(queue)) for queue in pair]
    if after_a_run:
        # How often a queue was empty for a moment is a matter of time, and so is the last wake-up.
        for kept in (theirs, ours):
            kept.pop("marker", None)
            kept["events"] = [event for event in kept["events"] if event["event"] != "drained"]
    assert ", ".join(sorted(ours)) == ", ".join(sorted(theirs)), case
    for key, value in theirs.items():
        assert ours[key] == value, f"{case}: {key}"


ADDS: dict[str, tuple[dict[str, Any], toril.JobKeywords]] = {
    "plain": ({}, {}),
    "delayed": ({"delay": 60000}, {"delay": 60.0}),
    "prioritized": ({"priority": 5}, {"priority": 5}),
    "lifo": ({"lifo": True}, {"lifo": True}),
    "fixed": (
        {"attempts": 3, "backoff": {"type": "fixed", "delay": 1}},
        {"attempts": 3, "backoff": Backoff.fixed(0.001)},
    ),
    "exponential": (
        {"attempts": 2, "backoff": {"type": "exponential", "delay": 1}},
        {"attempts": 2, "backoff": Backoff.exponential(0.001)},
    ),
    "own id": ({"jobId": "own"}, {"job_id": "own"}),
    "deduplicated": ({"deduplication": {"id": "k"}}, {"deduplication": Deduplication("k")}),
    "throttled": (
        {"deduplication": {"id": "k", "ttl": 60000}},
        {"deduplication": Deduplication.throttle("k", 60.0)},
    ),
    "debounced": (
        {"delay": 60000, "deduplication": {"id": "k", "ttl": 60000, "extend": True, "replace": True}},
        {"delay": 60.0, "deduplication": Deduplication.debounce("k", 60.0)},
    ),
    "rescheduled": (
        {"delay": 60000, "deduplication": {"id": "k", "reschedule": True}},
        {"delay": 60.0, "deduplication": Deduplication("k", reschedule=True)},
    ),
    "keep last": (
        {"deduplication": {"id": "k", "keepLastIfActive": True}},
        {"deduplication": Deduplication.keep_last("k")},
    ),
    "kept for a time": (
        {"removeOnComplete": {"count": 5, "age": 60}, "removeOnFail": 3},
        {"keep_completed": Keep(count=5, age=60), "keep_failed": Keep(count=3)},
    ),
    "bounded": (
        {"keepLogs": 3, "sizeLimit": 1000, "stackTraceLimit": 1, "attempts": 3},
        {"keep_logs": 3, "size_limit": 1000, "keep_traces": 1, "attempts": 3},
    ),
    "not kept": (
        {"removeOnComplete": True, "removeOnFail": True},
        {"keep_completed": False, "keep_failed": False},
    ),
}


async def test_added_jobs_are_the_same(node: Node, pairs: Pairs) -> None:
    for case, (wire, options) in ADDS.items():
        async with pairs(case) as (theirs, ours):
            for number in range(3):
                data = {"n": number, "text": "☃", "list": [1, 2.5, None, True]}
                await node("add", theirs.name, job="x", data=data, opts=wire)
                await ours.add("x", data, **options)
            await assert_same((theirs, ours), case)


@pytest.mark.parametrize("name", ["good", "fail", "later", "never"])
async def test_jobs_that_have_run_are_the_same(node: Node, pairs: Pairs, name: str) -> None:
    for case, (wire, options) in ADDS.items():
        if "delay" in wire:
            continue
        async with pairs(case) as (theirs, ours):
            await node("add", theirs.name, job=name, data={"n": 1}, opts=wire)
            await ours.add(name, {"n": 1}, **options)
            await node("work", theirs.name, concurrency=1, metrics={"maxDataPoints": 10})
            async with working(ours, metrics_minutes=10):
                for queue in (theirs, ours):
                    await until_idle(queue)
            await node("stop", theirs.name)
            await assert_same((theirs, ours), case, after_a_run=True)


Ours = Callable[[toril.Queue], Awaitable[object]]
ACTS: dict[str, tuple[tuple[Any, ...], Ours]] = {
    "remove waiting": (("remove", "1"), lambda queue: queue.remove("1")),
    "remove delayed": (("remove", "2"), lambda queue: queue.remove("2")),
    "remove prioritized": (("remove", "3"), lambda queue: queue.remove("3")),
    "remove completed": (("remove", "5"), lambda queue: queue.remove("5")),
    "remove failed": (("remove", "6"), lambda queue: queue.remove("6")),
    "remove a holder": (("remove", "4"), lambda queue: queue.remove("4")),
    "promote": (("promote", 2), lambda queue: queue.promote("2")),
    "promote with a priority": (("promote", 8), lambda queue: queue.promote("8")),
    "retry failed": (("retry", 6), lambda queue: queue.retry("6", reset_attempts=False)),
    "retry completed": (("retry", 5, "completed"), lambda queue: queue.retry("5", reset_attempts=False)),
    "retry with all attempts": (
        ("retry", 6, "failed", {"resetAttemptsMade": True, "resetAttemptsStarted": True}),
        lambda queue: queue.retry("6"),
    ),
    "change delay": (("changeDelay", 2, 90000), lambda queue: queue.change_delay("2", 90.0)),
    "change delay to none": (("changeDelay", 2, 0), lambda queue: queue.change_delay("2", 0)),
    "change priority of waiting": (
        ("changePriority", 1, {"priority": 9}),
        lambda queue: queue.change_priority("1", 9),
    ),
    "change priority": (("changePriority", 3, {"priority": 9}), lambda queue: queue.change_priority("3", 9)),
    "change priority, lifo": (
        ("changePriority", 3, {"priority": 9, "lifo": True}),
        lambda queue: queue.change_priority("3", 9, lifo=True),
    ),
    "change priority to none": (
        ("changePriority", 3, {"priority": 0}),
        lambda queue: queue.change_priority("3", 0),
    ),
    "change priority to none, lifo": (
        ("changePriority", 3, {"priority": 0, "lifo": True}),
        lambda queue: queue.change_priority("3", 0, lifo=True),
    ),
    "change priority of delayed": (
        ("changePriority", 2, {"priority": 9}),
        lambda queue: queue.change_priority("2", 9),
    ),
    "update data": (("updateData", 1, {"new": "☃"}), lambda queue: queue.update_data("1", {"new": "☃"})),
    "update progress": (
        ("updateProgress", 1, {"at": 3}),
        lambda queue: queue.update_progress("1", {"at": 3}),
    ),
    "log": (("log", 1, "a line"), lambda queue: queue.log("1", "a line")),
    "clear logs": (("clearLogs", 7), lambda queue: queue.clear_logs("7")),
    "clear some logs": (("clearLogs", 7, 1), lambda queue: queue.clear_logs("7", keep=1)),
    "free a key": (
        ("removeDeduplicationKey", "k"),
        lambda queue: queue.remove_deduplication_key("k"),
    ),
    "pause": (("pause",), lambda queue: queue.pause()),
    "drain": (("drain",), lambda queue: queue.drain()),
    "drain delayed": (("drain", True), lambda queue: queue.drain(delayed=True)),
    "clean completed": (("clean", 0, 10, "completed"), lambda queue: queue.clean("completed", limit=10)),
    "clean failed": (("clean", 0, 10, "failed"), lambda queue: queue.clean("failed", limit=10)),
    "clean waiting": (("clean", 0, 10, "wait"), lambda queue: queue.clean("waiting", limit=10)),
    "clean delayed": (("clean", 0, 10, "delayed"), lambda queue: queue.clean("delayed", limit=10)),
    "clean prioritized": (
        ("clean", 0, 10, "prioritized"),
        lambda queue: queue.clean("prioritized", limit=10),
    ),
    "clean none": (
        ("clean", 60000, 10, "completed"),
        lambda queue: queue.clean("completed", age=60, limit=10),
    ),
    "retry all": (("retryJobs",), lambda queue: queue.retry_jobs(reset_attempts=False)),
    "retry all completed": (
        ("retryJobs", {"state": "completed"}),
        lambda queue: queue.retry_jobs("completed", reset_attempts=False),
    ),
    "promote all": (("promoteJobs",), lambda queue: queue.promote_jobs()),
    "global concurrency": (("setGlobalConcurrency", 3), lambda queue: queue.set_global_concurrency(3)),
    "global rate limit": (
        ("setGlobalRateLimit", 3, 2000),
        lambda queue: queue.set_global_rate_limit(3, 2.0),
    ),
    "rate limit": (("rateLimit", 60000), lambda queue: queue.rate_limit(60.0)),
}
OF_A_JOB = {
    "promote",
    "retry",
    "changeDelay",
    "changePriority",
    "updateData",
    "updateProgress",
    "log",
    "clearLogs",
}


async def fill(queue: toril.Queue) -> None:
    """One job of each state, made and run by toril in both queues."""
    await queue.pause()
    await queue.add("x", {"n": 1})
    await queue.add("x", {"n": 2}, delay=60.0)
    await queue.add("x", {"n": 3}, priority=4)
    await queue.add("x", {"n": 4}, deduplication=Deduplication("k"))
    await queue.add("good", {"n": 5}, lifo=True)
    await queue.add("fail", {"n": 6}, lifo=True)
    # The two at the head are run; then the queue is paused again.
    done = asyncio.Event()
    left = 2

    async def first(job: toril.Job) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            await queue.pause()
            done.set()
        return await handler(job)

    worker = toril.Worker(queue.name, first, url=queue.url, name="one")
    task = asyncio.create_task(worker.run(handle_signals=False))
    await queue.resume()
    await done.wait()
    worker.stop()
    await task
    await queue.resume()
    job = await queue.add("x", {"n": 7})
    for line in ("first", "second"):
        await job.log(line)
    await queue.add("x", {"n": 8}, delay=90.0, priority=2)


async def test_verbs_leave_the_same(node: Node, pairs: Pairs) -> None:
    for case, ((method, *args), act) in ACTS.items():
        async with pairs(case) as (theirs, ours):
            for queue in (theirs, ours):
                await fill(queue)
                if case == "promote all":
                    await queue.remove("8")  # Node would take its priority from it
            if method in OF_A_JOB:
                job, *rest = args
                await node("callJob", theirs.name, job=str(job), method=method, args=rest)
            else:
                await node("call", theirs.name, method=method, args=args)
            await act(ours)
            if case == "promote all":
                # Node leaves the old delay in the hash here, though it sets it back when it promotes one job.
                await ours.store.connection.call("HSET", ours.store.keys.job("2"), "delay", 60000)
            await assert_same((theirs, ours), case)


END = 4_102_444_800_000
SCHEDULES: dict[str, tuple[tuple[Any, ...], Ours]] = {
    "every": (
        ({"every": 3_600_000}, {"name": "tick", "data": {"k": 1}}),
        lambda queue: queue.upsert_job_scheduler("s", Every(3600.0), "tick", {"k": 1}),
    ),
    "every with an offset": (
        ({"every": 3_600_000, "offset": 60_000}, {"name": "tick", "data": {"k": 1}}),
        lambda queue: queue.upsert_job_scheduler("s", Every(3600.0, 60.0), "tick", {"k": 1}),
    ),
    "cron": (
        ({"pattern": "0 3 * * *", "tz": "Europe/Prague"}, {"name": "tick", "data": {}}),
        lambda queue: queue.upsert_job_scheduler("s", Cron("0 3 * * *", "Europe/Prague"), "tick", {}),
    ),
    "cron with bounds": (
        ({"pattern": "0 3 * * *", "tz": "UTC", "limit": 5, "endDate": END}, {"name": "tick", "data": {}}),
        lambda queue: queue.upsert_job_scheduler(
            "s", Cron("0 3 * * *", limit=5, end=datetime.fromtimestamp(END / 1000, UTC)), "tick", {}
        ),
    ),
    "cron with options": (
        (
            {"pattern": "0 3 * * *", "tz": "UTC"},
            {
                "name": "tick",
                "data": {},
                "opts": {"priority": 3, "attempts": 4, "removeOnComplete": {"count": 3}},
            },
        ),
        lambda queue: queue.upsert_job_scheduler(
            "s", Cron("0 3 * * *"), "tick", {}, priority=3, attempts=4, keep_completed=Keep(count=3)
        ),
    ),
}


async def test_schedulers_leave_the_same(node: Node, pairs: Pairs) -> None:
    for case, ((repeat, template), act) in SCHEDULES.items():
        async with pairs(case) as (theirs, ours):
            await node("call", theirs.name, method="upsertJobScheduler", args=["s", repeat, template])
            await act(ours)
            await assert_same((theirs, ours), case)
            if case != "every":  # toril removes a job that waits already, too
                await node("call", theirs.name, method="removeJobScheduler", args=["s"])
                await ours.remove_job_scheduler("s")
                await assert_same((theirs, ours), f"{case}, removed")


POLICIES = {
    None: None,
    "failParentOnFailure": OnFailure.FAIL_PARENT,
    "continueParentOnFailure": OnFailure.CONTINUE_PARENT,
    "ignoreDependencyOnFailure": OnFailure.IGNORE,
    "removeDependencyOnFailure": OnFailure.REMOVE,
}


@pytest.mark.parametrize("run", [False, True])
async def test_flows_leave_the_same(node: Node, pairs: Pairs, run: bool) -> None:
    for policy, our_policy in POLICIES.items():
        async with pairs(str(policy)) as (theirs, ours):
            last = "never" if policy else "good"
            options = {"jobId": "second"} | ({policy: True} if policy else {})
            wire = {
                "name": "good", "queueName": theirs.name, "data": {},
                "opts": {"priority": 2, "jobId": "top"},
                "children": [
                    {"name": "good", "queueName": theirs.name, "data": {"n": 1}, "opts": {"jobId": "first"}},
                    {"name": last, "queueName": theirs.name, "data": {"n": 2}, "opts": options},
                ],
            }  # fmt: skip
            await node("flow", flow=wire)
            async with toril.FlowProducer(ours.url) as flows:
                children = [
                    FlowJob("good", ours.name, {"n": 1}, job_id="first"),
                    FlowJob(last, ours.name, {"n": 2}, on_failure=our_policy, job_id="second"),
                ]
                await flows.add(FlowJob("good", ours.name, {}, children=children, priority=2, job_id="top"))
            if run:
                await node("work", theirs.name, concurrency=1)
                async with working(ours):
                    for queue in (theirs, ours):
                        await until_idle(queue)
                await node("stop", theirs.name)
            await assert_same((theirs, ours), str(policy), after_a_run=run)


async def test_a_worker_s_own_retention_leaves_the_same(node: Node, pairs: Pairs) -> None:
    wire = {"removeOnComplete": {"count": 1}, "removeOnFail": {"count": 2, "age": 60}}
    async with pairs("kept") as (theirs, ours):
        for name in ("good", "fail", "good", "fail", "good", "fail"):
            await node("add", theirs.name, job=name, data={}, opts={})
            await ours.add(name, {})
        await node("work", theirs.name, concurrency=1, **wire)
        async with working(ours, keep_completed=Keep(count=1), keep_failed=Keep(count=2, age=60)):
            for queue in (theirs, ours):
                await until_idle(queue)
        await node("stop", theirs.name)
        await assert_same((theirs, ours), "kept", after_a_run=True)


@pytest.mark.parametrize("name", ["snooze", "again", "limit"])
async def test_jobs_that_steer_themselves_are_the_same(node: Node, pairs: Pairs, name: str) -> None:
    cases: dict[str, tuple[dict[str, Any], toril.JobKeywords]] = {
        "plain": ({}, {}),
        "prioritized": ({"priority": 3}, {"priority": 3}),
        "attempts": ({"attempts": 2}, {"attempts": 2}),
    }
    for case, (wire, options) in cases.items():
        async with pairs(case) as (theirs, ours):
            await node("add", theirs.name, job=name, data={"ms": 50}, opts=wire)
            await ours.add(name, {"ms": 50}, **options)
            limiter = {"max": 1000, "duration": 1}
            await node("work", theirs.name, concurrency=1, limiter=limiter)
            async with working(ours, limiter=toril.RateLimit(1000, 0.001)):
                for queue in (theirs, ours):
                    await until_idle(queue)
            await node("stop", theirs.name)
            await assert_same((theirs, ours), case, after_a_run=True)


async def test_many_flows_at_once_leave_the_same(node: Node, pairs: Pairs) -> None:
    async with pairs("bulk") as (theirs, ours):
        wire = [
            {"name": "x", "queueName": theirs.name, "data": {}, "opts": {"jobId": f"top{n}"}, "children": [
                {"name": "y", "queueName": theirs.name, "data": {}, "opts": {"jobId": f"low{n}"}},
            ]} for n in range(3)
        ]  # fmt: skip
        await node("flows", flows=wire)
        async with toril.FlowProducer(ours.url) as flows:
            low = [FlowJob("y", ours.name, {}, job_id=f"low{n}") for n in range(3)]
            await flows.add_many(
                [FlowJob("x", ours.name, {}, children=[low[n]], job_id=f"top{n}") for n in range(3)]
            )
        # All at one moment, so that the order of the events says nothing.
        left, right = [as_written(await stored(queue)) for queue in (theirs, ours)]
        assert sorted(map(str, left.pop("events"))) == sorted(map(str, right.pop("events")))
        assert left == right
