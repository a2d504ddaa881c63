"""Jobs whose hash another client, or an accident, has broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril
from toril import JobState

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]
Call = Callable[..., Awaitable[object]]


async def missing(call: Call, key: str) -> None:
    await call("DEL", key)


async def another_type(call: Call, key: str) -> None:
    await call("DEL", key)
    await call("SET", key, "no hash")


def field(name: str, value: bytes | str) -> Callable[[Call, str], Awaitable[None]]:
    async def put(call: Call, key: str) -> None:
        await call("HSET", key, name, value)

    put.__name__ = f"{name}={value!r}"
    return put


def without(*names: str) -> Callable[[Call, str], Awaitable[None]]:
    async def take(call: Call, key: str) -> None:
        await call("HDEL", key, *names)

    take.__name__ = f"without {names}"
    return take


GONE = [missing, another_type]
FAILS = [
    field("data", "{no json"),
    field("data", b"\xff\xfe"),
    field("opts", "[]"),
    field("opts", "nonsense"),
    field("opts", '{"backoff": 7, "attempts": "many"}'),
    field("opts", '{"deadline": "soon"}'),
]
RUNS = [
    field("timestamp", "NaN"),
    field("delay", "NaN"),
    field("priority", "first"),
    field("ats", "some"),
    field("atm", "-"),
    field("stc", "x"),
    field("parent", "{"),
    field("parent", '{"id": 5}'),
    field("parent", '"text"'),
    field("unknown", b"\x00\xff"),
    field("name", b"\xff\xfe\x00"),
    field("stacktrace", "{"),
    field("progress", "{"),
    field("rjk", "no-such-scheduler"),
    without("timestamp"),
    without("opts", "delay", "priority"),
    without("data"),
]
BREAKS = [*GONE, *FAILS, *RUNS]


async def handler(job: toril.Job) -> str:
    return f"ran {job.id}"


@pytest.mark.parametrize("state", ["waiting", "delayed", "prioritized"])
@pytest.mark.parametrize("breakage", BREAKS, ids=lambda each: each.__name__)
async def test_job_hash_broken_by_another_client(
    queue: toril.Queue, running: Running, state: str, breakage: Callable[[Call, str], Awaitable[None]]
) -> None:
    """The job runs, or fails with the reason, or is taken out; its neighbours run, and so does the worker."""
    options: toril.JobKeywords = {}
    if state == "delayed":
        options = {"delay": 0.05}
    elif state == "prioritized":
        options = {"priority": 2}
    first = await queue.add("first", **options)
    broken = await queue.add("broken", {"n": 1}, **options)
    last = await queue.add("last", **options)
    await breakage(queue.store.connection.call, queue.store.keys.job(broken.id))
    for listed in await queue.get_jobs(state, 0, 10):
        assert repr(listed)
    async with running(handler, concurrency=2):
        for neighbour in (first, last):
            assert await neighbour.wait(10) == f"ran {neighbour.id}"
        if breakage in GONE:
            async with asyncio.timeout(10):
                while await queue.count() or (await queue.get_job_counts())["active"]:
                    await asyncio.sleep(0.01)
        elif breakage in FAILS:
            with pytest.raises(toril.JobFailed):
                await queue.wait(broken.id, 10)
            (found,) = await queue.get_jobs(JobState.FAILED)
            assert found.id == broken.id
            assert found.failed_reason
        else:
            assert await queue.wait(broken.id, 10) == f"ran {broken.id}"
        assert await (await queue.add("after")).wait(10)
    counts = await queue.get_job_counts()
    assert (counts["active"], counts["waiting"]) == (0, 0)
