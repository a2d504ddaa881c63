"""Flows of Node and toril, added by one and run or read by the other, or by both at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import toril
from toril import FlowJob, JobState, OnFailure

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]


async def handler(job: toril.Job) -> object:
    if job.name == "never":
        raise toril.Fail("never")
    if job.name == "one":
        return 1
    return sum((await job.get_children_values()).values()) + (job.data or 0)


@contextlib.asynccontextmanager
async def working(*queues: str, url: str) -> AsyncIterator[None]:
    workers = [toril.Worker(queue, handler, url=url, concurrency=5) for queue in queues]
    tasks = [asyncio.create_task(worker.run(handle_signals=False)) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)


def wire(name: str, queue: str, children: list[dict[str, Any]] | None = None, **opts: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "queueName": queue, "data": 0, "opts": opts}
    return made | {"children": children} if children else made


@pytest.fixture
async def below(valkey_url: str, queue_name: str) -> AsyncIterator[toril.Queue]:
    async with toril.Queue(f"{queue_name}-below", valkey_url) as made:
        yield made


@pytest.mark.parametrize("side", ["node", "toril", "both"])
@pytest.mark.parametrize("producer", ["node", "toril"])
async def test_a_flow_of_either_is_run_by_either(
    node: Node, queue: toril.Queue, below: toril.Queue, producer: str, side: str
) -> None:
    top, low = queue.name, below.name
    if producer == "node":
        flow = wire("sum", top, [wire("sum", low, [wire("one", top), wire("one", low)]), wire("one", low)])
        root = (await node("flow", flow=flow))["job"]["id"]
    else:
        async with toril.FlowProducer(queue.url) as flows:
            inner = FlowJob("sum", low, 0, children=[FlowJob("one", top, {}), FlowJob("one", low, {})])
            root = (await flows.add(FlowJob("sum", top, 0, children=[inner, FlowJob("one", low, {})]))).job.id
    async with contextlib.AsyncExitStack() as stack:
        if side in {"toril", "both"}:
            await stack.enter_async_context(working(top, low, url=queue.url))
        if side in {"node", "both"}:
            for name in (top, low):
                await node("work", name, concurrency=2)
                stack.push_async_callback(node, "stop", name)
        assert await queue.wait(root, 15) == 3
    for read in (await node("dependencies", top, job=root),):
        assert sorted(read["processed"].values()) == [1, 2]
    job = await queue.get_job(root)
    assert job is not None
    assert sorted((await job.get_children_values()).values()) == [1, 2]


async def test_a_flow_is_read_by_both(node: Node, queue: toril.Queue, below: toril.Queue) -> None:
    async with toril.FlowProducer(queue.url) as flows:
        ours = await flows.add(
            FlowJob(
                "a",
                queue.name,
                1,
                children=[FlowJob("b", below.name, 2, priority=3), FlowJob("c", below.name)],
            )
        )
        theirs = await node("flow", flow=wire("a", queue.name, [wire("b", below.name, priority=3)]))
        seen = await node("tree", queue.name, job=ours.job.id)
        assert seen["job"]["name"] == "a"
        assert {child["job"]["name"] for child in seen["children"]} == {"b", "c"}
        read = await flows.get(queue.name, theirs["job"]["id"])
    assert read is not None
    assert [child.job.name for child in read.children] == ["b"]
    assert read.children[0].job.parent == read.job.ref
    assert read.children[0].job.priority == 3
    found = await node("get", below.name, job=ours.children[0].job.id)
    assert found["opts"]["parent"] == {"id": ours.job.id, "queue": f"bull:{queue.name}"}


POLICIES = [
    (OnFailure.FAIL_PARENT, "failParentOnFailure", JobState.FAILED),
    (OnFailure.CONTINUE_PARENT, "continueParentOnFailure", JobState.COMPLETED),
    (OnFailure.IGNORE, "ignoreDependencyOnFailure", JobState.COMPLETED),
    (OnFailure.REMOVE, "removeDependencyOnFailure", JobState.COMPLETED),
]


@pytest.mark.parametrize(("producer", "worker"), [("node", "toril"), ("toril", "node"), ("node", "node")])
@pytest.mark.parametrize(("policy", "option", "state"), POLICIES)
async def test_each_policy_means_the_same_to_both(
    node: Node,
    queue: toril.Queue,
    below: toril.Queue,
    policy: OnFailure,
    option: str,
    state: JobState,
    producer: str,
    worker: str,
) -> None:
    top, low = queue.name, below.name
    if producer == "node":
        made = await node("flow", flow=wire("sum", top, [wire("never", low, **{option: True})]))
        root, child = made["job"]["id"], made["children"][0]["job"]["id"]
    else:
        async with toril.FlowProducer(queue.url) as flows:
            ours = await flows.add(
                FlowJob("sum", top, 0, children=[FlowJob("never", low, on_failure=policy)])
            )
            root, child = ours.job.id, ours.children[0].job.id
    async with contextlib.AsyncExitStack() as stack:
        if worker == "toril":
            await stack.enter_async_context(working(top, low, url=queue.url))
        else:
            for name in (top, low):
                await node("work", name, concurrency=2)
                stack.push_async_callback(node, "stop", name)
        with contextlib.suppress(toril.JobFailed):
            await queue.wait(root, 15)
    job = await queue.get_job(root)
    assert job is not None
    assert await job.get_state() == state
    found = await job.get_dependencies()
    ref = toril.JobRef(low, child)
    assert found.pending == frozenset()
    assert dict(found.ignored) == (
        {ref: "never"} if policy in {OnFailure.IGNORE, OnFailure.CONTINUE_PARENT} else {}
    )
    assert found.failed == ((ref,) if policy is OnFailure.FAIL_PARENT else ())
    counts = await node("callJob", top, job=root, method="getDependenciesCount", args=[])
    names = {"processed": "processed", "unprocessed": "pending", "ignored": "ignored", "failed": "failed"}
    assert {ours: counts[theirs] for theirs, ours in names.items()} == dict(found.counts)
    ignored = await node("callJob", top, job=root, method="getIgnoredChildrenFailures", args=[])
    assert ignored == {str(key): reason for key, reason in (await job.get_ignored_failures()).items()}
    if state is JobState.FAILED:
        assert job.failed_reason == f"child {ref} failed"


async def test_a_node_handler_s_children_are_run_by_toril(
    node: Node, queue: toril.Queue, below: toril.Queue
) -> None:
    job = await queue.add("spawn", {"below": below.name})
    await node("work", queue.name, concurrency=1)
    async with working(below.name, url=queue.url):
        assert await job.wait(15) == 3
    await node("stop", queue.name)


async def test_a_toril_handler_s_children_are_run_by_node(
    node: Node, queue: toril.Queue, below: toril.Queue
) -> None:
    async def spawn(job: toril.Job) -> object:
        if job.attempts_started == 1:
            await below.add_many([toril.NewJob("one", parent=job.ref) for _ in range(3)])
        await job.wait_for_children()
        return len(await job.get_children_values())

    await node("work", below.name, concurrency=1)
    worker = toril.Worker(queue.name, spawn, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    assert await (await queue.add("spawn")).wait(15) == 3
    worker.stop()
    await task
    await node("stop", below.name)


async def test_either_removes_the_other_s_flow(node: Node, queue: toril.Queue, below: toril.Queue) -> None:
    flow = wire("sum", queue.name, [wire("one", below.name), wire("one", below.name)])
    theirs = await node("flow", flow=flow)
    await queue.remove(theirs["job"]["id"])
    async with toril.FlowProducer(queue.url) as flows:
        ours = await flows.add(FlowJob("sum", queue.name, children=[FlowJob("one", below.name)]))
    await node("remove", queue.name, job=ours.job.id)
    for each in (queue, below):
        assert not any((await each.get_job_counts()).values())


async def test_either_takes_children_from_the_other_s_parent(
    node: Node, queue: toril.Queue, below: toril.Queue
) -> None:
    """One child leaves its parent, the other two are removed; then the parent waits for none."""
    low = [wire("one", below.name) for _ in range(3)]
    theirs = await node("flow", flow=wire("sum", queue.name, low))
    async with toril.FlowProducer(queue.url) as flows:
        children = [FlowJob("one", below.name) for _ in range(3)]
        ours = (await flows.add(FlowJob("sum", queue.name, children=children))).job
        parent = theirs["job"]["id"]
        assert await below.leave_parent(theirs["children"][0]["job"]["id"])
        counts = await node("callJob", queue.name, job=parent, method="getDependenciesCount", args=[])
        assert counts["unprocessed"] == 2
        assert await queue.remove_pending_children(parent) == 2
        first = next(iter((await ours.get_dependencies()).pending)).id
        assert await node("callJob", below.name, job=first, method="removeChildDependency", args=[])
        assert (await ours.get_dependencies()).counts["pending"] == 2
        await node("callJob", queue.name, job=ours.id, method="removeUnprocessedChildren", args=[])
        for job_id in (parent, ours.id):
            assert await queue.get_state(job_id) == JobState.WAITING
        assert (await below.get_job_counts())["waiting"] == 2


@pytest.mark.parametrize("producer", ["node", "toril"])
async def test_defaults_of_a_flow_s_queues_are_read_by_both(
    node: Node, queue: toril.Queue, below: toril.Queue, producer: str
) -> None:
    if producer == "node":
        kept = {"defaultJobOptions": {"attempts": 4, "removeOnFail": {"count": 3}}}
        flow = wire("sum", queue.name, [wire("one", below.name, priority=2)])
        await node("flow", flow=flow, opts={"queuesOptions": {below.name: kept}})
    else:
        keep = toril.Keep(count=3)
        defaults: dict[str, toril.JobKeywords] = {below.name: {"attempts": 4, "keep_failed": keep}}
        async with toril.FlowProducer(queue.url, defaults=defaults) as flows:
            await flows.add(FlowJob("sum", queue.name, children=[FlowJob("one", below.name, priority=2)]))
    (child,) = await below.get_jobs("prioritized")
    assert (child.options.attempts, child.options.keep_failed) == (4, toril.Keep(count=3))
    opts = (await node("get", below.name, job=child.id))["opts"]
    assert (opts["attempts"], opts["removeOnFail"], opts["priority"]) == (4, {"count": 3}, 2)
    (top,) = await queue.get_jobs("waiting-children")
    assert top.options.attempts == 1
