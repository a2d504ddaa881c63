"""What one side refuses, the other refuses too, of jobs made by either; and nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import toril

from .stored import stored

pytestmark = pytest.mark.node

Node = Callable[..., Awaitable[Any]]
Ours = Callable[[toril.Queue], Awaitable[object]]


def of_a_job(job: str, method: str, *args: object) -> dict[str, Any]:
    return {"verb": "callJob", "job": job, "method": method, "args": args}


def of_the_queue(method: str, *args: object) -> dict[str, Any]:
    return {"verb": "call", "method": method, "args": args}


def with_parent(queue: str, parent: str, **opts: object) -> dict[str, Any]:
    return {**opts, "parent": {"id": parent, "queue": f"bull:{queue}"}}


REFUSED: dict[str, tuple[dict[str, Any], str, Ours, type[toril.TorilError]]] = {
    "retry of a waiting job": (
        of_a_job("1", "retry", "failed"),
        "not in the failed state",
        lambda queue: queue.retry("1"),
        toril.JobNotInState,
    ),
    "promotion of a waiting job": (
        of_a_job("1", "promote"),
        "not in the delayed state",
        lambda queue: queue.promote("1"),
        toril.JobNotInState,
    ),
    "other delay of a waiting job": (
        of_a_job("1", "changeDelay", 5000),
        "not in the delayed state",
        lambda queue: queue.change_delay("1", 5.0),
        toril.JobNotInState,
    ),
    "removal of a running job": (
        of_a_job("2", "remove"),
        "could not be removed because it is locked",
        lambda queue: queue.remove("2"),
        toril.JobLocked,
    ),
    "removal of a scheduler's next job": (
        of_a_job("next", "remove"),
        "belongs to a job scheduler",
        lambda queue: queue.remove("next"),
        toril.JobNotInState,
    ),
    "progress of a missing job": (
        of_the_queue("updateJobProgress", "none", 3),
        "Missing key for job none",
        lambda queue: queue.update_progress("none", 3),
        toril.JobNotFound,
    ),
    "log of a missing job": (
        of_the_queue("addJobLog", "none", "a line"),
        "Missing key for job none",
        lambda queue: queue.log("none", "a line"),
        toril.JobNotFound,
    ),
}


@pytest.fixture
async def filled(node: Node, queue: toril.Queue) -> str:
    """Jobs 1 (waiting), 2 (running) and a scheduler's next one, whose id is returned."""
    await queue.add("x", {})
    await queue.add("x", {}, lifo=True)
    call, keys = queue.store.connection.call, queue.store.keys
    await call("LMOVE", keys.wait, keys.active, "RIGHT", "LEFT")
    await call("SET", keys.job("2") + ":lock", "a worker's")
    await queue.upsert_job_scheduler("s", toril.Cron("0 0 1 1 *"), "yearly")
    (planned,) = await queue.get_job_ids("delayed")
    return planned


@pytest.mark.parametrize("case", REFUSED)
async def test_the_same_is_refused_by_both(node: Node, queue: toril.Queue, filled: str, case: str) -> None:
    wire, says, ours, error = REFUSED[case]
    await node("counts", queue.name)  # Node writes its version at its first call
    before = await stored(queue)
    verb, job = wire["verb"], wire.get("job")
    arguments = {"method": wire["method"], "args": wire["args"]}
    if verb == "callJob":
        arguments["job"] = filled if job == "next" else job
    with pytest.raises(AssertionError, match=says):
        await node(verb, queue.name, **arguments)
    assert await stored(queue) == before
    with pytest.raises(error):
        await (queue.remove(filled) if job == "next" else ours(queue))
    assert await stored(queue) == before


async def test_a_parent_that_is_missing_or_taken_is_refused_by_both(node: Node, queue: toril.Queue) -> None:
    one, two = await queue.add("x"), await queue.add("x")
    await queue.add("x", job_id="child", parent=one.ref)
    before = await stored(queue)
    with pytest.raises(AssertionError, match="Missing key for parent job"):
        await node("add", queue.name, job="x", data={}, opts=with_parent(queue.name, "none"))
    with pytest.raises(toril.ParentMissing):
        await queue.add("x", parent=toril.JobRef(queue.name, "none"))
    with pytest.raises(AssertionError, match="cannot be replaced"):
        await node("add", queue.name, job="x", data={}, opts=with_parent(queue.name, two.id, jobId="child"))
    with pytest.raises(toril.ParentTaken):
        await queue.add("x", job_id="child", parent=two.ref)
    after = await stored(queue)
    # Node's version, and the counter of ids: Node counts before it looks.
    for kept in (before, after):
        kept.pop("meta", None)
        kept.pop("id")
    assert after == before


async def test_a_parent_that_ends_before_its_children_fails_for_node_s_eyes_too(
    node: Node, queue: toril.Queue
) -> None:
    async def early(job: toril.Job) -> None:
        if job.name == "parent":
            opts = with_parent(queue.name, job.id, delay=60_000)
            await node("add", queue.name, job="x", data={}, opts=opts)

    worker = toril.Worker(queue.name, early, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    added = await node("add", queue.name, job="parent", data={}, opts={})
    with pytest.raises(toril.JobFailed):
        await queue.wait(added["id"], 10)
    worker.stop()
    await task
    read = await node("get", queue.name, job=added["id"])
    assert read["state"] == "failed"
    assert "children" in read["failedReason"]
    pending = await node("dependencies", queue.name, job=added["id"])
    assert len(pending["unprocessed"]) == 1
