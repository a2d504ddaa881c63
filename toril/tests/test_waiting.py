"""`job.wait` in every order of events: it never hangs, and never tells another end than the job's."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toril
from toril import waiting
from toril.storage.jobs import JobStore

GONE = toril.Keep(count=0)


async def handler(job: toril.Job) -> object:
    if job.name == "fail":
        raise ValueError("no")
    return {"n": job.data}


@contextlib.asynccontextmanager
async def working(queue: toril.Queue, **options: Any) -> AsyncIterator[toril.Worker]:
    worker = toril.Worker(queue.name, handler, url=queue.url, **options)
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def run_all(queue: toril.Queue) -> None:
    """Run what waits, with a worker that is gone afterwards."""
    async with toril.QueueEvents(queue.name, queue.url) as events, working(queue, concurrency=50):

        async def is_empty() -> bool:
            counts = await queue.get_job_counts()
            return counts["waiting"] + counts["active"] == 0

        await events.until(is_empty, timeout=10)


async def begun(queue: toril.Queue, job: toril.Job) -> asyncio.Task[Any]:
    """A wait that has looked at its job and now listens."""
    wait = asyncio.create_task(job.wait(20))
    async with asyncio.timeout(5):
        while queue._ends is None or not all(  # type: ignore[attr-defined]
            waiter.after for waiters in queue._ends._waiting.values() for waiter in waiters
        ):
            await asyncio.sleep(0.005)
    return wait


Order = Callable[[toril.Queue], Coroutine[Any, Any, object]]
ORDERS: dict[str, tuple[Order, object]] = {}


def order(outcome: object) -> Callable[[Order], Order]:
    def keep(function: Order) -> Order:
        ORDERS[function.__name__.strip("_")] = (function, outcome)
        return function

    return keep


@order({"n": 1})
async def _finished_before(queue: toril.Queue) -> object:
    job = await queue.add("work", 1)
    await run_all(queue)
    return await job.wait(5)


@order({"n": 1})
async def _finished_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work", 1))
    await run_all(queue)
    return await wait


@order({"n": 1})
async def _removed_on_completion_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work", 1, keep_completed=GONE))
    await run_all(queue)
    return await wait


@order({"n": 1})
async def _removed_on_completion_before(queue: toril.Queue) -> object:
    job = await queue.add("work", 1, keep_completed=GONE)
    await run_all(queue)
    return await job.wait(5)


@order("no")
async def _failed_before(queue: toril.Queue) -> object:
    job = await queue.add("fail")
    await run_all(queue)
    return await job.wait(5)


@order("no")
async def _failed_and_not_kept_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("fail", keep_failed=GONE))
    await run_all(queue)
    return await wait


@order("no")
async def _failed_and_not_kept_before(queue: toril.Queue) -> object:
    job = await queue.add("fail", keep_failed=GONE)
    await run_all(queue)
    return await job.wait(5)


@order(None)
async def _never_was(queue: toril.Queue) -> object:
    return await queue.wait("nobody", 5)


@order(None)
async def _removed_before(queue: toril.Queue) -> object:
    job = await queue.add("work")
    await job.remove()
    return await job.wait(5)


@order(None)
async def _completed_then_removed(queue: toril.Queue) -> object:
    job = await queue.add("work")
    await run_all(queue)
    await job.remove()
    return await job.wait(5)


@order(None)
async def _removed_while_waiting(queue: toril.Queue) -> object:
    job = await queue.add("work")
    wait = await begun(queue, job)
    await job.remove()
    return await wait


@order(None)
async def _obliterated_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work"))
    await queue.pause()
    await queue.obliterate()
    return await wait


@order(None)
async def _obliterated_after_completion(queue: toril.Queue) -> object:
    job = await queue.add("work", keep_completed=GONE)
    await run_all(queue)
    await queue.pause()
    await queue.obliterate()
    return await job.wait(5)


@order(None)
async def _drained_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work"))
    await queue.drain()
    return await wait


@order(None)
async def _cleaned_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work"))
    await queue.clean(toril.JobState.WAITING)
    return await wait


@order({"n": 1})
async def _retention_takes_it_at_once(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work", 1))
    await queue.add_many([toril.NewJob("work", keep_completed=toril.Keep(count=1)) for _ in range(20)])
    await run_all(queue)
    return await wait


@order({"n": 1})
async def _stream_trimmed_while_waiting(queue: toril.Queue) -> object:
    wait = await begun(queue, await queue.add("work", 1))
    assert queue._ends is not None
    queue._ends._reader.cancel()  # type: ignore[attr-defined]
    await asyncio.wait([queue._ends._reader])
    await run_all(queue)
    await queue.trim_events(0)
    other = await queue.add("work", 2)
    with pytest.raises(toril.WaitTimeout):
        await other.wait(0.05)  # starts a reader, which looks at all in due time
    return await wait


@order(None)
async def _stream_trimmed_and_not_kept(queue: toril.Queue) -> object:
    job = await queue.add("work", keep_completed=GONE)
    await run_all(queue)
    await queue.trim_events(0)
    return await job.wait(5)


@order({"n": 1})
async def _retried_and_waited_for_again(queue: toril.Queue) -> object:
    job = await queue.add("work", 1)
    await run_all(queue)
    other = await begun(queue, await queue.add("work", 2, delay=60))
    await job.retry()
    wait = await begun(queue, job)
    assert not wait.done()  # the end before the retry is none of its business
    await run_all(queue)
    other.cancel()
    return await wait


@order({"n": 1})
async def _waited_for_before_it_is_due(queue: toril.Queue) -> object:
    job = await queue.add("work", 1, delay=0.2)
    async with working(queue):
        return await job.wait(5)


@pytest.mark.parametrize("name", ORDERS)
async def test_wait_hanging(queue: toril.Queue, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "RECHECK", 0.5)
    run, outcome = ORDERS[name]
    async with asyncio.timeout(15):
        if isinstance(outcome, dict):
            assert await run(queue) == outcome
        elif outcome is None:
            with pytest.raises(toril.JobNotFound):
                await run(queue)
        else:
            with pytest.raises(toril.JobFailed, match=str(outcome)):
                await run(queue)


@pytest.mark.parametrize("keep", [None, GONE])
@pytest.mark.parametrize("name", ["work", "fail"])
async def test_wait_hanging_between_the_look_and_the_first_event(
    queue: toril.Queue, monkeypatch: pytest.MonkeyPatch, name: str, keep: toril.Keep | None
) -> None:
    """The job ends after its state was read and before the answer is understood."""
    looked = waiting.read_ends

    async def slow(*args: Any) -> Any:
        answer = await looked(*args)
        monkeypatch.setattr(waiting, "read_ends", looked)
        await run_all(queue)
        return answer

    monkeypatch.setattr(waiting, "read_ends", slow)
    job = await queue.add(name, 1, keep_completed=keep, keep_failed=keep)
    if name == "work":
        assert await job.wait(10) == {"n": 1}
    else:
        with pytest.raises(toril.JobFailed, match="no"):
            await job.wait(10)


async def test_wait_hanging_when_the_reader_is_ahead_of_the_look(
    queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that runs already hears the end before the look's answer is there."""
    other = await begun(queue, await queue.add("work", delay=60))
    looked = waiting.read_ends
    ends = queue._ends
    assert ends is not None

    async def slow(*args: Any) -> Any:
        answer = await looked(*args)
        monkeypatch.setattr(waiting, "read_ends", looked)
        await run_all(queue)
        async with asyncio.timeout(5):
            while not any(waiter.early for waiters in ends._waiting.values() for waiter in waiters):
                await asyncio.sleep(0.005)
        return answer

    monkeypatch.setattr(waiting, "read_ends", slow)
    job = await queue.add("work", 1, keep_completed=GONE)
    assert await job.wait(5) == {"n": 1}
    other.cancel()


async def test_wait_hanging_through_a_restart(queue_name: str) -> None:
    with toril.EmbeddedServer(appendonly="always") as server:
        async with toril.Queue(queue_name, server.url) as queue:
            kept = await begun(queue, await queue.add("work", 1))
            gone = await begun(queue, await queue.add("work", 2, keep_completed=GONE))
            server.kill()
            server.restart()
            with contextlib.suppress(toril.ConnectionFailed):
                await queue.get_job_counts()
            await run_all(queue)
            assert [await kept, await gone] == [{"n": 1}, {"n": 2}]


async def test_wait_hanging_when_a_restart_has_lost_all(queue_name: str) -> None:
    with toril.EmbeddedServer() as server:
        async with toril.Queue(queue_name, server.url) as queue:
            wait = await begun(queue, await queue.add("work", 1))
            server.kill()
            server.restart()
            with pytest.raises(toril.JobNotFound):
                await wait


async def test_wait_hanging_with_thousands(queue: toril.Queue) -> None:
    jobs = await queue.add_many(
        [
            toril.NewJob("work" if n % 3 else "fail", n, keep_completed=GONE if n % 2 else None)
            for n in range(3000)
        ]
    )
    started = time.monotonic()
    waits = [asyncio.create_task(job.wait(30)) for job in jobs]
    async with working(queue, concurrency=100):
        ends = await asyncio.gather(*waits, return_exceptions=True)
    for n, end in enumerate(ends):
        if n % 3:
            assert end == {"n": n}
        else:
            assert isinstance(end, toril.JobFailed)
    again = await asyncio.gather(*(job.wait(30) for job in jobs), return_exceptions=True)
    assert [repr(end) for end in again] == [repr(end) for end in ends]
    assert time.monotonic() - started < 20


async def test_many_who_wait_for_one_job(queue: toril.Queue) -> None:
    job = await queue.add("work", 1, keep_completed=GONE)
    waits = [asyncio.create_task(job.wait(10)) for _ in range(100)]
    await run_all(queue)
    assert await asyncio.gather(*waits) == [{"n": 1}] * 100


async def test_thousands_of_looks_travel_together(queue: toril.Queue) -> None:
    store: JobStore = queue.store
    jobs = await queue.add_many([toril.NewJob("work", delay=60) for _ in range(1500)])
    before = await _calls(store)
    waits = [asyncio.create_task(job.wait(30)) for job in jobs]
    await asyncio.gather(*[begun(queue, jobs[0])])
    assert await _calls(store) - before < 15
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def _calls(store: JobStore) -> int:
    info = (await store.connection.call("INFO", "commandstats")).decode()
    return sum(
        int(line.partition("calls=")[2].partition(",")[0])
        for line in info.splitlines()
        if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:"))
    )


async def test_who_waits_when_the_queue_is_closed_is_told(valkey_url: str, queue_name: str) -> None:
    queue = toril.Queue(queue_name, valkey_url)
    wait = await begun(queue, await queue.add("work"))
    await queue.close()
    with pytest.raises(toril.ConnectionFailed, match="closed"):
        await wait


async def test_a_server_that_is_not_there_is_told() -> None:
    async with toril.Queue("q", "valkey://127.0.0.1:1/0") as queue:
        with pytest.raises(toril.ConnectionFailed):
            await queue.wait("x", 5)


async def test_a_result_that_is_no_json_is_told(queue: toril.Queue) -> None:
    job = await queue.add("work", 1)
    await run_all(queue)
    await queue.store.connection.call("HSET", queue.store.keys.job(job.id), "returnvalue", "{")
    with pytest.raises(toril.InvalidPayload, match="result of job"):
        await job.wait(5)


async def test_a_timeout_leaves_nothing_behind(queue: toril.Queue) -> None:
    job = await queue.add("work", delay=60)
    with pytest.raises(toril.WaitTimeout):
        await job.wait(0.05)
    assert queue._ends is not None
    assert not queue._ends._waiting


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    jobs=st.lists(
        st.tuples(st.sampled_from(["work", "fail"]), st.booleans(), st.booleans()), min_size=1, max_size=8
    ),
    steps=st.lists(st.sampled_from(["run", "remove", "trim", "drain", "clean", "wait"]), max_size=8),
)
def test_wait_hanging_in_any_order(
    valkey_url: str, jobs: list[tuple[str, bool, bool]], steps: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "RECHECK", 0.2)
        asyncio.run(_any_order(valkey_url, jobs, steps))


async def _any_order(url: str, jobs: list[tuple[str, bool, bool]], steps: list[str]) -> None:
    """Each job is waited for from the begin or from a step on; whatever happens, its wait ends truly."""
    async with toril.Queue(f"orders-{uuid.uuid4().hex[:8]}", url) as queue, asyncio.timeout(20):
        waits: dict[str, list[asyncio.Task[Any]]] = {}
        names: dict[str, str] = {}
        gone: set[str] = set()  # those whose end may not be known to one who asks later
        for name, keep, at_once in jobs:
            retention = None if keep else GONE
            job = await queue.add(name, 1, keep_completed=retention, keep_failed=retention)
            names[job.id] = name
            waits[job.id] = [asyncio.create_task(job.wait())] if at_once else []
        for step in [*steps, "run", "wait"]:
            if step == "run":
                await run_all(queue)
            elif step == "remove":
                with contextlib.suppress(toril.JobNotFound):
                    await queue.remove("1")
                gone.add("1")
            elif step == "trim":
                await queue.trim_events(0)
                gone |= set(names)
            elif step == "drain":
                await queue.drain()
                gone |= set(names)
            elif step == "clean":
                await queue.clean(toril.JobState.COMPLETED)
            else:
                for job_id in names:
                    waits[job_id].append(asyncio.create_task(queue.wait(job_id)))
        for job_id, name in names.items():
            for end in await asyncio.gather(*waits[job_id], return_exceptions=True):
                if isinstance(end, toril.JobNotFound):
                    assert job_id in gone
                elif name == "work":
                    assert end == {"n": 1}
                else:
                    assert isinstance(end, toril.JobFailed)
                    assert str(end) == "no"
