"""A worker goes on by itself, however its connections end."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import pytest

import toril

from .load import ran, working
from .proxy import Proxy
from .servers import ask

CONNECTIONS = {":calls": 30.0, ":w:": 30.0, ":cancels": 30.0, "toril-keeper": 3.0}
"""What tells a worker's connections by their names, and how long a lock holds in the test."""

Severing = Callable[[toril.EmbeddedServer, Proxy], object]


def kill(part: str = "") -> Severing:
    """The server closes connections."""

    def sever(server: toril.EmbeddedServer, proxy: Proxy) -> None:
        rows = [dict(word.partition("=")[::2] for word in line.split()) for line in listed(server)]
        found = [
            row["id"] for row in rows if part in row["name"] and row["name"] not in {"", "test", "toril"}
        ]
        assert found, f"no connection {part}"
        for each in found:
            ask(server.port, "CLIENT", "KILL", "ID", each)

    return sever


def listed(server: toril.EmbeddedServer) -> list[str]:
    return ask(server.port, "CLIENT", "LIST").decode().splitlines()


def cut(part: str = "") -> Severing:
    """The network resets connections."""

    def sever(server: toril.EmbeddedServer, proxy: Proxy) -> None:
        assert proxy.cut(part)

    return sever


def silence(part: str = "") -> Severing:
    """Connections become half open: nothing arrives any more, and nobody is told."""

    def sever(server: toril.EmbeddedServer, proxy: Proxy) -> None:
        assert proxy.silence(part)

    return sever


def restart(server: toril.EmbeddedServer, proxy: Proxy) -> None:
    """The server dies and comes back."""
    server.kill()
    server.restart()


def many_times(server: toril.EmbeddedServer, proxy: Proxy) -> None:
    """All connections are reset again and again, those that were just made too."""
    for i in range(20):
        asyncio.get_running_loop().call_later(i / 20, proxy.cut)


CASES = [
    *(pytest.param(kill(part), lock, id=f"killed {part}") for part, lock in CONNECTIONS.items()),
    pytest.param(kill(), 30.0, id="all killed"),
    *(pytest.param(cut(part), lock, id=f"reset {part}") for part, lock in CONNECTIONS.items()),
    pytest.param(cut(), 30.0, id="all reset"),
    pytest.param(many_times, 30.0, id="reset 20 times"),
    pytest.param(restart, 30.0, id="server restarted"),
]


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize(("sever", "lock_duration"), CASES)
async def test_silent_worker_after_reconnect(
    sever: Severing, lock_duration: float, busy: bool, queue_name: str
) -> None:
    await goes_on(sever, lock_duration, busy, queue_name)


@pytest.mark.slow
async def test_silent_worker_after_reconnect_half_open(queue_name: str) -> None:
    """A half-open connection is told by a call's time limit only: all cases wait for it at once."""
    cases = [(silence(part), lock) for part, lock in CONNECTIONS.items()] + [(silence(), 30.0)]
    async with asyncio.TaskGroup() as group:
        for number, ((sever, lock), busy) in enumerate(itertools.product(cases, (False, True))):
            group.create_task(goes_on(sever, lock, busy, f"{queue_name}-{number}"))


async def goes_on(sever: Severing, lock_duration: float, busy: bool, queue_name: str) -> None:
    """The worker takes up new jobs, finishes the one that it had, and each runs once."""
    done: Counter[str] = Counter()
    release, held = asyncio.Event(), asyncio.Event()

    async def handler(job: toril.Job) -> None:
        done[job.id] += 1
        if job.name == "hold":
            held.set()
            await release.wait()

    with toril.EmbeddedServer(appendonly="always") as server:
        async with Proxy(server.port) as proxy, toril.Queue(queue_name, server.url) as queue:
            worker = toril.Worker(
                queue_name,
                handler,
                url=f"valkey://127.0.0.1:{proxy.port}",
                concurrency=4,
                lock_duration=lock_duration,
                stalled_interval=1.0,
            )
            task = asyncio.create_task(worker.run(handle_signals=False))
            try:
                await worker.ready.wait()
                hold = await queue.add("hold")
                await held.wait()
                if lock_duration < 30:  # the thread that renews locks is to have its connection
                    while not any("toril-keeper" in line for line in listed(server)):
                        await asyncio.sleep(0.02)
                if busy:
                    await queue.add_many([toril.NewJob("a", job_id=f"early-{i}") for i in range(500)])
                sever(server, proxy)
                async with asyncio.timeout(20):
                    while True:
                        try:
                            await queue.add_many([toril.NewJob("a", job_id=f"late-{i}") for i in range(100)])
                            break
                        except toril.ConnectionFailed:
                            await asyncio.sleep(0.05)
                await ran(done, {f"late-{i}" for i in range(100)}, limit=30)
                release.set()
                assert await hold.wait(timeout=30) is None
                last = await queue.add("a", job_id="last")
                assert await last.wait(timeout=10) is None
                assert worker.healthy(5.0)
                assert set(done.values()) == {1}
            finally:
                worker.stop()
                await task


async def idle(queue: toril.Queue, part: str) -> bool:
    """Whether the queue's connection of this name has been silent for a second."""
    text = (await queue.store.connection.call("CLIENT", "LIST")).decode()
    rows = [dict(word.partition("=")[::2] for word in line.split()) for line in text.splitlines()]
    ours = [row for row in rows if row["name"].startswith(queue.store.keys.client) and part in row["name"]]
    return bool(ours) and all(int(row["idle"]) >= 1 for row in ours)


async def test_jobs_whose_fetch_was_not_heard_of_are_handed_back(valkey_url: str, queue: toril.Queue) -> None:
    """They are locked for a worker that does not know of them, and do not wait for the lock's end."""
    port = int(valkey_url.rsplit(":", 1)[1].split("/")[0])
    async with Proxy(port) as proxy:
        through = toril.Queue(queue.name, f"valkey://127.0.0.1:{proxy.port}")
        async with working(through, lock_duration=60.0, concurrency=4) as done:
            await (await queue.add("first")).wait(timeout=10)
            # The answer to the call that settled it must have arrived, too.
            async with asyncio.timeout(10):
                while not await idle(queue, ":calls"):
                    await asyncio.sleep(0.05)
            assert proxy.deafen(":calls")
            jobs = await queue.add_many([toril.NewJob("a") for _ in range(4)])
            async with asyncio.timeout(10):
                while (await queue.get_job_counts())["active"] == 0:
                    await asyncio.sleep(0.01)
            assert len(done) == 1
            proxy.cut(":calls")
            await ran(done, {job.id for job in jobs}, limit=10)
            assert set(done.values()) == {1}
            job = await queue.get_job(jobs[0].id)
            assert job is not None
            assert await job.wait(timeout=5) == job.id
            assert job.attempts_made == 1
        await through.close()
