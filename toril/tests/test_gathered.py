"""Adds made one by one: which of them travel together, and what becomes of those under way."""

from __future__ import annotations

import asyncio

import pytest

import toril
from toril.queue.gathered import EARLY
from toril.storage.address import Address
from toril.storage.connection import Connection


async def calls_of(connection: Connection) -> int:
    """How many script calls the server has answered, by its own statistics."""
    lines = (await connection.call("INFO", "commandstats")).decode().splitlines()
    rows = [line for line in lines if line.startswith(("cmdstat_eval:", "cmdstat_evalsha:"))]
    return sum(int(row.partition("calls=")[2].partition(",")[0]) for row in rows)


async def test_the_first_add_of_a_turn_goes_alone_and_the_others_together() -> None:
    with toril.embedded() as url:
        connection = Connection(Address.of(url))
        async with toril.Queue("turn", url) as queue:
            await queue.add("connects")
            before = await calls_of(connection)
            await asyncio.gather(*(queue.add("x", i) for i in range(EARLY)))
            few = await calls_of(connection)
            await asyncio.gather(*(queue.add("x", i) for i in range(1 + 3 * EARLY)))
            many = await calls_of(connection)
        await connection.close()
    assert few - before == 2
    assert many - few == 4


async def test_adds_keep_their_order_without_the_script(queue: toril.Queue) -> None:
    """The server has forgotten it: nothing was done, and all is sent again."""
    await queue.add("connects")
    await queue.store.connection.call("SCRIPT", "FLUSH")
    jobs = await asyncio.gather(*(queue.add("x", i) for i in range(3 * EARLY)))
    assert all(job.created for job in jobs)
    ids = [int(job.id) for job in jobs]
    assert ids == sorted(ids)
    assert len(set(ids)) == 3 * EARLY


async def test_a_queue_that_closes_waits_for_its_adds(valkey_url: str, queue_name: str) -> None:
    queue = toril.Queue(queue_name, valkey_url)
    await queue.add("connects")
    adds = [asyncio.create_task(queue.add("x", i)) for i in range(3 * EARLY + 5)]
    await asyncio.sleep(0)  # each has begun
    await queue.close()
    jobs = await asyncio.gather(*adds)
    assert len({job.id for job in jobs}) == 3 * EARLY + 5


async def test_an_add_that_is_cancelled_does_its_neighbours_no_harm(queue: toril.Queue) -> None:
    await queue.add("connects")
    adds = [asyncio.create_task(queue.add("x", i)) for i in range(10)]
    await asyncio.sleep(0)
    adds[0].cancel()
    adds[5].cancel()
    ends = await asyncio.gather(*adds, return_exceptions=True)
    assert [i for i, end in enumerate(ends) if isinstance(end, asyncio.CancelledError)] == [0, 5]
    assert sorted(end.data for end in ends if isinstance(end, toril.Job)) == [1, 2, 3, 4, 6, 7, 8, 9]


async def test_a_short_limit_holds_behind_a_call_with_a_long_one(valkey_url: str, queue_name: str) -> None:
    """One timer watches over all calls of a connection."""
    connection = Connection(Address.of(valkey_url))
    await connection.call("PING")
    long = asyncio.create_task(connection.call("BZPOPMIN", queue_name, 30, timeout=60))
    await asyncio.sleep(0)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(toril.ConnectionFailed, match=r"within 0\.2 s"):
        await connection.call("PING", timeout=0.2)
    assert asyncio.get_running_loop().time() - begun >= 0.2
    with pytest.raises(toril.ConnectionFailed):
        await long
    assert await connection.call("PING") == b"PONG"
    await connection.close()
