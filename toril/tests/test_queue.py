"""Adding, reading and steering jobs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

import toril


async def test_adds_of_one_turn_get_their_own_results(queue: toril.Queue) -> None:
    jobs = await asyncio.gather(*(queue.add(f"j{i}", {"i": i}) for i in range(100)))
    assert len({job.id for job in jobs}) == 100
    for i, job in enumerate(jobs):
        found = await queue.get_job(job.id)
        assert found is not None
        assert (found.name, found.data) == (f"j{i}", {"i": i})


async def test_one_bad_add_fails_alone(queue: toril.Queue) -> None:
    good, bad = await asyncio.gather(
        queue.add("good", 1), queue.add("bad", {1, object()}), return_exceptions=True
    )
    assert isinstance(good, toril.Job)
    assert isinstance(bad, toril.InvalidPayload)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": -1},
        {"priority": 2**21},
        {"delay": -1},
        {"delay": float("nan")},
        {"attempts": 0},
        {"job_id": "12"},
        {"job_id": "a:b"},
        {"job_id": ""},
        {"timeout": 0},
    ],
)
async def test_wrong_options_are_refused(queue: toril.Queue, options: toril.JobKeywords) -> None:
    with pytest.raises(toril.InvalidOption, match=next(iter(options))):
        await queue.add("x", **options)


@pytest.mark.parametrize("url", ["nonsense", "http://x", "valkey://host:port", "valkey://u:secret@h:x/0"])
def test_a_malformed_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(toril.InvalidOption, match="not a Valkey URL") as caught:
        toril.Queue("x", url)
    assert "secret" not in str(caught.value)


async def test_an_unreachable_server_is_told() -> None:
    async with toril.Queue("x", "valkey://127.0.0.1:1/0") as queue:
        with pytest.raises(toril.ConnectionFailed, match=r"cannot reach valkey://127\.0\.0\.1:1"):
            await queue.add("x")


async def test_an_own_id_is_one_job(queue: toril.Queue) -> None:
    first = await queue.add("x", 1, job_id="mine")
    second = await queue.add("x", 2, job_id="mine")
    assert (first.created, second.created, second.id) == (True, False, "mine")
    assert (await queue.get_job_counts())["waiting"] == 1


async def test_simple_deduplication_lasts_until_the_end(queue: toril.Queue) -> None:
    key = toril.Deduplication("k")
    first = await queue.add("x", deduplication=key)
    assert (await queue.add("x", deduplication=key)).id == first.id
    worker = toril.Worker(queue.name, _nothing, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await first.wait(5)
    worker.stop()
    await task
    assert (await queue.add("x", deduplication=key)).created


async def test_throttling_lasts_for_its_time(queue: toril.Queue) -> None:
    key = toril.Deduplication("k", ttl=0.2)
    first = await queue.add("x", deduplication=key)
    assert not (await queue.add("x", deduplication=key)).created
    async with asyncio.timeout(5):
        while not (again := await queue.add("x", deduplication=key)).created:
            await asyncio.sleep(0.02)
    assert again.id != first.id


async def test_order_is_priority_then_age_and_lifo_first(queue: toril.Queue) -> None:
    await queue.add("low", priority=9)
    await queue.add("high", priority=1)
    await queue.add("first")
    await queue.add("second")
    await queue.add("last-in", lifo=True)
    ran: list[str] = []

    async def handler(job: toril.Job) -> None:
        ran.append(job.name)

    worker = toril.Worker(queue.name, handler, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await (await queue.add("end", priority=10)).wait(5)
    worker.stop()
    await task
    assert ran == ["last-in", "first", "second", "high", "low", "end"]


async def test_a_delayed_job_is_not_early_and_can_be_promoted(queue: toril.Queue) -> None:
    loop = asyncio.get_running_loop()
    worker = toril.Worker(queue.name, _nothing, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    begun = loop.time()
    job = await queue.add("x", delay=0.3)
    assert await job.get_state() == toril.JobState.DELAYED
    await job.wait(5)
    assert loop.time() - begun >= 0.29
    later = await queue.add("x", delay=60)
    await later.promote()
    await later.wait(5)
    with pytest.raises(toril.JobNotInState):
        await later.promote()
    worker.stop()
    await task


async def test_pause_resume_and_counts(queue: toril.Queue) -> None:
    await queue.pause()
    job = await queue.add("x")
    worker = toril.Worker(queue.name, _nothing, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await worker.ready.wait()
    with pytest.raises(toril.WaitTimeout):
        await job.wait(0.2)
    assert await queue.is_paused()
    await queue.resume()
    await job.wait(5)
    worker.stop()
    await task


async def test_retention_by_count(queue: toril.Queue) -> None:
    worker = toril.Worker(queue.name, _nothing, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    jobs = await queue.add_many([toril.NewJob("x", keep_completed=toril.Keep(count=3)) for _ in range(10)])
    gone = await queue.add("x", keep_completed=False)
    assert await gone.wait(5) is None
    assert await queue.get_job(gone.id) is None
    worker.stop()
    await task
    assert (await queue.get_job_counts())["completed"] == 3
    assert await queue.get_job(jobs[0].id) is None


async def test_retry_remove_drain_and_obliterate(queue: toril.Queue) -> None:
    async def fail(job: toril.Job) -> None:
        raise ValueError("x")

    worker = toril.Worker(queue.name, fail, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    job = await queue.add("x")
    with pytest.raises(toril.JobFailed):
        await job.wait(5)
    worker.stop()
    await task
    await job.retry()
    assert await job.get_state() == toril.JobState.WAITING
    with pytest.raises(toril.JobNotInState):
        await job.retry()
    await job.remove()
    with pytest.raises(toril.JobNotFound):
        await job.remove()
    await queue.add_many([toril.NewJob("x", delay=i % 2 * 9.0, priority=i % 3) for i in range(12)])
    assert await queue.drain() == 6
    assert await queue.drain(delayed=True) == 6
    await queue.add("x", delay=5)
    with pytest.raises(toril.QueueNotPaused):
        await queue.obliterate()
    await queue.pause()
    await queue.obliterate()
    keys = await queue.store.connection.call("KEYS", queue.store.keys.base + "*")
    assert keys == []


async def test_pages_and_states(queue: toril.Queue) -> None:
    jobs = await queue.add_many([toril.NewJob("x", i) for i in range(10)])
    newest = await queue.get_jobs(toril.JobState.WAITING, 0, 2)
    oldest = await queue.get_jobs("waiting", 0, 2, ascending=True)
    assert [job.data for job in newest] == [9, 8, 7]
    assert [job.data for job in oldest] == [0, 1, 2]
    assert await queue.get_job_ids("waiting", 8, 9999) == [jobs[1].id, jobs[0].id]
    assert await queue.get_job_ids("waiting", ascending=True) == [job.id for job in jobs]
    with pytest.raises(toril.InvalidOption, match="state 'nowhere'"):
        await queue.get_jobs("nowhere")
    with pytest.raises(toril.InvalidOption, match="at most 1,000 jobs"):
        await queue.get_jobs("waiting", 0, 1000)
    with pytest.raises(toril.InvalidOption, match="at most 10,000 jobs"):
        await queue.get_job_ids("waiting", 0, 10_000)
    assert await jobs[0].log("one") == 1
    await jobs[0].update_progress({"done": 3})
    found = await queue.get_job(jobs[0].id)
    assert found is not None
    assert found.progress == {"done": 3}


async def _nothing(job: toril.Job) -> None: ...


TWO_LOOPS = """
import asyncio, sys
import toril

queue = toril.Queue(sys.argv[2], sys.argv[1])

async def goes_on():
    async with asyncio.timeout(10), queue:
        await queue.add("x")
        print((await queue.get_job_counts())["waiting"])

asyncio.run(queue.add("x"))
asyncio.run(goes_on())
"""


async def test_a_queue_that_was_left_open_goes_on_in_another_event_loop(queue: toril.Queue) -> None:
    command = [sys.executable, "-c", TWO_LOOPS, queue.url, queue.name]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr
