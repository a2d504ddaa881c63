"""What a worker does with jobs: outcomes, retries, limits, stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

import toril

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def test_a_result_is_read_back(queue: toril.Queue, running: Running) -> None:
    async def double(job: toril.Job) -> object:
        return {"twice": job.data["n"] * 2, "text": "žluť ☃"}

    async with running(double):
        job = await queue.add("double", {"n": 21})
        assert await job.wait(5) == {"twice": 42, "text": "žluť ☃"}
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_made, found.attempts_started) == (1, 1)
    assert found.finished_on is not None
    assert found.processed_on is not None
    assert await found.get_state() == toril.JobState.COMPLETED


async def test_attempts_are_spent_and_then_the_job_fails(queue: toril.Queue, running: Running) -> None:
    async def fail(job: toril.Job) -> None:
        raise ValueError(f"no {job.attempts_made}")

    async with running(fail):
        job = await queue.add("fail", attempts=3, backoff=0.01)
        with pytest.raises(toril.JobFailed, match="no 2"):
            await job.wait(5)
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_made, found.attempts_started, len(found.stacktrace)) == (3, 3, 3)
    assert "ValueError: no 2" in found.stacktrace[-1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (toril.Fail("never"), "never"),
        (asyncio.CancelledError(), "CancelledError"),
        (SystemExit(3), "3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (ValueError("\udc00 lone"), "lone"),
        (RecursionError("deep"), "deep"),
    ],
)
async def test_whatever_a_handler_raises_the_worker_lives(
    queue: toril.Queue, running: Running, error: BaseException, reason: str
) -> None:
    async def handler(job: toril.Job) -> str:
        if job.name == "bad":
            raise error
        return "alive"

    async with running(handler):
        bad = await queue.add("bad")
        with pytest.raises(toril.JobFailed, match=reason):
            await bad.wait(5)
        assert await (await queue.add("good")).wait(5) == "alive"


class Unprintable(Exception):
    """Asked for its text, it raises what it was made with."""

    def __str__(self) -> str:
        raise self.args[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unprintable(RuntimeError("no text")), "Unprintable"),
        (Unprintable(asyncio.CancelledError()), "Unprintable"),
        (Unprintable(SystemExit(9)), "Unprintable"),
        (ValueError("x" * 10_000_000), "xxx"),
    ],
)
async def test_a_reason_is_bounded_text_whatever_the_error_s_is(
    queue: toril.Queue, running: Running, error: Exception, reason: str
) -> None:
    async def handler(job: toril.Job) -> None:
        raise error

    async with running(handler):
        job = await queue.add("bad")
        with pytest.raises(toril.JobFailed, match=reason):
            await job.wait(5)
    failed = await queue.get_job(job.id)
    assert failed is not None
    assert sum(map(len, [failed.failed_reason or "", *failed.stacktrace])) <= 2 * 65_536


async def test_a_result_that_cannot_be_encoded_fails_once(queue: toril.Queue, running: Running) -> None:
    runs = 0

    async def handler(job: toril.Job) -> object:
        nonlocal runs
        runs += 1
        return object()

    async with running(handler):
        job = await queue.add("x", attempts=3)
        with pytest.raises(toril.JobFailed, match="cannot be written as JSON"):
            await job.wait(5)
    assert runs == 1


async def test_outcomes_steer_the_job(queue: toril.Queue, running: Running) -> None:
    seen: list[tuple[str, int, int]] = []

    async def handler(job: toril.Job) -> str:
        seen.append((job.name, job.attempts_made, job.attempts_started))
        if job.attempts_started == 1:
            raise toril.Snooze(0.01) if job.name == "snooze" else toril.Retry(0.01)
        return "done"

    async with running(handler):
        snoozed = await queue.add("snooze", attempts=1)
        retried = await queue.add("retry", attempts=2)
        assert await snoozed.wait(5) == "done"
        assert await retried.wait(5) == "done"
    assert sorted(seen) == [("retry", 0, 1), ("retry", 1, 2), ("snooze", 0, 1), ("snooze", 0, 2)]


async def test_a_custom_backoff_is_asked(queue: toril.Queue, running: Running) -> None:
    asked: list[int] = []

    def strategy(made: int, error: BaseException, job: toril.Job) -> float:
        asked.append(made)
        return 0.001 if made < 2 else -1

    async def fail(job: toril.Job) -> None:
        raise ValueError("x")

    async with running(fail, backoffs={"mine": strategy}):
        job = await queue.add("x", attempts=10, backoff=toril.Backoff.custom("mine"))
        with pytest.raises(toril.JobFailed):
            await job.wait(5)
    assert asked == [1, 2]


@pytest.mark.parametrize("error", [ValueError("no wait"), asyncio.CancelledError(), SystemExit(9)])
async def test_a_backoff_that_raises_fails_its_job_alone(
    queue: toril.Queue, running: Running, error: BaseException
) -> None:
    def strategy(made: int, raised: BaseException, job: toril.Job) -> float:
        raise error

    async def handler(job: toril.Job) -> str:
        if job.name == "bad":
            raise ValueError("x")
        return "alive"

    async with running(handler, backoffs={"mine": strategy}):
        bad = await queue.add("bad", attempts=3, backoff=toril.Backoff.custom("mine"))
        with pytest.raises(toril.JobFailed):
            await bad.wait(5)
        assert await (await queue.add("good")).wait(5) == "alive"


async def test_a_timeout_ends_a_coroutine(queue: toril.Queue, running: Running) -> None:
    async def slow(job: toril.Job) -> None:
        await asyncio.sleep(30)

    async with running(slow):
        job = await queue.add("x", timeout=0.05)
        with pytest.raises(toril.JobFailed, match=r"timed out after 0\.05 s"):
            await job.wait(5)


async def test_a_thread_that_hangs_keeps_its_slot_and_no_more(queue: toril.Queue, running: Running) -> None:
    import threading

    gate = threading.Event()

    def handler(job: toril.Job) -> str:
        if job.name == "hang":
            gate.wait(10)
        return "ok"

    async with running(handler, concurrency=2):
        hang = await queue.add("hang", timeout=0.05)
        with pytest.raises(toril.JobFailed, match="its thread goes on"):
            await hang.wait(5)
        assert await (await queue.add("good")).wait(5) == "ok"
        gate.set()


async def test_a_blocked_event_loop_keeps_its_job(queue: toril.Queue, running: Running) -> None:
    import time

    runs = 0

    async def block(job: toril.Job) -> int:
        nonlocal runs
        runs += 1
        time.sleep(1.2)
        return runs

    async with running(block, lock_duration=0.3, stalled_interval=0.1):
        job = await queue.add("x")
        assert await job.wait(10) == 1
    assert runs == 1


async def test_jobs_of_a_dead_worker_run_elsewhere(queue: toril.Queue, running: Running) -> None:
    started = asyncio.Event()

    async def never(job: toril.Job) -> None:
        started.set()
        await asyncio.sleep(60)

    dead = toril.Worker(queue.name, never, url=queue.url, lock_duration=0.3, stalled_interval=60)
    task = asyncio.create_task(dead.run(handle_signals=False))
    job = await queue.add("x")
    await started.wait()
    task.cancel()  # no settlement, no renewal: as a crash leaves it
    with contextlib.suppress(asyncio.CancelledError):
        await task

    async def alive(job: toril.Job) -> int:
        return job.stalled_count

    key = queue.store.keys.stalled_check
    await queue.store.connection.call("DEL", key)
    async with running(alive, lock_duration=1.0, stalled_interval=0.2):
        assert await job.wait(10) == 1


async def test_a_job_that_stalls_too_often_fails(queue: toril.Queue, running: Running) -> None:
    job = await queue.add("x")
    await queue.store.connection.call(
        "HSET", queue.store.keys.job(job.id), "defa", "job stalled more than allowable limit"
    )

    async def handler(job: toril.Job) -> None:
        raise AssertionError("must not run")

    async with running(handler):
        with pytest.raises(toril.JobFailed, match="job stalled more than allowable limit"):
            await job.wait(5)


async def test_a_stop_finishes_what_runs_and_hands_back_the_rest(queue: toril.Queue, valkey_url: str) -> None:
    started = asyncio.Semaphore(0)

    async def handler(job: toril.Job) -> str:
        started.release()
        await asyncio.sleep(0.05 if job.name == "short" else 60)
        return "done"

    worker = toril.Worker(queue.name, handler, url=valkey_url, concurrency=2, drain_timeout=0.5)
    task = asyncio.create_task(worker.run(handle_signals=False))
    short, long = await queue.add_many([toril.NewJob("short"), toril.NewJob("long")])
    for _ in range(2):
        await started.acquire()
    worker.stop()
    await task
    assert await short.get_state() == toril.JobState.COMPLETED
    assert await long.get_state() == toril.JobState.WAITING
    found = await queue.get_job(long.id)
    assert found is not None
    assert found.attempts_made == 0
    assert worker.handed_back == 1


async def test_a_missing_hash_harms_no_neighbour(queue: toril.Queue, running: Running) -> None:
    ghost = await queue.add("ghost")
    broken = await queue.add("broken")
    string = await queue.add("string")
    call, keys = queue.store.connection.call, queue.store.keys
    await call("DEL", keys.job(ghost.id))
    await call("HSET", keys.job(broken.id), "data", "{not json", "opts", "[]")
    await call("DEL", keys.job(string.id))
    await call("SET", keys.job(string.id), "text")

    async def handler(job: toril.Job) -> str:
        return "ok"

    async with running(handler):
        assert await (await queue.add("good")).wait(5) == "ok"
        with pytest.raises(toril.JobFailed, match="malformed"):
            await broken.wait(5)
    assert (await queue.get_job_counts())["active"] == 0


async def test_many_jobs_each_run_once(queue: toril.Queue, running: Running) -> None:
    count = 2000
    seen: dict[str, int] = {}
    done = asyncio.Event()

    async def handler(job: toril.Job) -> None:
        seen[job.id] = seen.get(job.id, 0) + 1
        if len(seen) == count:
            done.set()

    jobs = await queue.add_many([toril.NewJob("x", {"i": i}) for i in range(count)])
    async with running(handler, concurrency=50), asyncio.timeout(20):
        await done.wait()
    assert seen == {job.id: 1 for job in jobs}
    counts = await queue.get_job_counts()
    assert (counts["completed"], counts["active"], counts["waiting"]) == (count, 0, 0)
