"""Payloads at and beyond what JSON, UTF-8 and a server can carry: an exact round trip, or a clear error."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]

LONE = "a\ud800b"
WHOLE = {
    "ten megabytes": "x" * 10_000_000,
    "nul": "a\0b",
    "every plane": "\u00e9\u2028\ufffe\U0001f600",
    "beyond doubles": [2**53 + 1, -(2**53) - 1, 2**63, 2**64 - 1, 10**30],
    "floats": [0.1, 1e308, 5e-324, -0.0],
    "deep": json.loads("[" * 900 + "]" * 900),
    "empty": ["", {}, [], None, False, {"": ""}],
}


def deep(levels: int) -> Any:
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


REFUSED = {
    "lone surrogate": LONE,
    "lone surrogate as key": {LONE: 1},
    "nan": {"ok": None, "bad": [math.nan]},
    "infinity": (1, {"a": -math.inf}),
    "too deep": deep(10_000),
    "no JSON": object(),
}


@pytest.mark.parametrize("what", WHOLE)
async def test_data_progress_and_result_come_back_exactly(
    queue: toril.Queue, running: Running, what: str
) -> None:
    value = WHOLE[what]
    seen: list[object] = []

    async def handler(job: toril.Job) -> Any:
        seen.append(job.data)
        await job.update_progress(value)
        return job.data

    async with running(handler):
        job = await queue.add("echo", value)
        assert await job.wait(20) == value
    read = await queue.get_job(job.id)
    assert read is not None
    assert (seen, read.data, read.progress, read.return_value) == ([value], value, value, value)


@pytest.mark.parametrize("what", REFUSED)
async def test_what_json_cannot_say_is_refused_everywhere(
    queue: toril.Queue, running: Running, what: str
) -> None:
    value = REFUSED[what]
    job = await queue.add("ok", job_id="ok", delay=60)
    flow = toril.FlowJob("root", queue.name, children=[toril.FlowJob("child", queue.name, value)])
    with pytest.raises(toril.InvalidPayload):
        await queue.add("bad", value)
    with pytest.raises(toril.InvalidPayload):
        await queue.add_many([toril.NewJob("good"), toril.NewJob("bad", value)])
    with pytest.raises(toril.InvalidPayload):
        await queue.upsert_job_scheduler("s", toril.Every(60), "bad", value)
    with pytest.raises(toril.InvalidPayload):
        await job.update_data(value)
    with pytest.raises(toril.InvalidPayload):
        await job.update_progress(value)
    async with toril.FlowProducer(queue.url) as flows:
        with pytest.raises(toril.InvalidPayload):
            await flows.add(flow)
    assert await queue.count() == 1
    runs = []

    async def handler(job: toril.Job) -> Any:
        runs.append(job.id)
        return value

    async with running(handler):
        done = await queue.add("run", attempts=3)
        with pytest.raises(toril.JobFailed, match="the handler's result cannot be written as JSON"):
            await done.wait(10)
    assert runs == [done.id], "the work is done: it is not done again for its result"


async def test_names_and_ids_are_valid_unicode_and_do_their_neighbours_no_harm(queue: toril.Queue) -> None:
    refused: list[Callable[[], Any]] = [
        lambda: queue.add(LONE),
        lambda: queue.add("x", job_id=LONE),
        lambda: queue.add("x", deduplication=toril.Deduplication(LONE)),
        lambda: queue.add("x", backoff=toril.Backoff.custom(LONE)),
        lambda: queue.upsert_job_scheduler(LONE, toril.Every(60), "x"),
        lambda: queue.upsert_job_scheduler("s", toril.Every(60), LONE),
        lambda: queue.publish_event(LONE),
        lambda: queue.publish_event("mine", {"a": LONE}),
        lambda: queue.wait(LONE, 1),
        lambda: toril.FlowJob(LONE, queue.name),
        lambda: toril.Queue(LONE, queue.url),
        lambda: toril.Queue("x", queue.url, prefix=LONE),
    ]

    async def run(call: Callable[[], Any]) -> None:
        await call()

    # All in one turn of the event loop, beside adds that share its call to the server.
    first = queue.add("first", job_id="first")
    told = await asyncio.gather(first, *map(run, refused), queue.add("last"), return_exceptions=True)
    assert [type(each).__name__ for each in told[1:-1]] == ["InvalidOption"] * len(refused)
    assert [each.name for each in await queue.get_jobs("waiting", ascending=True)] == ["first", "last"]
    for nul in ("a\0b", "\U0001f600"):
        job = await queue.add(nul, job_id=nul)
        assert (job.id, (await queue.get_jobs("waiting"))[0].name) == (nul, nul)


async def test_logs_reasons_and_error_texts_are_made_readable(queue: toril.Queue, running: Running) -> None:
    async def handler(job: toril.Job) -> None:
        await job.log(LONE)
        await job.log("nul \0 and \U0001f600")
        raise ValueError(LONE + "\0" + "x" * 10_000_000)

    async with running(handler):
        job = await queue.add("x")
        with pytest.raises(toril.JobFailed, match=r"a\\ud800b"):
            await job.wait(10)
    assert await job.get_logs() == ["a\\ud800b", "nul \0 and \U0001f600"]
    read = await queue.get_job(job.id)
    assert read is not None
    assert read.failed_reason is not None
    assert read.failed_reason.startswith("a\\ud800b\0xxx")
    assert len(read.failed_reason) <= 64 * 1024
    waiting = await queue.add("y")
    await waiting.cancel(LONE)
    with pytest.raises(toril.JobFailed, match=r"a\\ud800b"):
        await waiting.wait(10)


@pytest.mark.parametrize("depth", [1_000, 10_000, 100_000])
async def test_another_client_s_data_that_is_too_deep_fails_its_job_alone(
    queue: toril.Queue, running: Running, depth: int
) -> None:
    async def handler(job: toril.Job) -> str:
        return str(job.data)[:1]

    broken = await queue.add("deep", attempts=3)
    call, keys = queue.store.connection.call, queue.store.keys
    await call("HSET", keys.job(broken.id), "data", "[" * depth + "]" * depth)
    neighbour = await queue.add("ok", "fine")
    async with running(handler):
        assert await neighbour.wait(10) == "f"
        with pytest.raises(toril.JobFailed, match="data of job"):
            await queue.wait(broken.id, 10)
