"""What a page costs the server: as many commands for a long queue as for a short one.

Counted by Valkey's own statistics, commands inside scripts included, on a server of its own; no busy machine
disturbs it. `python -m benchmarks.dashboard` takes the times.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

import toril
from toril.inspection import failures, scan
from toril.web import Dashboard, anyone
from toril.web.watch import Watch

MOST = {
    "/": 60,
    "/queues/{q}": 60,
    "/queues/{q}/jobs?state=delayed": 130,
    "/queues/{q}/jobs?state=delayed&start=250": 130,
    "/queues/{q}/jobs?state=failed": 130,
    "/queues/{q}/jobs?state=delayed&q=data.n%3Dnone": 600,
    "/queues/{q}/jobs/1": 60,
    "/failures": 600,
    "/schedulers": 30,
    "/workers": 30,
}
"""Commands a page, scripts and what they call: a little more than was counted."""


async def commands(queue: toril.Queue) -> int:
    lines = (await queue.store.connection.call("INFO", "commandstats")).decode().splitlines()
    rows = [line.partition(":calls=")[2] for line in lines if line.startswith("cmdstat_")]
    return sum(int(row.partition(",")[0]) for row in rows)


@pytest.fixture
async def alone() -> AsyncIterator[toril.Queue]:
    with toril.embedded() as url:
        async with toril.Queue("long", url) as queue:
            yield queue


async def fill(queue: toril.Queue, count: int) -> None:
    """So many delayed and so many failed jobs more."""
    jobs = await queue.add_many([toril.NewJob("x", {"n": n}, delay=900) for n in range(2 * count)])
    await queue.cancel_many([job.id for job in jobs[:count]])


async def costs(queue: toril.Queue) -> dict[str, int]:
    found = {}
    async with Dashboard(queue.url, authorize=anyone, queues=[queue.name]) as dashboard:
        transport = httpx.ASGITransport(dashboard)
        async with httpx.AsyncClient(transport=transport, base_url="http://jobs.test") as client:
            for path in MOST:
                await client.get(path.format(q=queue.name))
                before = await commands(queue)
                assert (await client.get(path.format(q=queue.name))).status_code == 200
                found[path] = await commands(queue) - before - 1
    return found


async def test_a_page_costs_the_same_on_a_long_queue(
    alone: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "start", lambda watch: None)
    # A search and the failures go on as long as there is time: here for one call.
    monkeypatch.setattr(scan, "SECONDS", 0.0)
    monkeypatch.setattr("toril.web.pages.failures.SECONDS", 0.0)
    monkeypatch.setattr("toril.web.watch.FRESH", -1.0)
    assert failures.LOOKED >= scan.CHUNK
    await fill(alone, 400)
    short = await costs(alone)
    await fill(alone, 4000)
    long = await costs(alone)
    assert all(count <= MOST[path] for path, count in long.items()), long
    # A few more where a place in a long list is looked for; none for each job.
    assert all(long[path] <= short[path] + 20 for path in MOST), (short, long)
