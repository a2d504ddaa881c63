"""What a stop does with running jobs: each kind of handler, real processes and signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import toril
from toril import JobState
from toril.worker import runs

PROGRAM = Path(__file__).with_name("stopping_worker.py")
Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def until_active(queue: toril.Queue, jobs: int) -> None:
    async with asyncio.timeout(20):
        while (await queue.get_job_counts())["active"] < jobs:
            await asyncio.sleep(0.01)


async def unspent(queue: toril.Queue, job_id: str) -> None:
    """Assert that a job waits as if it had never run, but for the count of its starts."""
    found = await queue.get_job(job_id)
    assert found is not None
    assert await found.get_state() in {JobState.WAITING, JobState.PRIORITIZED}
    assert (found.attempts_made, found.attempts_started, found.stalled_count) == (0, 1, 0)
    assert not await queue.store.connection.call("EXISTS", queue.store.keys.job(job_id) + ":lock")


@pytest.mark.parametrize("priority", [0, 7])
async def test_jobs_that_are_handed_back_keep_their_order(
    queue: toril.Queue, running: Running, priority: int
) -> None:
    order: list[str] = []

    async def forever(job: toril.Job) -> None:
        await asyncio.sleep(60)

    async def note(job: toril.Job) -> None:
        order.append(job.id)

    jobs = await queue.add_many([toril.NewJob("x", priority=priority) for _ in range(12)])
    async with running(forever, concurrency=8) as worker:
        await until(lambda: worker.running == 8)
        worker.stop(force=True)
    assert worker.handed_back == 8
    for job in jobs[:8]:
        await unspent(queue, job.id)
    async with running(note):
        await jobs[-1].wait(5)
    assert order == [job.id for job in jobs]


async def test_a_thread_that_looks_is_handed_back_when_it_has_ended(
    queue: toril.Queue, running: Running
) -> None:
    ended: list[str] = []

    def looking(job: toril.Job) -> str:
        while not job.cancelled:
            time.sleep(0.005)
        ended.append(job.name)
        if job.name == "leave":
            job.raise_if_cancelled()
        return "finished after all"

    leave, finish = await queue.add("leave", attempts=3), await queue.add("finish")
    async with running(looking, concurrency=2) as worker:
        await until(lambda: worker.running == 2)
        began = time.monotonic()
        worker.stop(force=True)
    assert time.monotonic() - began < 2
    assert sorted(ended) == ["finish", "leave"]
    assert (worker.handed_back, worker.completed) == (1, 1)
    await unspent(queue, leave.id)
    assert await finish.wait(1) == "finished after all"


async def test_what_does_not_end_is_left_behind_and_not_doubled_in_this_process(
    queue: toril.Queue, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "GRACE", 0.2)
    monkeypatch.setattr(runs, "BUSY_HERE", 0.1)
    go = threading.Event()
    now, most = 0, 0
    lock = threading.Lock()

    def thread(job: toril.Job) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        go.wait(20)
        with lock:
            now -= 1
        return "thread"

    job = await queue.add("x")
    async with running(thread) as worker:
        await until(lambda: now == 1)
        worker.stop(force=True)
    assert worker.handed_back == 1
    await unspent(queue, job.id)
    async with running(thread) as other:
        with pytest.raises(toril.WaitTimeout):
            await job.wait(0.5)
        assert (other.begun, most) == (0, 1)
        go.set()
        assert await job.wait(5) == "thread"
    assert most == 1
    assert not runs._left_behind


async def test_a_coroutine_that_will_not_end_is_handed_back(
    queue: toril.Queue, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "GRACE", 0.2)
    go = asyncio.Event()

    async def stubborn(job: toril.Job) -> str:
        while not go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go.wait()
        return "at last"

    job = await queue.add("x")
    async with running(stubborn) as worker:
        await until(lambda: worker.running == 1)
        worker.stop(force=True)
    await unspent(queue, job.id)
    assert worker.handed_back == 1
    go.set()
    await until(lambda: not runs._left_behind)
    assert worker.completed == 0
    await unspent(queue, job.id)


@pytest.mark.parametrize("kind", ["coroutine", "looking", "process", "thread", "stubborn"])
async def test_a_second_signal_hands_running_jobs_back_at_once(queue: toril.Queue, kind: str) -> None:
    jobs = await queue.add_many([toril.NewJob(kind) for _ in range(2)])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM),
        *(queue.url, queue.name, kind, "2", "60"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await until_active(queue, 2)
    process.send_signal(signal.SIGTERM)
    behind = await queue.add("behind")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.wait(), 0.5)  # the first one waits for what runs
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = await asyncio.wait_for(process.stdout.readline(), 20)
    if kind == "stubborn":
        process.kill()  # `asyncio.run` waits for such a coroutine for ever; its job is safe already
    assert await process.wait() == (-signal.SIGKILL if kind == "stubborn" else 0)
    # What will not end is waited for during its grace, 5 s; all else is gone at once.
    assert time.monotonic() - began < (8 if kind in {"thread", "stubborn"} else 4)
    assert said.decode().split() == ["handed", "back", "2"]
    for job in jobs:
        await unspent(queue, job.id)
    assert [job.id for job in await queue.get_jobs(JobState.WAITING)] == [
        behind.id,
        *(job.id for job in reversed(jobs)),
    ]


async def test_one_signal_lets_short_jobs_finish(queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("looking") for _ in range(2)])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM),
        *(queue.url, queue.name, "coroutine", "1", "0.3"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await until_active(queue, 1)
    process.send_signal(signal.SIGTERM)
    said = await asyncio.wait_for(process.stdout.read(), 20)
    assert await process.wait() == 0
    assert said.decode().split() == ["handed", "back", "1"]
    assert (await queue.get_job_counts())["waiting"] == 2


async def test_a_worker_is_closed_and_can_be_waited_for(queue: toril.Queue, valkey_url: str) -> None:
    async def handler(job: toril.Job) -> None:
        await asyncio.sleep(60)

    worker = toril.Worker(queue.name, handler, url=valkey_url)
    assert not worker.is_running
    task = asyncio.create_task(worker.run(handle_signals=False))
    await worker.ready.wait()
    assert worker.is_running
    job = await queue.add("x")
    await until(lambda: worker.running == 1)
    await worker.close(force=True)
    assert not worker.is_running
    await worker.close()
    await task
    await unspent(queue, job.id)
    never = toril.Worker(queue.name, handler, url=valkey_url)
    await never.close()
    await never.run(handle_signals=False)


async def test_a_paused_worker_can_be_waited_for(queue: toril.Queue, running: Running) -> None:
    go = asyncio.Event()

    async def handler(job: toril.Job) -> None:
        await go.wait()

    async with running(handler, concurrency=2) as worker:
        jobs = [await queue.add("x"), await queue.add("x")]
        await until(lambda: worker.running == 2)
        worker.pause()
        quiet = asyncio.create_task(worker.quiet())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(quiet), 0.1)
        go.set()
        await quiet
        assert worker.running == 0
        for job in jobs:
            await job.wait(5)


async def test_a_job_begins_no_more_often_than_allowed(queue: toril.Queue, running: Running) -> None:
    ran = 0

    async def handler(job: toril.Job) -> None:
        nonlocal ran
        ran += 1
        raise toril.Snooze(0.001)

    async with running(handler, max_started_attempts=3):
        job = await queue.add("x", attempts=10)
        with pytest.raises(toril.JobFailed, match="started more than allowable"):
            await job.wait(5)
    assert ran == 3


async def test_a_worker_without_the_check_leaves_stalled_jobs(queue: toril.Queue, running: Running) -> None:
    async def handler(job: toril.Job) -> None:
        return None

    job = await queue.add("x")
    call, keys = queue.store.connection.call, queue.store.keys
    await call("LMOVE", keys.wait, keys.active, "RIGHT", "LEFT")
    async with running(handler, stalled_check=False, stalled_interval=0.05):
        with pytest.raises(toril.WaitTimeout):
            await job.wait(0.5)
        async with running(handler, stalled_interval=0.05):
            await job.wait(5)


async def test_an_idle_worker_looks_itself_after_its_drain_delay(
    queue: toril.Queue, running: Running
) -> None:
    """Jobs whose wake-ups were lost are found after 0.1 s each; without it after 2.5 s and more."""

    async def handler(job: toril.Job) -> str:
        return "found"

    call, keys = queue.store.connection.call, queue.store.keys
    async with running(handler, drain_delay=0.1):
        async with asyncio.timeout(8):
            for _ in range(5):
                await queue.pause()
                job = await queue.add("x")
                await call("HDEL", keys.meta, "paused")  # nobody is told
                assert await job.wait() == "found"
