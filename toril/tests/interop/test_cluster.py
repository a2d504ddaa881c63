"""Node and toril share queues on a Cluster, in both forms of the hash tag."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

import toril

from ..deployment.load import ran, working
from ..deployment.servers import Cluster, cluster
from .conftest import Node, driving

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def three_shards() -> Iterator[Cluster]:
    with cluster(3) as made:
        yield made


@pytest.fixture(params=["prefix", "name"])
def form(request: pytest.FixtureRequest, queue_name: str) -> tuple[str, str]:
    """A prefix and a queue's name, of which one has the hash tag."""
    return ("{bull}", queue_name) if request.param == "prefix" else ("bull", f"{{{queue_name}}}")


@pytest.fixture
async def node(three_shards: Cluster, node_packages: None, form: tuple[str, str]) -> AsyncIterator[Node]:
    ports = ",".join(str(server.port) for server in three_shards.nodes)
    async with driving(f"cluster:{ports}", form[0]) as driver:
        yield driver


async def test_each_runs_the_other_s_jobs(three_shards: Cluster, node: Node, form: tuple[str, str]) -> None:
    prefix, name = form
    async with toril.Queue(name, three_shards.url, prefix=prefix) as queue:
        made = await node("add", name, job="a", data={"x": 1}, opts={})
        async with working(queue) as done:
            await ran(done, {made["id"]})
        assert (await node("get", name, job=made["id"]))["returnvalue"] == made["id"]

        await node("work", name)
        job = await queue.add("b", {"y": 2})
        assert await job.wait(timeout=20) == {"by": "node", "data": {"y": 2}}
        late = await queue.add("c", {}, delay=0.1, priority=2)
        await late.wait(timeout=20)
        assert await node("stop", name) == [job.id, late.id]
        assert (await node("counts", name))["completed"] == 3
