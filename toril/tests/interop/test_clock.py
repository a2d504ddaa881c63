"""A queue on a moved clock, and Node, whose clock does not move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril
from toril import testing

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


async def test_node_may_look_at_a_queue_on_a_moved_clock_but_not_change_it(
    node: Node, queue: toril.Queue
) -> None:
    clocks = testing.clock(queue)
    clock = await clocks.__aenter__()
    job = await queue.add("x", {"n": 1}, delay=3600)
    await clock.advance(3601)
    assert (await node("get", queue.name, job=job.id))["data"] == {"n": 1}
    await clock.now()
    await node("add", queue.name, job="y", data={}, opts={})
    with pytest.raises(toril.ServerRefused, match="CLOCKMIXED"):
        await clock.advance(1)
    with pytest.raises(toril.ServerRefused, match="CLOCKMIXED"):
        await clocks.__aexit__(None, None, None)
    assert (await queue.get_job_counts())["waiting"] == 1
