"""The server answers, but not as one would wish: it is busy, loading, full of clients, without scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import toril

from ..deployment.servers import ask

MOST_REFUSED = 120
"""Calls that a worker and a producer make in vain in a trouble of two seconds: no busy loop."""


async def errors(queue: toril.Queue) -> dict[str, int]:
    """How often the server has refused something, by code."""
    text = (await queue.store.connection.call("INFO", "errorstats")).decode()
    rows = [line.removeprefix("errorstat_").split(":count=") for line in text.splitlines() if "=" in line]
    return {code: int(count) for code, count in rows}


async def until_completed(queue: toril.Queue, count: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(toril.ConnectionFailed, toril.ServerRefused):
                if (await queue.get_job_counts())["completed"] >= count:
                    return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def at_work(server: toril.EmbeddedServer, name: str) -> AsyncIterator[toril.Worker]:
    """A worker that does nothing with its jobs; it must live to the end."""

    async def handle(job: toril.Job) -> None: ...

    worker = toril.Worker(name, handler=handle, url=server.url, concurrency=5)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await worker.ready.wait()
    try:
        yield worker
        assert not task.done(), "the worker must go on by itself"
    finally:
        worker.stop()
        await task


async def refused_adds(queue: toril.Queue, seconds: float) -> list[str]:
    """Add again and again while the trouble lasts; the codes with which adds were refused."""
    refused: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await queue.add("x")
                except toril.ServerRefused as error:
                    refused.append(error.code)
                await asyncio.sleep(0.05)
    return refused


async def test_a_busy_server_is_told_and_waited_for(queue_name: str) -> None:
    with toril.EmbeddedServer(arguments=("--busy-reply-threshold", "50")) as server:
        async with toril.Queue(queue_name, server.url) as queue, at_work(server, queue_name):
            await queue.add("x")
            await until_completed(queue, 1)
            script = asyncio.create_task(asyncio.to_thread(ask, server.port, "EVAL", "while true do end", 0))
            refused = await refused_adds(queue, 2.0)
            assert len(refused) >= 5
            assert set(refused) == {"BUSY"}
            await queue.store.connection.call("SCRIPT", "KILL")
            with contextlib.suppress(toril.ServerRefused, toril.ConnectionFailed):
                await script
            await queue.add("x")
            await until_completed(queue, 2)
            assert (await errors(queue))["BUSY"] <= MOST_REFUSED


async def test_a_loading_server_is_told_and_waited_for(queue_name: str, tmp_path: Path) -> None:
    server = toril.EmbeddedServer(tmp_path, appendonly="always", arguments=("--key-load-delay", "300"))
    with server:
        async with toril.Queue(queue_name, server.url) as queue:
            await queue.add_many([toril.NewJob("x", delay=3600.0) for _ in range(3000)])
            async with at_work(server, queue_name):
                await queue.add("x")
                await until_completed(queue, 1)
                server.kill()
                restart = asyncio.create_task(asyncio.to_thread(server.restart))
                seen: set[str] = set()
                async with asyncio.timeout(20):
                    while not restart.done():
                        try:
                            await queue.add("y", delay=3600.0)
                        except toril.ServerRefused as error:
                            seen.add(error.code)
                        except toril.ConnectionFailed:
                            seen.add("away")
                        await asyncio.sleep(0.02)
                await restart
                assert "LOADING" in seen
                assert seen <= {"LOADING", "away"}
                await queue.add("x")
                await until_completed(queue, 2)
                assert (await errors(queue)).get("LOADING", 0) <= 3 * MOST_REFUSED


async def test_a_server_with_too_many_clients_is_told_and_waited_for(queue_name: str) -> None:
    with toril.EmbeddedServer() as server:
        async with toril.Queue(queue_name, server.url) as queue, at_work(server, queue_name):
            await queue.add("x")
            await until_completed(queue, 1)
            call = queue.store.connection.call
            await call("CONFIG", "SET", "maxclients", 1)
            async with toril.Queue(queue_name, server.url) as late:
                with pytest.raises((toril.ServerRefused, toril.ConnectionFailed), match="max number"):
                    await late.add("x")
            await call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            refusals = -(await rejected(queue))
            await asyncio.sleep(2.0)
            refusals += await rejected(queue)
            await call("CONFIG", "SET", "maxclients", 10_000)
            assert 0 < refusals <= MOST_REFUSED
            await queue.add("x")
            await until_completed(queue, 2)


async def rejected(queue: toril.Queue) -> int:
    text = (await queue.store.connection.call("INFO", "stats")).decode()
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(rows["rejected_connections"])


async def test_scripts_that_are_gone_are_loaded_again_once(queue_name: str) -> None:
    with toril.EmbeddedServer() as server:
        async with toril.Queue(queue_name, server.url) as queue, at_work(server, queue_name):
            await queue.add("x")
            await until_completed(queue, 1)
            call = queue.store.connection.call
            await call("SCRIPT", "FLUSH")
            await call("CONFIG", "RESETSTAT")
            for _ in range(50):
                await queue.add("x")
            await until_completed(queue, 51)
            text = (await call("INFO", "commandstats")).decode()
            rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            loaded = int(rows["cmdstat_eval"].removeprefix("calls=").split(",")[0])
            # One each of add_jobs, commit, count_jobs, and what the worker's services ask for meanwhile;
            # two calls of a worker may be under way.
            assert 3 <= loaded <= 8
