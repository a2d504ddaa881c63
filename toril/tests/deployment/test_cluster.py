"""Queues on a Cluster: whose keys go where, and what happens while slots move and nodes fail."""

from __future__ import annotations

import asyncio

import pytest

import toril
from toril.storage.discovery import queue_names
from toril.storage.slots import slot_of

from .load import ran, settled, working
from .servers import Cluster, ask, cluster, until


async def test_queues_of_one_prefix_run_on_one_shard(three_shards: Cluster, queue_name: str) -> None:
    url = three_shards.url
    async with toril.Queue(queue_name, url, prefix="{bull}") as queue, working(queue) as done:
        jobs = await queue.add_many([toril.NewJob("a", {"i": i}) for i in range(200)])
        last = await queue.add("b", delay=0.05, priority=3)
        assert await last.wait(timeout=20) == last.id
        await ran(done, {job.id for job in jobs} | {last.id})
        await settled(queue, 201)
        assert len(await queue.workers()) == 1
    holders = [
        node for node in three_shards.nodes if ask(node.port, "DBSIZE") and holds(node.port, queue_name)
    ]
    assert holders == [three_shards.owner("{bull}")]


def holds(port: int, name: str) -> bool:
    return any(name.encode() in key for key in ask(port, "KEYS", "*"))


async def test_queues_with_tags_of_their_own_are_on_several_shards(
    three_shards: Cluster, queue_name: str
) -> None:
    # Slots of these tags belong to the first, the second and the third master.
    names: dict[int, str] = {}
    for i in range(100):
        name = f"{{{queue_name}-{i}}}"
        names.setdefault(slot_of(name) * 3 // 16384, name)
    assert len(names) == 3
    url = three_shards.url
    queues = [toril.Queue(name, url) for name in names.values()]
    try:
        async with working(queues[0]) as one, working(queues[1]) as two, working(queues[2]) as three:
            for queue, done in zip(queues, (one, two, three), strict=True):
                jobs = await queue.add_many([toril.NewJob("a") for _ in range(50)])
                await ran(done, {job.id for job in jobs})
        found = await queue_names(url, "bull")
        assert set(names.values()) <= set(found)
        owners = [three_shards.owner(name) for name in names.values()]
        assert len({owner.port for owner in owners}) == 3
    finally:
        for queue in queues:
            await queue.close()


async def test_events_and_flows_and_schedules(three_shards: Cluster, queue_name: str) -> None:
    url = three_shards.url
    async with (
        toril.QueueEvents(queue_name, url, prefix="{bull}") as events,
        toril.FlowProducer(url, prefix="{bull}") as flows,
        toril.Queue(queue_name, url, prefix="{bull}") as parents,
        toril.Queue(f"{queue_name}-kids", url, prefix="{bull}") as kids,
        working(parents) as done,
        working(kids),
    ):
        flow = toril.FlowJob(
            "sum", queue_name, children=[toril.FlowJob("one", kids.name), toril.FlowJob("two", kids.name)]
        )
        node = await flows.add(flow)
        await ran(done, {node.job.id})
        await parents.upsert_job_scheduler("often", toril.Every(0.05), name="tick")
        async with asyncio.timeout(20):
            async for event in events:
                if event.type == "completed" and (event.job_id or "").startswith("repeat:often"):
                    break
        await parents.remove_job_scheduler("often")


async def test_a_flow_over_several_slots_is_refused_before_anything_is_written(
    three_shards: Cluster, queue_name: str
) -> None:
    one, other = f"{{{queue_name}}}", f"{{{queue_name}-other}}"
    async with (
        toril.FlowProducer(three_shards.url) as flows,
        toril.Queue(one, three_shards.url) as queue,
    ):
        with pytest.raises(toril.InvalidOption, match="share a hash tag"):
            await flows.add(toril.FlowJob("sum", one, children=[toril.FlowJob("part", other)]))
        with pytest.raises(toril.InvalidOption, match="share a hash tag"):
            await queue.add("part", parent=toril.JobRef(other, "1"))
        assert not any(holds(node.port, queue_name) for node in three_shards.nodes)


async def test_a_plain_url_to_a_node_says_what_to_write(three_shards: Cluster, queue_name: str) -> None:
    elsewhere = next(node for node in three_shards.nodes if node is not three_shards.owner("{bull}"))
    async with toril.Queue(queue_name, elsewhere.url, prefix="{bull}") as queue:
        with pytest.raises(toril.ServerRefused, match=r"valkey\+cluster://"):
            await queue.add("a")


async def test_a_slot_moves_under_load(three_shards: Cluster, queue_name: str) -> None:
    """MOVED, ASK and TRYAGAIN: nothing is lost, and nothing runs twice."""
    name = f"{{{queue_name}}}"
    slot = slot_of(name)
    async with toril.Queue(name, three_shards.url) as queue, working(queue) as done:
        added: set[str] = set()

        async def produce() -> None:
            for i in range(300):
                added.add((await queue.add("a", job_id=f"job-{i}")).id)

        producing = asyncio.create_task(produce())
        for _ in range(3):
            source = three_shards.owner(name)
            target = next(node for node in three_shards.masters if node is not source)
            await asyncio.to_thread(three_shards.move, slot, target)
            moved = three_shards.owner(name)
            assert moved is target
            before = len(done)
            while len(done) < min(before + 20, 300):
                await asyncio.sleep(0.01)
        await producing
        await ran(done, added)
        assert set(done.values()) == {1}
        await settled(queue, 300)


async def test_reading_follows_a_slot_on_its_way(three_shards: Cluster, queue_name: str) -> None:
    """ASK: what has left already is found, and what is new waits until the slot has arrived."""
    name = f"{{{queue_name}}}"
    source = three_shards.owner(name)
    target = next(node for node in three_shards.masters if node is not source)
    async with toril.Queue(name, three_shards.url) as queue:
        job = await queue.add("a", {"x": 1})
        moving = three_shards.moving(slot_of(name), target)
        await asyncio.to_thread(next, moving)
        ask(source.port, "MIGRATE", "127.0.0.1", target.port, f"bull:{name}:{job.id}", 0, 5000)
        found = await queue.get_job(job.id)
        assert found is not None
        assert found.data == {"x": 1}
        adding = asyncio.create_task(queue.add("b"))
        await asyncio.sleep(0.1)  # long enough for the refusal, which cannot be seen from outside
        assert not adding.done()
        assert await asyncio.to_thread(next, moving, None) is None
        assert (await adding).id != job.id
        assert (await queue.get_job_counts())["waiting"] == 2


async def test_a_node_is_lost_under_load(queue_name: str) -> None:
    """Its replica takes over; what WAIT has acknowledged survives, and the worker goes on."""
    with cluster(3, replicas=3) as made:
        name = f"{{{queue_name}}}"
        lost = made.owner(name)
        acknowledged: set[str] = set()
        async with toril.Queue(name, f"{made.url}?replicas=1") as queue, working(queue) as done:

            async def produce() -> None:
                for i in range(2000):
                    while True:
                        try:
                            acknowledged.add((await queue.add("a", job_id=f"job-{i}")).id)
                            break
                        except (toril.ConnectionFailed, toril.ServerRefused, toril.NotReplicated):
                            await asyncio.sleep(0.05)

            producing = asyncio.create_task(produce())
            while len(done) < 300:
                await asyncio.sleep(0.01)
            assert not producing.done()
            lost.kill()
            await asyncio.to_thread(until, lambda: made.owner(name) is not lost, "a replica takes over")
            lost.restart()  # as a replica; until it follows, nothing new is acknowledged
            taken_over = len(acknowledged)
            async with asyncio.timeout(40):
                while len(acknowledged) < taken_over + 100:
                    await asyncio.sleep(0.05)
            producing.cancel()
            await asyncio.wait([producing])
            await ran(done, acknowledged, limit=60)
            assert max(done.values()) <= 2  # once more at the most, for the lost master's last moment


async def test_obliterate_leaves_nothing_on_its_shard(three_shards: Cluster, queue_name: str) -> None:
    async with toril.Queue(queue_name, three_shards.url, prefix="{bull}") as queue:
        async with working(queue) as done:
            throttle = toril.Deduplication.throttle("k", 3600)
            job = await queue.add("a", deduplication=throttle, keep_completed=False)
            await ran(done, {job.id})
        await queue.add("b", delay=60)
        await queue.pause()
        await queue.obliterate()
    assert not any(holds(node.port, queue_name) for node in three_shards.nodes)
