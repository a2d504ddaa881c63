"""A queue's own settings, its prefix and its end: what either side sets, the other keeps to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

import toril

from .conftest import driving
from .stored import stored

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


async def test_defaults_of_either_side_are_written_into_jobs(node: Node, queue: toril.Queue) -> None:
    keep = toril.Keep(count=7)
    wire = {"attempts": 5, "removeOnFail": {"count": 7}, "keepLogs": 4}
    await node("open", queue.name, opts={"defaultJobOptions": wire})
    await node("add", queue.name, job="x", data={}, opts={"attempts": 2})
    options: toril.JobKeywords = {"attempts": 5, "keep_failed": keep, "keep_logs": 4}
    async with toril.Queue(queue.name, queue.url, defaults=options) as made:
        await made.add("x", {}, attempts=2)
    for job in await queue.get_jobs("waiting"):
        found = job.options
        assert (found.attempts, found.keep_failed, found.keep_logs) == (2, keep, 4)
        opts = (await node("get", queue.name, job=job.id))["opts"]
        assert (opts["attempts"], opts["removeOnFail"], opts["keepLogs"]) == (2, {"count": 7}, 4)


async def test_settings_of_either_are_read_by_the_other(node: Node, queue: toril.Queue) -> None:
    await node("open", queue.name, opts={"streams": {"events": {"maxLen": 77}}})
    await queue.set_global_concurrency(3)
    await queue.set_global_rate_limit(4, 2.0)
    await node("pause", queue.name)
    meta = await node("call", queue.name, method="getMeta", args=[])
    assert meta["concurrency"] == 3
    assert (meta["max"], meta["duration"], meta["paused"], meta["maxLenEvents"]) == (4, 2000, True, 77)
    ours = await queue.get_meta()
    assert ours.pop("version") == await node("call", queue.name, method="getVersion", args=[])
    assert ours == {
        "concurrency": "3", "max": "4", "duration": "2000", "paused": "1", "opts.maxLenEvents": "77",
    }  # fmt: skip
    await node("call", queue.name, method="removeGlobalConcurrency", args=[])
    assert await queue.get_global_concurrency() is None
    await node("call", queue.name, method="setGlobalConcurrency", args=[2])
    await queue.remove_global_concurrency()
    assert await node("call", queue.name, method="getGlobalConcurrency", args=[]) is None


@pytest.mark.parametrize("side", ["node", "toril"])
async def test_the_stream_of_both_is_as_long_as_either_says(
    node: Node, queue: toril.Queue, side: str
) -> None:
    call, key = queue.store.connection.call, queue.store.keys.events
    if side == "node":
        await node("open", queue.name, opts={"streams": {"events": {"maxLen": 100}}})
    else:
        await queue.set_max_events(100)
        await node("open", queue.name, opts={"skipMetasUpdate": True})
    await node("addBulk", queue.name, jobs=[{"name": "x"} for _ in range(300)])
    await queue.add_many([toril.NewJob("x") for _ in range(300)])
    await queue.add("x")  # toril trims before it writes, once a call
    assert 100 <= await call("XLEN", key) < 300  # by whole blocks
    await node("call", queue.name, method="trimEvents", args=[0])
    assert await call("XLEN", key) < 100
    await queue.add("x")
    await queue.trim_events(1)
    assert await call("XLEN", key) == 1


@pytest.mark.parametrize("prefix", ["other", "{shard}", "a:b"])
async def test_a_prefix_is_the_same_to_both(
    valkey_url: str, node_packages: None, queue_name: str, prefix: str
) -> None:
    low = f"{queue_name}-low"
    async with (
        driving(str(urlsplit(valkey_url).port), prefix) as node,
        toril.Queue(queue_name, valkey_url, prefix=prefix) as queue,
        toril.FlowProducer(valkey_url, prefix="elsewhere") as flows,
    ):
        await node("work", queue_name)
        await node("work", low)
        child = toril.FlowJob("one", low, {}, prefix=prefix)
        flow = await flows.add(toril.FlowJob("sum", queue_name, 1, children=[child], prefix=prefix))
        assert await queue.wait(flow.job.id, 15) == 2
        added = await node("add", queue_name, job="x", data={}, opts={})
        assert await queue.wait(added["id"], 15) == {"by": "node", "data": {}}
        assert (await node("get", queue_name, job=flow.job.id))["prefix"] == prefix
        found = await flows.get(queue_name, flow.job.id, prefix=prefix)
        assert found is not None
        assert found.children[0].job.ref == toril.JobRef(low, flow.children[0].job.id, prefix)


@pytest.mark.parametrize("side", ["node", "toril"])
async def test_either_obliterates_what_both_have_left(node: Node, queue: toril.Queue, side: str) -> None:
    flow = {"name": "x", "queueName": queue.name, "children": [{"name": "x", "queueName": queue.name}]}
    await node("flow", flow=flow)
    await node("add", queue.name, job="x", data={}, opts={"deduplication": {"id": "k"}, "delay": 60_000})
    await node("schedule", queue.name, scheduler="theirs", repeat={"every": 60_000}, job="tick")
    await queue.upsert_job_scheduler("ours", toril.Every(60.0), "tick")
    job = await queue.add("x", priority=2, deduplication=toril.Deduplication("n"))
    await job.log("a line")
    running = await queue.add("x", lifo=True)
    call, keys = queue.store.connection.call, queue.store.keys
    await call("LMOVE", keys.wait, keys.active, "RIGHT", "LEFT")
    await call("SET", keys.job(running.id) + ":lock", "a worker's")
    await queue.pause()
    if side == "node":
        with pytest.raises(AssertionError, match="active"):
            await node("obliterate", queue.name, opts={})
        await node("obliterate", queue.name, opts={"force": True, "count": 3})
    else:
        with pytest.raises(toril.QueueActive):
            await queue.obliterate()
        await queue.obliterate(force=True)
    left = {key for key in await stored(queue) if not key.startswith("toril:")}
    assert left == set()
    # The queue may be used anew by both.
    assert (await node("add", queue.name, job="x", data={}, opts={}))["id"] == "1"
    assert (await queue.add("x")).id == "2"
