"""Why is this job not running? Each reason on a real server; Node's jobs are in interop/test_explain.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

import toril
from toril import ReasonKind

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def quick(job: toril.Job) -> None: ...


async def fails(job: toril.Job) -> None:
    raise ValueError("no such\naddress")


async def either(job: toril.Job) -> None:
    if job.name == "bad":
        await fails(job)


async def lasting(job: toril.Job) -> None:
    await asyncio.sleep(30)


def reason(found: toril.Explanation, kind: ReasonKind) -> toril.Reason:
    """The one reason of this kind."""
    (one,) = [each for each in found.reasons if each.kind is kind]
    return one


def kinds(found: toril.Explanation) -> list[ReasonKind]:
    return [each.kind for each in found.reasons]


async def until_kind(queue: toril.Queue, job_id: str, kind: ReasonKind) -> toril.Explanation:
    async with asyncio.timeout(10):
        while True:
            found = await toril.explain(queue, job_id)
            if found.has(kind):
                return found
            await asyncio.sleep(0.01)


def soon(moment: datetime | None, seconds: float) -> bool:
    """Whether a moment is about so many seconds from now."""
    assert moment is not None
    return abs(moment - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=5)


async def test_a_running_job_tells_since_when_and_by_which_worker(
    queue: toril.Queue, running: Running
) -> None:
    job = await queue.add("x")
    async with running(lasting, name="w1", drain_timeout=0):
        found = await until_kind(queue, job.id, ReasonKind.RUNNING)
    assert found.state is toril.JobState.ACTIVE
    assert kinds(found) == [ReasonKind.RUNNING]
    assert reason(found, ReasonKind.RUNNING).worker == "w1"
    assert "by worker w1 (process " in str(found)


async def test_a_job_that_was_cancelled_while_it_runs(queue: toril.Queue, running: Running) -> None:
    async def stubborn(job: toril.Job) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        await held.wait()

    held = asyncio.Event()
    job = await queue.add("x")
    async with running(stubborn, drain_timeout=5):
        await until_kind(queue, job.id, ReasonKind.RUNNING)
        await queue.cancel(job.id, "not wanted")
        found = await until_kind(queue, job.id, ReasonKind.CANCEL_ASKED)
        held.set()
    assert "not wanted" in reason(found, ReasonKind.CANCEL_ASKED).text


async def test_finished_jobs_tell_how_they_ended(queue: toril.Queue, running: Running) -> None:
    good, bad = await queue.add("x"), await queue.add("bad")
    async with running(either):
        done = await until_kind(queue, good.id, ReasonKind.COMPLETED)
        failed = await until_kind(queue, bad.id, ReasonKind.FAILED)
    assert (done.state, failed.state) == (toril.JobState.COMPLETED, toril.JobState.FAILED)
    assert "after attempt 1: no such address" in reason(failed, ReasonKind.FAILED).text
    assert failed.advice == (f"toril retry {queue.name} {bad.id}",)
    assert done.advice == ()


async def test_an_unknown_id_and_what_the_events_tell_of_it(queue: toril.Queue, running: Running) -> None:
    never = await toril.explain(queue, "nothing")
    assert (never.state, never.name, kinds(never)) == (None, None, [ReasonKind.NO_SUCH_JOB])
    gone = await queue.add("x")
    await gone.remove()
    assert kinds(await toril.explain(queue, gone.id)) == [ReasonKind.REMOVED]
    passing = await queue.add("x", keep_completed=False)
    async with running(quick):
        ended = await until_kind(queue, passing.id, ReasonKind.ENDED_AND_REMOVED)
    assert "was completed at" in str(ended)
    with pytest.raises(toril.InvalidOption):
        await toril.explain(queue, "")


async def test_an_add_that_was_taken_for_another_job(queue: toril.Queue) -> None:
    first = await queue.add("x", job_id="one", deduplication=toril.Deduplication("key"))
    await queue.add("x", job_id="two", deduplication=toril.Deduplication("key"))
    found = await toril.explain(queue, "two")
    assert kinds(found) == [ReasonKind.DEDUPLICATED]
    assert reason(found, ReasonKind.DEDUPLICATED).jobs == (first.id,)
    assert found.advice == (f"toril explain {queue.name} {first.id}",)


async def test_an_add_that_is_to_follow_a_running_job(queue: toril.Queue, running: Running) -> None:
    last = toril.Deduplication.keep_last("key")
    await queue.add("x", job_id="one", deduplication=last)
    async with running(lasting, drain_timeout=0):
        await until_kind(queue, "one", ReasonKind.RUNNING)
        await queue.add("x", job_id="two", deduplication=last)
        found = await toril.explain(queue, "two")
        assert kinds(found) == [ReasonKind.FOLLOWS]
        assert reason(found, ReasonKind.FOLLOWS).jobs == ("one",)
        assert (await toril.explain(queue, "one")).has(ReasonKind.FOLLOWED)


async def test_a_paused_queue(queue: toril.Queue) -> None:
    job = await queue.add("x")
    await queue.pause()
    found = await toril.explain(queue, job.id)
    assert kinds(found) == [ReasonKind.PAUSED, ReasonKind.NO_WORKER, ReasonKind.NEXT]
    assert found.advice[0] == f"toril resume {queue.name}"
    later = await queue.add("x", delay=60)
    assert (await toril.explain(queue, later.id)).has(ReasonKind.PAUSED)


async def test_a_rate_limited_queue_tells_until_when(queue: toril.Queue, running: Running) -> None:
    await queue.set_global_rate_limit(1, 60.0)
    first, second = await queue.add("x"), await queue.add("x")
    async with running(quick):
        await until_kind(queue, first.id, ReasonKind.COMPLETED)
        found = await until_kind(queue, second.id, ReasonKind.RATE_LIMITED)
    limited = reason(found, ReasonKind.RATE_LIMITED)
    assert soon(limited.until, 60)
    assert limited.count == 1
    await queue.rate_limit(20.0)
    blocked = reason(await toril.explain(queue, second.id), ReasonKind.RATE_LIMITED)
    assert "no job may start" in blocked.text
    assert soon(blocked.until, 20)
    await queue.remove_rate_limit_key()
    assert not (await toril.explain(queue, second.id)).has(ReasonKind.RATE_LIMITED)


async def test_a_worker_s_own_rate_limit(queue: toril.Queue, running: Running) -> None:
    jobs = await queue.add_many([toril.NewJob("x")] * 3)
    async with running(quick, limiter=toril.RateLimit(2, 60.0)):
        found = await until_kind(queue, jobs[2].id, ReasonKind.RATE_LIMITED)
    assert reason(found, ReasonKind.RATE_LIMITED).count == 2


async def test_global_concurrency_and_slots(queue: toril.Queue, running: Running) -> None:
    first, second, third = await queue.add_many([toril.NewJob("x")] * 3)
    async with running(lasting, drain_timeout=0) as worker:
        await until_kind(queue, first.id, ReasonKind.RUNNING)
        found = await until_kind(queue, third.id, ReasonKind.SLOTS_TAKEN)
        assert reason(found, ReasonKind.SLOTS_TAKEN).count == 1
        assert reason(found, ReasonKind.BEHIND).count == 1
        assert (await toril.explain(queue, second.id)).has(ReasonKind.NEXT)
        await queue.set_global_concurrency(1)
        worker.concurrency = 5
        async with asyncio.timeout(10):
            while (found := await toril.explain(queue, third.id)).has(ReasonKind.SLOTS_TAKEN):
                await asyncio.sleep(0.05)
    assert kinds(found) == [ReasonKind.CONCURRENCY_REACHED, ReasonKind.BEHIND]


async def test_the_place_of_a_job_among_those_that_wait(queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("x", priority=1)] * 3 + [toril.NewJob("x")] * 2)
    low = await queue.add("x", priority=2)
    last = await queue.add("x")
    head = await queue.add("x", lifo=True)
    places = [
        reason(await toril.explain(queue, low.id), ReasonKind.BEHIND).count,
        reason(await toril.explain(queue, last.id), ReasonKind.BEHIND).count,
    ]
    assert places == [4 + 3, 3]
    assert (await toril.explain(queue, head.id)).has(ReasonKind.NEXT)


async def test_a_long_list_is_not_searched_whole(queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("x")] * 10_050)
    job = await queue.add("x")
    behind = reason(await toril.explain(queue, job.id), ReasonKind.BEHIND)
    assert (behind.count, behind.at_least) == (10_000, True)
    assert "at least 10,000 of 10,051" in behind.text


async def test_a_delayed_job_tells_until_when(queue: toril.Queue) -> None:
    job = await queue.add("x", delay=90)
    found = await toril.explain(queue, job.id)
    assert kinds(found) == [ReasonKind.DELAYED, ReasonKind.NO_WORKER]
    assert soon(reason(found, ReasonKind.DELAYED).until, 90)
    assert f"to run it now: toril promote {queue.name} {job.id}" in found.advice


async def test_a_delayed_job_that_nobody_has_moved(queue: toril.Queue) -> None:
    job = await queue.add("x", delay=0.01)
    found = await until_kind(queue, job.id, ReasonKind.DUE)
    assert kinds(found) == [ReasonKind.DUE, ReasonKind.NO_WORKER]


async def test_a_failed_attempt_waits_for_its_backoff(queue: toril.Queue, running: Running) -> None:
    job = await queue.add("x", attempts=3, backoff=60.0)
    async with running(fails):
        found = await until_kind(queue, job.id, ReasonKind.BACKOFF)
    line = reason(found, ReasonKind.BACKOFF)
    assert "attempt 1 of 3 failed (no such address)" in line.text
    assert soon(line.until, 60)


async def test_a_scheduler_s_next_job(queue: toril.Queue) -> None:
    await queue.upsert_job_scheduler("nightly", toril.Cron("30 3 * * *"), "purge")
    (job,) = await queue.get_jobs("delayed")
    found = await toril.explain(queue, job.id)
    assert kinds(found)[0] is ReasonKind.SCHEDULED
    assert f"toril schedulers {queue.name} --run-now nightly" in found.advice


async def test_a_job_that_no_worker_knows(valkey_url: str, queue: toril.Queue) -> None:
    app = toril.Toril(valkey_url)

    @app.job(queue.name, name="known")
    async def known() -> None: ...

    async with app.worker_running(death_after=0.4):
        job = await queue.add("strange")
        found = await until_kind(queue, job.id, ReasonKind.HANDED_BACK)
        assert kinds(found) == [ReasonKind.HANDED_BACK, ReasonKind.UNKNOWN_NAME]
        assert "no connected worker knows a job named 'strange'; they know known" in str(found)
    assert not (await toril.explain(queue, job.id)).has(ReasonKind.UNKNOWN_NAME)
    await app.close()


async def test_a_worker_that_does_not_tell_its_names_may_know_any(
    valkey_url: str, queue: toril.Queue, running: Running
) -> None:
    app = toril.Toril(valkey_url)

    @app.job(queue.name, name="known")
    async def known() -> None: ...

    await queue.pause()
    job = await queue.add("strange")
    async with app.worker_running(), running(quick, death_after=None) as silent:
        await silent.ready.wait()
        async with asyncio.timeout(10):
            while len(await queue.workers()) < 2:
                await asyncio.sleep(0.01)
        assert not (await toril.explain(queue, job.id)).has(ReasonKind.UNKNOWN_NAME)
    await app.close()


async def test_paused_workers(queue: toril.Queue, running: Running) -> None:
    async with running(quick, death_after=0.4) as worker:
        await worker.ready.wait()
        worker.pause()
        job = await queue.add("x")
        found = await until_kind(queue, job.id, ReasonKind.WORKERS_PAUSED)
        assert kinds(found) == [ReasonKind.WORKERS_PAUSED, ReasonKind.NEXT]


async def test_the_card_of_a_worker_goes_with_it(queue: toril.Queue, running: Running) -> None:
    async def cards() -> int:
        count: int = await queue.store.connection.call("HLEN", queue.store.keys.cards)
        return count

    async with running(quick) as worker:
        async with asyncio.timeout(10):
            while await cards() == 0:
                await asyncio.sleep(0.01)
        assert worker.name.encode() in (await queue.store.connection.call("HVALS", queue.store.keys.cards))[0]
    assert await cards() == 0


async def test_a_dead_worker_s_card_goes_when_it_is_taken_for_dead(
    queue: toril.Queue, running: Running
) -> None:
    keys, call = queue.store.keys, queue.store.connection.call
    await call("HSET", keys.cards, "dead", "{}")
    await call("ZADD", keys.beats, 1, "dead")
    await call("SET", f"{keys.base}toril:beating", 1)
    async with running(quick, death_after=0.4), asyncio.timeout(10):
        while await call("HEXISTS", keys.cards, "dead"):
            await asyncio.sleep(0.01)


async def take(queue: toril.Queue, job_id: str, lock_ms: int, **fields: str) -> None:
    """Put a job where a worker's death would have left it."""
    keys, call = queue.store.keys, queue.store.connection.call
    await call("LREM", keys.wait, 1, job_id)
    await call("LPUSH", keys.active, job_id)
    await call("HSET", keys.job(job_id), "ats", 1, "pb", "ghost")
    if lock_ms:
        await call("SET", f"{keys.job(job_id)}:lock", "ghosts-id:1", "PX", lock_ms)


async def test_a_stalled_job_tells_when_it_is_given_back(queue: toril.Queue, running: Running) -> None:
    keys, call = queue.store.keys, queue.store.connection.call
    job = await queue.add("x")
    await take(queue, job.id, 0)
    alone = await toril.explain(queue, job.id)
    assert kinds(alone) == [ReasonKind.STALLED]
    assert "no worker is connected" in str(alone)
    assert alone.advice
    await call("SET", keys.stalled_check, 1, "PX", 20_000)
    async with running(quick, stalled_check=False) as worker:
        await worker.ready.wait()
        await until_workers(queue, 1)
        unmarked = reason(await toril.explain(queue, job.id), ReasonKind.STALLED)
        await call("SADD", keys.stalled, job.id)
        marked = reason(await toril.explain(queue, job.id), ReasonKind.STALLED)
    assert (unmarked.until, "the one after that gives it back" in unmarked.text) == (None, True)
    assert soon(marked.until, 20)


async def until_workers(queue: toril.Queue, count: int) -> None:
    async with asyncio.timeout(10):
        while len(await queue.workers()) != count:
            await asyncio.sleep(0.01)


async def test_a_job_whose_worker_is_gone_tells_when_its_lock_runs_out(queue: toril.Queue) -> None:
    job = await queue.add("x")
    await take(queue, job.id, 25_000)
    gone = reason(await toril.explain(queue, job.id), ReasonKind.WORKER_GONE)
    assert gone.worker == "ghost"
    assert soon(gone.until, 25)


async def test_a_job_whose_worker_is_silent(queue: toril.Queue) -> None:
    job = await queue.add("x")
    await take(queue, job.id, 25_000)
    await queue.store.connection.call("ZADD", queue.store.keys.beats, 1, "ghosts-id")
    assert kinds(await toril.explain(queue, job.id)) == [ReasonKind.WORKER_SILENT]


async def test_where_workers_cannot_be_listed_nothing_is_said_of_them(queue: toril.Queue) -> None:
    waits, held = await queue.add_many([toril.NewJob("x")] * 2)
    await take(queue, held.id, 25_000)
    user, password = queue.name, "few"
    rights = ("on", f">{password}", "~*", "&*", "+@all", "-client|list")
    await queue.store.connection.call("ACL", "SETUSER", user, *rights)
    url = queue.url.replace("://", f"://{user}:{password}@")
    async with toril.Queue(queue.name, url) as theirs:
        with pytest.raises(toril.ServerRefused):
            await theirs.workers()
        assert kinds(await toril.explain(theirs, waits.id)) == [ReasonKind.NEXT]
        assert kinds(await toril.explain(theirs, held.id)) == [ReasonKind.RUNNING]
    await queue.store.connection.call("ACL", "DELUSER", user)


async def test_a_parent_names_the_children_that_it_waits_for(valkey_url: str, queue: toril.Queue) -> None:
    below = toril.Queue(f"{queue.name}-below", valkey_url)
    async with below, toril.FlowProducer(valkey_url) as flows:
        children = [toril.FlowJob("child", below.name, job_id=f"c{n}") for n in range(3)]
        node = await flows.add(toril.FlowJob("parent", queue.name, children=children))
        found = await toril.explain(queue, node.job.id)
        waits = reason(found, ReasonKind.CHILDREN)
        assert (waits.count, set(waits.jobs)) == (3, {f"bull:{below.name}:c{n}" for n in range(3)})
        assert f"bull:{below.name}:c1 (waiting)" in waits.text
        await below.cancel("c1")
        await below.store.connection.call("DEL", below.store.keys.job("c2"))
        found = await toril.explain(queue, node.job.id)
    assert reason(found, ReasonKind.CHILD_FAILED).jobs == (f"bull:{below.name}:c1",)
    assert reason(found, ReasonKind.CHILD_GONE).jobs == (f"bull:{below.name}:c2",)


async def test_a_job_that_will_fail_when_its_turn_comes(queue: toril.Queue) -> None:
    late = await queue.add("x", deadline=0.001)
    doomed = await queue.add("x")
    await queue.store.connection.call("HSET", queue.store.keys.job(doomed.id), "defa", "a child failed")
    assert (
        "its deadline was"
        in reason(await until_kind(queue, late.id, ReasonKind.WILL_FAIL), ReasonKind.WILL_FAIL).text
    )
    assert "a child failed" in str(await toril.explain(queue, doomed.id))


async def test_a_hash_that_no_list_names(queue: toril.Queue) -> None:
    await queue.store.connection.call("HSET", queue.store.keys.job("lost"), "name", "x")
    found = await toril.explain(queue, "lost")
    assert (found.state, kinds(found)) == (toril.JobState.UNKNOWN, [ReasonKind.NOWHERE])


async def test_nonsense_of_other_clients_is_explained_too(queue: toril.Queue) -> None:
    keys, call = queue.store.keys, queue.store.connection.call
    await call("SET", keys.job("text"), "no hash")
    await call("LPUSH", keys.wait, "text")
    await call("HSET", keys.job("odd"), "name", b"\xff", "opts", "{", "timestamp", "NaN", "atm", "many")
    await call("ZADD", keys.delayed, 4096, "odd")
    await call("HSET", keys.cards, "w", "{]")
    await call("ZADD", keys.beats, 10**15, "w")
    await call("HSET", keys.meta, "concurrency", "several")
    for job_id in ("text", "odd"):
        found = await toril.explain(queue, job_id)
        assert found.reasons
        assert json.dumps(found.as_dict())


async def test_the_answer_as_json(queue: toril.Queue) -> None:
    job = await queue.add("x", delay=60)
    found = json.loads(json.dumps((await toril.explain(queue, job.id)).as_dict()))
    assert (found["queue"], found["id"], found["name"], found["state"]) == (
        queue.name,
        job.id,
        "x",
        "delayed",
    )
    assert found["reasons"][0]["kind"] == "delayed"
    assert soon(datetime.fromisoformat(found["reasons"][0]["until"]), 60)
    assert found["advice"]
