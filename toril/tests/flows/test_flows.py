"""Flows: added at once, run from the leaves up, and what a child's failure does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril
from toril import FlowJob, JobState, OnFailure

Working = Callable[..., AbstractAsyncContextManager[None]]


async def handler(job: toril.Job) -> object:
    if job.name == "bad":
        raise toril.Fail("broken")
    values = await job.get_children_values()
    return {"name": job.name, "sum": sum(value["sum"] for value in values.values()) + (job.data or 0)}


async def leftovers(queue: toril.Queue) -> set[str]:
    keys = await queue.store.connection.call("KEYS", queue.store.keys.base + "*")
    return {key.decode().removeprefix(queue.store.keys.base) for key in keys}


async def test_a_parent_runs_after_its_children_with_their_results(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    grandchildren = [FlowJob("leaf", queue.name, n) for n in (1, 2)]
    node = await flows.add(
        FlowJob(
            "top",
            queue.name,
            100,
            children=[FlowJob("mid", below.name, 10, children=grandchildren), FlowJob("leaf", below.name, 4)],
        )
    )
    assert await node.job.get_state() == JobState.WAITING_CHILDREN
    assert [child.job.name for child in node.children] == ["mid", "leaf"]
    assert (await queue.get_job_counts())["waiting-children"] == 1
    async with working(handler, queue, below):
        assert await queue.wait(node.job.id, 10) == {"name": "top", "sum": 117}
    values = await node.job.get_children_values()
    assert values == {
        node.children[0].job.ref: {"name": "mid", "sum": 13},
        node.children[1].job.ref: {"name": "leaf", "sum": 4},
    }
    leaf = await queue.get_job(node.children[0].children[0].job.id)
    assert leaf is not None
    assert leaf.parent == node.children[0].job.ref


async def test_a_flow_is_read_as_a_tree(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer
) -> None:
    made = await flows.add(
        FlowJob("a", queue.name, children=[FlowJob("b", below.name, children=[FlowJob("c", queue.name)])] * 1)
    )
    read = await flows.get(queue.name, made.job.id)
    assert read is not None
    assert [read.job.name, read.children[0].job.name, read.children[0].children[0].job.name] == [
        "a",
        "b",
        "c",
    ]
    shallow = await flows.get(queue.name, made.job.id, depth=1)
    assert shallow is not None
    assert shallow.children == []
    assert await flows.get(queue.name, "none") is None


POLICIES: list[tuple[OnFailure | None, JobState, dict[str, int]]] = [
    (None, JobState.WAITING_CHILDREN, {"processed": 1, "pending": 1, "ignored": 0, "failed": 0}),
    (OnFailure.FAIL_PARENT, JobState.FAILED, {"processed": 1, "pending": 0, "ignored": 0, "failed": 1}),
    (OnFailure.IGNORE, JobState.COMPLETED, {"processed": 1, "pending": 0, "ignored": 1, "failed": 0}),
    (OnFailure.REMOVE, JobState.COMPLETED, {"processed": 1, "pending": 0, "ignored": 0, "failed": 0}),
    (
        OnFailure.CONTINUE_PARENT,
        JobState.COMPLETED,
        {"processed": 1, "pending": 0, "ignored": 1, "failed": 0},
    ),
]


@pytest.mark.parametrize(("policy", "state", "counts"), POLICIES, ids=str)
async def test_each_failure_policy(
    queue: toril.Queue,
    below: toril.Queue,
    flows: toril.FlowProducer,
    working: Working,
    policy: OnFailure | None,
    state: JobState,
    counts: dict[str, int],
) -> None:
    node = await flows.add(
        FlowJob(
            "top",
            queue.name,
            children=[FlowJob("good", below.name), FlowJob("bad", below.name, on_failure=policy)],
        )
    )
    async with working(handler, queue, below, concurrency=1):
        for child in node.children:
            with contextlib.suppress(toril.JobFailed):
                await below.wait(child.job.id, 10)
        if state is not JobState.WAITING_CHILDREN:
            with contextlib.suppress(toril.JobFailed):
                await queue.wait(node.job.id, 10)
    assert await node.job.get_state() == state
    found = await node.job.get_dependencies()
    assert found.counts == counts
    if policy in {OnFailure.IGNORE, OnFailure.CONTINUE_PARENT}:
        assert await node.job.get_ignored_failures() == {node.children[1].job.ref: "broken"}
    if state is JobState.FAILED:
        parent = await queue.get_job(node.job.id)
        assert parent is not None
        assert parent.failed_reason == f"child {node.children[1].job.ref} failed"
        assert parent.attempts_started == 1


async def test_failure_goes_up_through_generations(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    up = OnFailure.FAIL_PARENT
    node = await flows.add(
        FlowJob(
            "top",
            queue.name,
            children=[
                FlowJob(
                    "mid", below.name, on_failure=up, children=[FlowJob("bad", queue.name, on_failure=up)]
                )
            ],
        )
    )
    async with working(handler, queue, below):
        with pytest.raises(toril.JobFailed, match=f"child {node.children[0].job.ref} failed"):
            await queue.wait(node.job.id, 10)


async def test_continue_parent_runs_it_while_others_are_pending(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    seen: list[int] = []

    async def look(job: toril.Job) -> None:
        if job.name == "bad":
            raise toril.Fail("broken")
        found = await job.get_dependencies()
        seen.append(found.counts["pending"])
        await job.remove_pending_children()

    node = await flows.add(
        FlowJob(
            "top",
            queue.name,
            children=[
                FlowJob("bad", below.name, on_failure=OnFailure.CONTINUE_PARENT),
                FlowJob("later", below.name, delay=3600),
            ],
        )
    )
    async with working(look, queue, below):
        await queue.wait(node.job.id, 10)
    assert seen == [1]
    assert await below.get_job(node.children[1].job.id) is None


async def test_a_failed_child_that_is_retried_is_waited_for_again(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    mended = False

    async def mend(job: toril.Job) -> str:
        if job.name == "child" and not mended:
            raise toril.Fail("not yet")
        return "done"

    node = await flows.add(FlowJob("top", queue.name, children=[FlowJob("child", below.name)]))
    async with working(mend, queue, below):
        with pytest.raises(toril.JobFailed):
            await below.wait(node.children[0].job.id, 10)
        assert await node.job.get_state() == JobState.WAITING_CHILDREN
        mended = True
        await below.retry(node.children[0].job.id)
        assert await queue.wait(node.job.id, 10) == "done"


async def test_a_handler_adds_children_and_waits_for_them(
    queue: toril.Queue, below: toril.Queue, working: Working
) -> None:
    runs: list[int] = []

    async def step(job: toril.Job) -> object:
        if job.name == "child":
            return job.data
        runs.append(job.attempts_started)
        if job.attempts_started == 1:
            await below.add_many([toril.NewJob("child", n, parent=job.ref) for n in range(5)])
        await job.wait_for_children()
        return sorted((await job.get_children_values()).values())

    async with toril.QueueEvents(queue.name, queue.url) as events, working(step, queue):
        job = await queue.add("parent", attempts=1)
        async with asyncio.timeout(10):
            async for event in events:
                if event.type == "waiting-children":
                    break
        async with working(step, below):
            assert await job.wait(10) == [0, 1, 2, 3, 4]
    assert runs == [1, 2]
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_made == 1


async def test_a_parent_that_ends_before_its_children_fails(
    queue: toril.Queue, below: toril.Queue, working: Working
) -> None:
    async def hasty(job: toril.Job) -> str:
        await below.add("child", parent=job.ref)
        return "too early"

    async with working(hasty, queue):
        job = await queue.add("parent")
        with pytest.raises(toril.JobFailed, match="pending children"):
            await job.wait(10)


async def test_delay_and_priority_of_a_parent_count_from_its_release(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    late, urgent = await flows.add_many(
        [
            FlowJob("late", queue.name, delay=3600, children=[FlowJob("x", below.name)]),
            FlowJob("urgent", queue.name, priority=2, children=[FlowJob("x", below.name)]),
        ]
    )
    async with working(handler, below):
        for node in (late, urgent):
            await below.wait(node.children[0].job.id, 10)
    assert await late.job.get_state() == JobState.DELAYED
    assert await urgent.job.get_state() == JobState.PRIORITIZED


async def test_the_same_flow_added_again_is_the_same_flow(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    def flow() -> FlowJob:
        return FlowJob(
            "top", queue.name, 1, job_id="t", children=[FlowJob("leaf", below.name, 2, job_id="l")]
        )

    first = await flows.add(flow())
    again = await flows.add(flow())
    assert (first.job.created, again.job.created, again.children[0].job.created) == (True, False, False)
    async with working(handler, queue, below):
        assert await queue.wait("t", 10) == {"name": "top", "sum": 3}
    other = await flows.add(FlowJob("other", queue.name, 5, children=[FlowJob("new", below.name, 1)]))
    with pytest.raises(toril.ParentTaken):
        await flows.add(FlowJob("third", queue.name, children=[FlowJob("leaf", below.name, job_id="l")]))
    assert (await queue.get_job_counts())["waiting-children"] == 1
    assert other.job.created


async def test_a_completed_job_becomes_a_child_with_its_result(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    async with working(handler, queue, below):
        await (await below.add("leaf", 7, job_id="done")).wait(10)
        node = await flows.add(
            FlowJob("top", queue.name, children=[FlowJob("leaf", below.name, job_id="done")])
        )
        assert await queue.wait(node.job.id, 10) == {"name": "top", "sum": 7}


async def test_a_missing_parent_and_wrong_flows_add_nothing(
    queue: toril.Queue, flows: toril.FlowProducer
) -> None:
    with pytest.raises(toril.ParentMissing):
        await queue.add("child", parent=toril.JobRef(queue.name, "99"))
    with pytest.raises(toril.ParentMissing):
        await flows.add_many(
            [FlowJob("fine", queue.name), FlowJob("x", queue.name, parent=toril.JobRef(queue.name, "99"))]
        )
    with pytest.raises(toril.InvalidOption, match="twice"):
        await flows.add(
            FlowJob("x", queue.name, children=[FlowJob("y", queue.name, job_id="same") for _ in range(2)])
        )
    with pytest.raises(toril.InvalidOption, match="deduplication"):
        FlowJob("x", queue.name, deduplication=toril.Deduplication("k"))
    with pytest.raises(toril.InvalidPayload):
        await flows.add(FlowJob("x", queue.name, children=[FlowJob("y", queue.name, object())]))
    with pytest.raises(toril.InvalidOption, match="on_failure"):
        FlowJob("x", queue.name, on_failure="explode")
    assert await leftovers(queue) == set()


async def test_removing_a_parent_removes_its_children_unless_one_runs(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def hold(job: toril.Job) -> None:
        started.set()
        await go_on.wait()

    flow = FlowJob(
        "top", queue.name, children=[FlowJob("a", below.name), FlowJob("b", below.name, delay=3600)]
    )
    node = await flows.add(flow)
    async with working(hold, below):
        await started.wait()
        with pytest.raises(toril.JobLocked):
            await node.job.remove()
        go_on.set()
        await below.wait(node.children[0].job.id, 10)
    await node.job.remove()
    counts = await below.get_job_counts()
    assert (counts["delayed"], counts["completed"]) == (0, 0)
    assert await leftovers(queue) <= {"events", "meta", "id"}

    node = await flows.add(flow)
    await node.job.remove(children=False)
    assert (await below.get_job_counts())["delayed"] == 1


async def test_a_removed_child_is_waited_for_no_longer(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer
) -> None:
    node = await flows.add(
        FlowJob("top", queue.name, children=[FlowJob("a", below.name), FlowJob("b", below.name)])
    )
    await node.children[0].job.remove()
    assert await node.job.get_state() == JobState.WAITING_CHILDREN
    assert await node.children[1].job.leave_parent()
    assert await node.job.get_state() == JobState.WAITING
    assert not await node.children[1].job.leave_parent()
    child = await below.get_job(node.children[1].job.id)
    assert child is not None
    assert child.parent is None


async def test_draining_children_releases_a_parent_elsewhere_and_removes_one_here(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer
) -> None:
    across = await flows.add(FlowJob("top", queue.name, children=[FlowJob("a", below.name)]))
    within = await flows.add(FlowJob("top", below.name, children=[FlowJob("a", below.name)]))
    await below.drain()
    assert await across.job.get_state() == JobState.WAITING
    with pytest.raises(toril.JobNotFound):
        await within.job.get_state()


async def test_children_that_keep_nothing_leave_their_results(
    queue: toril.Queue, below: toril.Queue, flows: toril.FlowProducer, working: Working
) -> None:
    async with toril.QueueEvents(queue.name, queue.url) as events:
        node = await flows.add(
            FlowJob(
                "top",
                queue.name,
                keep_completed=False,
                children=[FlowJob("leaf", below.name, n, keep_completed=False) for n in range(10)]
                + [FlowJob("bad", below.name, keep_failed=False)],
            )
        )
        async with working(handler, queue, below), asyncio.timeout(10):
            async for event in events:
                if event.type == "completed" and event.job_id == node.job.id:
                    break
    assert '"sum":45' in event.fields["returnvalue"]
    checks = {"stalled-check", "toril:schedulers-check", "toril:beating"}
    assert await leftovers(queue) <= {"events", "meta", "id", "marker"} | checks
    assert await leftovers(below) <= {"events", "meta", "id", "marker"} | checks


@pytest.mark.parametrize(("depth", "breadth"), [(2000, 1), (2, 2500)])
async def test_thousands_deep_and_broad(
    queue: toril.Queue, flows: toril.FlowProducer, working: Working, depth: int, breadth: int
) -> None:
    def tree(level: int) -> FlowJob:
        made = [FlowJob("leaf", queue.name, 1) for _ in range(breadth)]
        for _ in range(level - 1):
            made = [FlowJob("node", queue.name, 0, children=made)]
        return made[0]

    node = await flows.add(tree(depth))
    async with working(handler, queue, concurrency=100):
        result = await queue.wait(node.job.id, 60)
    assert result == {"name": "node", "sum": breadth}
    assert (await queue.get_job_counts())["waiting-children"] == 0
    await queue.remove(node.job.id)
    assert (await queue.get_job_counts())["completed"] == 0


async def test_defaults_of_a_queue_hold_for_its_jobs_of_a_flow(
    queue: toril.Queue, below: toril.Queue
) -> None:
    defaults: dict[str, toril.JobKeywords] = {below.name: {"attempts": 4, "on_failure": OnFailure.IGNORE}}
    async with toril.FlowProducer(queue.url, defaults=defaults) as flows:
        children = [FlowJob("plain", below.name), FlowJob("own", below.name, attempts=2)]
        node = await flows.add(FlowJob("top", queue.name, children=children))
    assert node.job.options == toril.JobOptions()
    for child, attempts in zip(node.children, (4, 2), strict=True):
        found = await below.get_job(child.job.id)
        assert found is not None
        assert found.options.attempts == child.job.options.attempts == attempts
        assert found.options.on_failure is OnFailure.IGNORE
    wrong: list[toril.JobKeywords] = [
        {"attempts": 0},
        {"job_id": "one"},
        {"parent": node.job.ref},
        {"deduplication": toril.Deduplication("k")},
    ]
    for options in wrong:
        with pytest.raises(toril.InvalidOption):
            toril.FlowProducer(queue.url, defaults={queue.name: options})
