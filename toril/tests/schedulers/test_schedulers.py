"""Job schedulers on the server: what is stored, and when runs come and end."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import toril
from toril.storage.schedulers import Advance, Declared, SchedulerStore, _encode

from .conftest import Look, Working, instant

HOURLY = toril.Cron("0 * * * *")


def now() -> datetime:
    return datetime.now(UTC)


async def test_the_hash_and_the_job_are_as_bullmq_has_them(queue: toril.Queue, look: Look) -> None:
    end = datetime(2100, 1, 1, tzinfo=UTC)
    when = toril.Cron("0 3 * * *", tz="Europe/Berlin", limit=5, end=end)
    assert await queue.upsert_job_scheduler(
        "s",
        when,
        "n",
        {"a": 1},
        attempts=3,
        backoff=toril.Backoff.exponential(1.0),
        keep_completed=toril.Keep(count=5, age=10),
        priority=3,
    )
    fields = await look.fields("s")
    assert json.loads(fields.pop("opts")) == {
        "attempts": 3,
        "priority": 3,
        "backoff": {"type": "exponential", "delay": 1000},
        "removeOnComplete": {"count": 5, "age": 10},
    }
    assert fields == {
        "name": "n",
        "data": '{"a":1}',
        "pattern": "0 3 * * *",
        "tz": "Europe/Berlin",
        "limit": "5",
        "endDate": "4102444800000",
        "offset": "0",
        "ic": "1",
    }
    due = await look.due("s")
    job = await look.hash(queue.store.keys.job(f"repeat:s:{due}"))
    assert (job["rjk"], job["name"], job["priority"], job["data"]) == ("s", "n", "3", '{"a":1}')
    opts = json.loads(job["opts"])
    assert (opts["jobId"], opts["repeatJobKey"], opts["prevMillis"]) == (f"repeat:s:{due}", "s", due)
    assert opts["repeat"] == {
        "pattern": "0 3 * * *",
        "tz": "Europe/Berlin",
        "limit": 5,
        "endDate": 4102444800000,
        "count": 1,
    }
    assert opts["delay"] == int(job["delay"]) == due - int(job["timestamp"])


async def test_a_scheduler_is_read_as_it_was_declared(queue: toril.Queue) -> None:
    start, end = datetime(2090, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    cron = toril.Cron("0 3 * * *", "Asia/Kolkata", limit=7, start=start, end=end, missed=toril.Missed.skip(5))
    every = toril.Every(60, 5, limit=2, end=end, missed=toril.Missed.all(9))
    await queue.upsert_job_scheduler("c", cron, "n", [1, "x"], attempts=4, lifo=True)
    await queue.upsert_job_scheduler("e", every, "m", {})
    found = await queue.get_job_scheduler("c")
    assert found is not None
    assert (found.id, found.name, found.when, found.runs, found.data) == ("c", "n", cron, 1, [1, "x"])
    assert (found.options.attempts, found.options.lifo, found.owner) == (4, True, None)
    assert found.next_run == cron.next_after(now())
    found = await queue.get_job_scheduler("e")
    assert found is not None
    assert (found.when, found.data) == (every, {})
    assert found.next_run.timestamp() % 60 == 5
    assert await queue.get_job_scheduler("none") is None


async def test_thousands_are_read_in_pages(queue: toril.Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime(2090, 1, 1, tzinfo=UTC)
    for i in range(1203):
        await queue.upsert_job_scheduler(f"s{i}", toril.Every(60, start=start + timedelta(seconds=i)), "n")
    assert await queue.get_job_schedulers_count() == 1203
    calls = 0
    connection = queue.store.connection
    real = connection.call

    async def counted(*command: str | bytes | float, **options: float) -> object:
        nonlocal calls
        calls += 1
        return await real(*command, **options)

    monkeypatch.setattr(connection, "call", counted)
    found = await queue.get_job_schedulers()
    assert [each.id for each in found] == [f"s{i}" for i in range(1203)]
    assert calls <= 5
    assert [each.id for each in await queue.get_job_schedulers(2, 4)] == ["s2", "s3", "s4"]
    assert [each.id for each in await queue.get_job_schedulers(0, 1, ascending=False)] == ["s1202", "s1201"]
    assert [each.id for each in await queue.get_job_schedulers(1202)] == ["s1202"]
    assert await queue.get_job_schedulers(5000) == []
    with pytest.raises(toril.InvalidOption):
        await queue.get_job_schedulers(3, 2)


@pytest.mark.parametrize("when", [toril.Every(0.05, limit=3), toril.Cron("* * * * * *", limit=3)])
async def test_a_limit_ends_it(queue: toril.Queue, working: Working, look: Look, when: toril.When) -> None:
    await queue.upsert_job_scheduler("s", when, "n")
    async with working() as runs:
        await runs.count(3)
        assert await look.pending() == []
    found = await queue.get_job_scheduler("s")
    assert found is not None
    assert (found.runs, found.when) == (3, when if isinstance(when, toril.Cron) else found.when)
    counts = [
        json.loads((await look.hash(queue.store.keys.job(j.id)))["opts"])["repeat"]["count"]
        for j in runs.jobs
    ]
    assert counts == [1, 2, 3]
    # What has ended stays so when it is declared again, until it is changed.
    assert not await queue.upsert_job_scheduler("s", when, "n")
    assert await look.pending() == []
    assert await queue.upsert_job_scheduler("s", when, "n", {"changed": True})
    assert len(await look.pending()) == 1


async def test_an_end_ends_it(queue: toril.Queue, working: Working, look: Look) -> None:
    await queue.upsert_job_scheduler("s", toril.Every(0.2, end=now() + timedelta(seconds=0.7)), "n")
    async with working() as runs:
        await runs.count(3)
        first = runs.instants[0]
        await runs.count(4)
        assert runs.instants == [first, first + 200, first + 400, first + 600]
        assert await look.pending() == []


async def test_an_end_that_has_passed_makes_nothing(queue: toril.Queue, look: Look) -> None:
    over = toril.Cron("* * * * *", end=now() - timedelta(seconds=1))
    assert not await queue.upsert_job_scheduler("s", over, "n")
    assert await queue.get_job_schedulers() == []
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    assert await queue.upsert_job_scheduler("s", over, "n")
    assert await queue.get_job_schedulers() == []
    assert await look.pending() == []


async def test_a_start_is_the_first_run_or_before_it(queue: toril.Queue, look: Look) -> None:
    start = datetime(2090, 1, 1, 12, 30, tzinfo=UTC)
    await queue.upsert_job_scheduler("e", toril.Every(60, start=start), "n")
    await queue.upsert_job_scheduler("c", toril.Cron("0 * * * *", start=start), "n")
    await queue.upsert_job_scheduler("on", toril.Cron("30 * * * *", start=start), "n")
    at = int(start.timestamp() * 1000)
    assert [await look.due(each) - at for each in ("e", "c", "on")] == [0, 30 * 60000, 0]
    assert (await look.fields("e"))["startDate"] == str(at)


async def test_immediately_is_now_and_then_as_the_pattern_says(
    queue: toril.Queue, working: Working, look: Look
) -> None:
    when = toril.Cron("0 3 1 1 *", immediately=True)
    before = time.time()
    await queue.upsert_job_scheduler("s", when, "n")
    assert abs(await look.due("s") / 1000 - before) < 5
    # Declared again it is not run again.
    assert not await queue.upsert_job_scheduler("s", when, "n")
    async with working() as runs:
        await runs.count(1)
    following = when.next_after(now())
    assert following is not None
    assert await look.due("s") == following.timestamp() * 1000


async def test_an_offset_keeps_its_rhythm(queue: toril.Queue, working: Working) -> None:
    await queue.upsert_job_scheduler("s", toril.Every(0.2, 0.05), "n")
    async with working() as runs:
        await runs.count(3)
    assert [each % 200 for each in runs.instants[:3]] == [50, 50, 50]


async def test_a_changed_one_keeps_its_time_when_that_has_not_changed(queue: toril.Queue, look: Look) -> None:
    await queue.upsert_job_scheduler("s", toril.Every(3600), "n", 1)
    await look.let_pass("s", -60)
    due = await look.due("s")
    assert await queue.upsert_job_scheduler("s", toril.Every(3600), "n", 2, attempts=2)
    assert await look.due("s") == due
    (job,) = await queue.get_jobs("delayed")
    assert (job.data, job.options.attempts) == (2, 2)
    assert await queue.upsert_job_scheduler("s", toril.Every(1800), "n", 2)
    assert await look.due("s") < due


async def test_a_due_run_is_not_lost_by_a_change(queue: toril.Queue, working: Working, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n", "old")
    due = await look.let_pass("s", 3600)
    assert await queue.upsert_job_scheduler("s", toril.Cron("30 4 1 1 *"), "n", "new")
    async with working() as runs:
        (job,) = await runs.count(1)
        assert (instant(job.id), job.data) == (due, "new")
        (following,) = await look.pending()
    assert datetime.fromtimestamp(instant(following) / 1000, UTC).strftime("%H:%M %d") == "04:30 01"


async def test_a_removed_one_is_gone_with_its_job(queue: toril.Queue, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    assert await queue.remove_job_scheduler("s")
    assert not await queue.remove_job_scheduler("s")
    assert await look.pending() == []
    assert await look.fields("s") == {}


async def test_a_run_s_retries_are_its_own(queue: toril.Queue, valkey_url: str, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n", attempts=3, backoff=0.01)
    await look.let_pass("s", 7200)
    ended = toril.Worker(queue.name, _fail, url=valkey_url)
    async with toril.QueueEvents(queue.name, queue.url) as events:
        task = asyncio.create_task(ended.run(handle_signals=False))
        async with asyncio.timeout(10):
            async for event in events:
                if event.type == "failed":
                    break
        ended.stop()
        await task
    (failed,) = await queue.get_jobs("failed")
    assert failed.attempts_made == 3
    assert len(await look.pending()) == 1


async def _fail(job: toril.Job) -> None:
    raise ValueError("no")


@pytest.mark.parametrize(
    ("missed", "runs_late"),
    [(toril.Missed.once(), 1), (toril.Missed.skip(), 0), (toril.Missed.all(), 6), (toril.Missed.all(2), 3)],
)
@pytest.mark.parametrize("kind", ["every", "cron"])
async def test_missed_runs(
    queue: toril.Queue, working: Working, look: Look, missed: toril.Missed, runs_late: int, kind: str
) -> None:
    """No worker ran for five hours; the job of the first missed hour has waited since."""
    hours = toril.Cron("0 * * * *", missed=missed)
    when = toril.Every(3600, missed=missed) if kind == "every" else hours
    await queue.upsert_job_scheduler("s", when, "n")
    if kind == "every":
        await look.let_pass("s", 5 * 3600 + 60)
        passed = 6
    else:
        await look.let_pass("s", 6 * 3600)
        passed = 6
    first = await look.due("s")
    async with working() as runs:
        if runs_late:
            await runs.count(runs_late)
        async with asyncio.timeout(10):
            while await look.due("s") / 1000 <= time.time() or await look.pending() != [
                await look.newest("s")
            ]:
                await asyncio.sleep(0.01)
    assert await look.due("s") == first + passed * 3_600_000
    assert len(runs.jobs) == runs_late
    if runs_late:
        assert runs.instants[0] == first
        late = runs.instants[1:]
        assert late == [first + (passed - each) * 3_600_000 for each in range(len(late), 0, -1)]
    counts = await queue.get_job_counts()
    assert (counts["active"], counts["completed"], counts["delayed"]) == (0, runs_late, 1)


async def test_a_run_that_is_not_late_is_not_skipped(queue: toril.Queue, working: Working) -> None:
    await queue.upsert_job_scheduler("s", toril.Every(0.1, missed=toril.Missed.skip(5)), "n")
    async with working() as runs:
        await runs.count(3)


async def test_what_cannot_be_read_here_is_parked(queue: toril.Queue, working: Working, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    await look.call("HSET", queue.store.keys.scheduler("s"), "pattern", "H H * * *")
    (found,) = await queue.get_job_schedulers()
    assert found.when is None
    await look.let_pass("s", 7200)
    newest = await look.newest("s")
    async with working() as runs, asyncio.timeout(10):
        while (await look.hash(queue.store.keys.job(newest))).get("ats") != "1":
            await asyncio.sleep(0.01)
        while await look.pending() != [newest]:
            await asyncio.sleep(0.01)
    assert runs.jobs == []


async def test_a_time_that_old_and_new_pattern_share_is_kept(queue: toril.Queue, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    due = await look.due("s")
    assert await queue.upsert_job_scheduler("s", toril.Cron("0,59 * * * *"), "n")
    assert await look.due("s") in (due, due - 60_000)
    await queue.upsert_job_scheduler("t", HOURLY, "n")
    assert await queue.upsert_job_scheduler("t", toril.Cron("0 */1 * * *"), "n")
    assert await look.due("t") == due
    assert len(await look.pending()) == 2


@pytest.mark.parametrize("place", ["delayed", "active"])
async def test_a_change_that_was_long_on_its_way_ends_nothing(
    queue: toril.Queue, look: Look, place: str
) -> None:
    """The times that it was reckoned with have all passed and been run."""
    await queue.upsert_job_scheduler("s", toril.Cron("* * * * * *"), "n", 1)
    newest, keys = await look.newest("s"), queue.store.keys
    if place == "active":
        await look.call("ZREM", keys.delayed, newest)
        await look.call("LPUSH", keys.active, newest)
    changed = Declared("s", toril.Cron("*/1 * * * * *"), toril.NewJob("n", 2))
    stale = msgspec.msgpack.encode(_encode(changed, "", instant(newest) - 10_000))
    await queue.schedulers._run("upsert_scheduler", stale)
    assert await look.newest("s") == newest
    assert (await look.fields("s"))["pattern"] == "*/1 * * * * *"
    if place == "delayed":
        assert await look.pending() == [newest]


async def test_a_lost_answer_runs_no_job_that_was_left_out(
    queue: toril.Queue, working: Working, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has left the late job out, and the connection breaks before it can say so."""
    real = SchedulerStore.advance
    answers: list[Advance] = []

    async def advance(self: SchedulerStore, scheduler_id: str, taken: str, token: str) -> Advance:
        answers.append(await real(self, scheduler_id, taken, token))
        if len(answers) == 1:
            raise toril.ConnectionFailed("cut off")
        return answers[-1]

    monkeypatch.setattr(SchedulerStore, "advance", advance)
    await queue.upsert_job_scheduler("s", toril.Cron("0 * * * *", missed=toril.Missed.skip()), "n")
    await look.let_pass("s", 7200)
    async with working() as runs:
        async with asyncio.timeout(10):
            while len(answers) < 2:
                await asyncio.sleep(0.01)
        await queue.upsert_job_scheduler("t", toril.Every(3600), "n")
        await runs.count(1)
        assert [job.scheduler_id for job in runs.jobs] == ["t"]


@pytest.mark.parametrize("kind", ["every", "cron"])
async def test_a_change_amid_catching_up_leaves_no_run_out(
    queue: toril.Queue, working: Working, look: Look, kind: str
) -> None:
    hours = toril.Cron("0 * * * *", missed=toril.Missed.all())
    when = toril.Every(3600, missed=toril.Missed.all()) if kind == "every" else hours
    await queue.upsert_job_scheduler("s", when, "n", 0)
    first = await look.let_pass("s", 6 * 3600)
    for change in range(1, 4):
        taken = await look.newest("s")
        # A worker has taken it, and not moved the schedule on yet.
        await look.call("ZREM", queue.store.keys.delayed, taken)
        await look.call("LPUSH", queue.store.keys.active, taken)
        assert await queue.upsert_job_scheduler("s", when, "n", change)
        assert await look.newest("s") == taken
        await queue.schedulers.advance("s", taken, "")
        assert await look.due("s") == first + change * 3_600_000
        newest = await queue.get_job(await look.newest("s"))
        assert newest is not None
        assert newest.data == change
        await look.call("LREM", queue.store.keys.wait, 0, newest.id)
        await look.call("ZADD", queue.store.keys.delayed, 1, newest.id)
