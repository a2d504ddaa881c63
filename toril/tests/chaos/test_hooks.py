"""Middleware that raises: the job fails, and the worker, its renewals and its stall check live."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


class Nameless(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), asyncio.CancelledError("told"), Nameless("no"), RecursionError("deep")],
)
async def test_a_hook_that_raises_fails_its_job_and_the_worker_renews_its_locks(
    error: BaseException, queue: toril.Queue, running: Running
) -> None:
    runs: list[str] = []

    async def hook(job: toril.Job, run: Callable[[], Awaitable[object]]) -> object:
        if job.name == "bad":
            raise error
        return await run()

    async def handler(job: toril.Job) -> str:
        runs.append(job.id)
        await asyncio.sleep(0.9)  # three times as long as its lock
        return "ok"

    async with running(handler, middleware=[hook], lock_duration=0.3, stalled_interval=0.1, death_after=None):
        bad = await queue.add("bad")
        with pytest.raises(toril.JobFailed):
            await bad.wait(5)
        good = await queue.add("good")
        assert await good.wait(5) == "ok"
    assert runs == [good.id]
    counts = await queue.get_job_counts()
    assert (counts["failed"], counts["completed"], counts["active"]) == (1, 1, 0)
