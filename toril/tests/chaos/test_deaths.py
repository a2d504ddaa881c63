"""Workers that die, and workers that only seem to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path

import pytest

import toril
from toril.storage.work import WorkStore

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]
HELD = Path(__file__).with_name("held.py")


@contextlib.contextmanager
def python(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Python, killed when the block ends."""
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def holder(
    url: str, queue: str, ledger: Path, *death_after: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return python(str(HELD), url, queue, str(ledger), *death_after)


def lines_of(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []


async def until_lines(ledger: Path, *lines: str) -> None:
    """Wait until just these are in a ledger."""
    async with asyncio.timeout(10):
        while lines_of(ledger) != list(lines):
            await asyncio.sleep(0.01)


async def until(queue: toril.Queue, limit: float = 10.0, **counts: int) -> None:
    """Wait until so many jobs are in each of these states."""
    async with asyncio.timeout(limit):
        while True:
            found = await queue.get_job_counts()
            if all(found[state] == count for state, count in counts.items()):
                return
            await asyncio.sleep(0.01)


async def beats(queue: toril.Queue) -> list[bytes]:
    """The workers that count as alive."""
    found: list[bytes] = await queue.store.connection.call("ZRANGE", queue.store.keys.beats, 0, -1)
    return found


async def told_of(queue: toril.Queue, event: str) -> list[str]:
    """The jobs of the events of one kind, in their order."""
    events = await queue.store.connection.call("XRANGE", queue.store.keys.events, "-", "+")
    pairs = [dict(zip(each[1][::2], each[1][1::2], strict=True)) for each in events]
    return [each[b"jobId"].decode() for each in pairs if each[b"event"] == event.encode()]


async def stalls(queue: toril.Queue) -> list[str]:
    return await told_of(queue, "stalled")


async def quick(job: toril.Job) -> None: ...


async def test_a_killed_worker_s_jobs_run_elsewhere_within_five_seconds_at_the_defaults(
    valkey_url: str, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    with holder(valkey_url, queue.name, tmp_path / "runs") as victim:
        jobs = await queue.add_many([toril.NewJob("x") for _ in range(20)])
        await until(queue, active=20)
        async with running(quick, concurrency=20):
            while len(await beats(queue)) < 2:
                await asyncio.sleep(0.01)
            killed = await server_time(queue)
            victim.send_signal(signal.SIGKILL)
            await until(queue, completed=20)
    ends = [job.finished_on.timestamp() for job in await queue.get_jobs("completed") if job.finished_on]
    assert len(ends) == 20
    assert max(ends) - killed <= 5.0
    assert sorted(await stalls(queue), key=int) == [job.id for job in jobs]
    assert await beats(queue) == []


async def test_each_job_of_the_dead_is_given_back_once_however_many_look(
    valkey_url: str, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    with holder(valkey_url, queue.name, tmp_path / "runs", "0.4") as victim:
        jobs = await queue.add_many([toril.NewJob("x") for _ in range(20)])
        await until(queue, active=20)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                await stack.enter_async_context(running(quick, death_after=0.4))
            victim.send_signal(signal.SIGKILL)
            await until(queue, completed=20)
    assert sorted(await stalls(queue), key=int) == [job.id for job in jobs]
    assert [job.stalled_count for job in await queue.get_jobs("completed")] == [1] * 20


async def test_a_worker_that_was_stopped_by_a_signal_is_refused_when_it_goes_on(
    valkey_url: str, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    """Its jobs have run elsewhere; it is told at once, and ends them."""
    ledger = tmp_path / "runs"
    with holder(valkey_url, queue.name, ledger, "0.4") as victim:
        await queue.add("x")
        await until(queue, active=1)
        async with running(quick, death_after=0.4):
            victim.send_signal(signal.SIGSTOP)
            await until(queue, completed=1)
            victim.send_signal(signal.SIGCONT)
            # It lives again: it takes the next job when the other one is gone.
            async with asyncio.timeout(10):
                while len(await beats(queue)) < 2:
                    await asyncio.sleep(0.01)
        again = await queue.add("x")
        await until_lines(ledger, "1", again.id)
    assert (await queue.get_job_counts())["completed"] == 1


RETURNS = """
import asyncio, os, sys, time
import toril

url, queue, ledger, release = sys.argv[1:5]
out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def handler(job):
    os.write(out, f"begun {job.id}\\n".encode())
    while not os.path.exists(release):
        time.sleep(0.01)  # it cannot be cancelled, and comes to its end
    os.write(out, f"ended {job.id}\\n".encode())
    return "stale"

asyncio.run(toril.Worker(queue, handler, url=url, death_after=0.4).run())
"""


async def test_what_a_stopped_worker_has_done_all_the_same_is_refused(
    valkey_url: str, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    """Its handler ends well after SIGCONT: the end that counts is the other's, and is told once."""
    ledger, release = tmp_path / "runs", tmp_path / "release"

    async def elsewhere(job: toril.Job) -> str:
        return "elsewhere"

    with python("-c", RETURNS, valkey_url, queue.name, str(ledger), str(release)) as victim:
        job = await queue.add("x")
        await until_lines(ledger, f"begun {job.id}")
        async with running(elsewhere, death_after=0.4):
            victim.send_signal(signal.SIGSTOP)
            assert await job.wait(10) == "elsewhere"
            release.touch()
            victim.send_signal(signal.SIGCONT)
            await until_lines(ledger, f"begun {job.id}", f"ended {job.id}")
        # What it works on next is settled after, or with, the end that is refused.
        assert await (await queue.add("x")).wait(10) == "stale"
    read = await queue.get_job(job.id)
    assert read is not None
    assert (read.return_value, read.failed_reason, read.attempts_made) == ("elsewhere", None, 1)
    assert (await told_of(queue, "completed")).count(job.id) == 1


async def test_nobody_is_dead_because_the_server_was_away(queue_name: str) -> None:
    with toril.EmbeddedServer() as server:
        async with toril.Queue(queue_name, server.url) as queue, contextlib.AsyncExitStack() as stack:
            go = asyncio.Event()
            runs: list[str] = []

            async def held(job: toril.Job) -> None:
                runs.append(job.id)
                await go.wait()

            for _ in range(3):
                worker = toril.Worker(queue_name, held, url=server.url, death_after=0.4)
                task = asyncio.create_task(worker.run(handle_signals=False))
                stack.push_async_callback(asyncio.wait, [task])
                stack.callback(worker.stop)
            await queue.add_many([toril.NewJob("x") for _ in range(3)])
            await until(queue, active=3)
            await queue.store.connection.call("CLIENT", "PAUSE", 1000, "ALL")
            await queue.store.connection.call("PING")
            before = await server_time(queue)
            async with asyncio.timeout(10):
                while await server_time(queue) < before + 1.0:  # two times of dying
                    await asyncio.sleep(0.05)
            assert await stalls(queue) == []
            go.set()
            await until(queue, completed=3)
            assert len(runs) == 3


async def server_time(queue: toril.Queue) -> float:
    seconds, micros = await queue.store.connection.call("TIME")
    return int(seconds) + int(micros) / 1e6


async def test_jobs_of_workers_without_a_beat_are_left_to_their_locks(
    queue: toril.Queue, running: Running
) -> None:
    """Node's workers know nothing of beats."""
    job = await queue.add("x")
    store = WorkStore(queue.store.connection, queue.store.keys, "node", 30_000)
    taken = await store.commit([], 1, "0c5d7f62-8a3d-4f5c-9a0e-1f2d3c4b5a69:1")
    assert [each[0] for each in taken.jobs] == [job.id]
    async with running(quick, death_after=0.2):
        after = await queue.add("x")
        await until(queue, completed=1)
        begun = await server_time(queue)
        while await server_time(queue) < begun + 0.6:
            await asyncio.sleep(0.02)
    assert [each.id for each in await queue.get_jobs("active")] == [job.id]
    assert [each.id for each in await queue.get_jobs("completed")] == [after.id]


async def test_a_blocked_event_loop_is_alive(queue: toril.Queue, running: Running) -> None:
    runs: list[str] = []

    async def blocking(job: toril.Job) -> None:
        runs.append(job.id)
        time.sleep(1.2)

    await queue.add("x")
    async with running(blocking, death_after=0.4):
        await until(queue, completed=1)
    assert runs == ["1"]
    assert await stalls(queue) == []


@pytest.mark.parametrize("death_after", [None, 3.0])
async def test_a_worker_that_ends_leaves_no_beat(
    queue: toril.Queue, running: Running, death_after: float | None
) -> None:
    async with running(quick, death_after=death_after):
        await queue.add("x")
        await until(queue, completed=1)
        async with asyncio.timeout(10):
            while len(await beats(queue)) != (death_after is not None):
                await asyncio.sleep(0.01)
    assert await beats(queue) == []
