"""Why a job of Node's does not run, or by which worker of Node's it is run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril
from toril import ReasonKind

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


def kinds(found: toril.Explanation) -> list[ReasonKind]:
    return [each.kind for each in found.reasons]


async def first_reason(queue: toril.Queue, job_id: str, kind: ReasonKind) -> toril.Reason:
    """Wait until this is the first reason, and return it."""
    async with asyncio.timeout(10):
        while True:
            found = (await toril.explain(queue, job_id)).reasons[0]
            if found.kind is kind:
                return found
            await asyncio.sleep(0.01)


async def test_node_s_jobs_and_workers_are_explained(node: Node, queue: toril.Queue) -> None:
    held = await node("add", queue.name, job="hold", data={})
    late = await node("add", queue.name, job="x", data={}, opts={"delay": 60_000})
    again = await node(
        "add", queue.name, job="fail", data={}, opts={"attempts": 2, "backoff": 60_000, "priority": 3}
    )
    assert kinds(await toril.explain(queue, held["id"])) == [ReasonKind.NO_WORKER, ReasonKind.NEXT]
    await node("work", queue.name, called="n1", concurrency=2)
    assert (await first_reason(queue, held["id"], ReasonKind.RUNNING)).worker == "n1"
    assert kinds(await toril.explain(queue, late["id"])) == [ReasonKind.DELAYED]
    backoff = await first_reason(queue, again["id"], ReasonKind.BACKOFF)
    assert "attempt 1 of 2 failed" in backoff.text
    await node("pause", queue.name)
    waits = await node("add", queue.name, job="x", data={})
    assert kinds(await toril.explain(queue, waits["id"])) == [ReasonKind.PAUSED, ReasonKind.NEXT]
    await node("release", queue.name)
    await node("stop", queue.name)
