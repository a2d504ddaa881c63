"""`toril jobs`, `job`, `explain`, `schedulers`, `stats`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

import toril

from .conftest import Command

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def handle(job: toril.Job) -> dict[str, bool]:
    await job.log("a line")
    if job.name == "bad":
        raise ValueError("no such \x1b[31maddress")
    return {"ok": True}


async def ended(queue: toril.Queue, running: Running) -> tuple[toril.Job, toril.Job]:
    """Two jobs: one that has completed, one that has failed."""
    good, bad = await queue.add("good", {"userId": "u1"}), await queue.add("bad", {"userId": "u2"})
    async with running(handle, name="w1"):
        await good.wait(10)
        with pytest.raises(toril.JobFailed):
            await bad.wait(10)
    return good, bad


async def test_jobs_are_listed_by_state(
    queue: toril.Queue, running: Running, done: Callable[..., str], found: Callable[..., Any]
) -> None:
    _, bad = await ended(queue, running)
    await queue.add_many([toril.NewJob("x", {"n": n}) for n in range(5)])
    await queue.add("later", delay=60)
    await queue.add("first", priority=7)
    assert [job["data"] for job in found("jobs", queue.name, "--limit", "2")] == [{"n": 4}, {"n": 3}]
    assert [job["data"] for job in found("jobs", queue.name, "--oldest", "-n", "1")] == [{"n": 0}]
    (failed,) = found("jobs", queue.name, "--state", "failed")
    assert (failed["id"], failed["state"], failed["processedBy"]) == (bad.id, "failed", "w1")
    assert failed["stacktrace"]
    table = done("jobs", queue.name, "--state", "failed").splitlines()
    assert table[0].split() == ["ID", "NAME", "ENDED", "RAN", "ATTEMPTS", "ERROR"]
    assert r"no such \x1b[31maddress" in table[1]
    assert '{"ok":true}' in done("jobs", queue.name, "--state", "completed")
    assert "60 s" in done("jobs", queue.name, "--state", "delayed")
    assert "first" in done("jobs", queue.name, "--state", "prioritized")
    assert "2 of 5 waiting jobs" in done("jobs", queue.name, "-n", "2")
    assert "0 of 0 active jobs" in done("jobs", queue.name, "-s", "active")


async def test_one_job_is_shown_with_its_log_and_stack_trace(
    queue: toril.Queue, running: Running, done: Callable[..., str], found: Callable[..., Any]
) -> None:
    good, bad = await ended(queue, running)
    shown = done("job", queue.name, bad.id)
    for part in ("state           failed", '"userId": "u2"', "  a line", "in handle", r"no such \x1b[31m"):
        assert part in shown
    assert "\x1b" not in shown
    assert found("job", queue.name, good.id)["returnvalue"] == {"ok": True}
    assert found("job", queue.name, good.id)["logs"] == ["a line"]
    assert "  a line" not in done("job", queue.name, good.id, "--logs", "0")


async def test_a_job_that_another_client_has_written_wrongly_is_shown(
    queue: toril.Queue, found: Callable[..., Any], done: Callable[..., str]
) -> None:
    keys, call = queue.store.keys, queue.store.connection.call
    await queue.add("x")
    await call("HSET", keys.job("odd"), "name", b"\xff", "data", "{", "opts", "no", "timestamp", "NaN")
    await call("LPUSH", keys.wait, "odd")
    odd = found("jobs", queue.name)[0]
    assert (odd["id"], odd["data"], odd["opts"], odd["timestamp"]) == ("odd", "{", "no", None)
    assert "odd" in done("jobs", queue.name)
    assert "state           waiting" in done("job", queue.name, "odd")


async def test_explain_tells_why_a_job_does_not_run(
    queue: toril.Queue, command: Command, done: Callable[..., str], found: Callable[..., Any]
) -> None:
    job = await queue.add("welcome")
    await queue.pause()
    lines = done("explain", queue.name, job.id).splitlines()
    assert lines[0] == f"job {job.id} (welcome) of queue {queue.name} is waiting"
    assert "  - the queue is paused: no worker starts its jobs" in lines
    assert f"  > toril resume {queue.name}" in lines
    kinds = [reason["kind"] for reason in found("explain", queue.name, job.id)["reasons"]]
    assert kinds == ["paused", "no-worker", "next"]
    missing = command("explain", queue.name, "nothing", "--json")
    assert (missing.returncode, json.loads(missing.stdout)["state"]) == (1, None)
    assert missing.stderr == f"toril: there is no job nothing in queue {queue.name}\n"


async def test_schedulers_are_listed_and_run_now(
    queue: toril.Queue, command: Command, done: Callable[..., str], found: Callable[..., Any]
) -> None:
    await queue.upsert_job_scheduler("nightly", toril.Cron("30 3 * * *"), "purge", {"n": 1}, attempts=3)
    before = await queue.get_job_scheduler("nightly")
    assert before is not None
    (scheduler,) = found("schedulers", queue.name)
    assert (scheduler["id"], scheduler["pattern"], scheduler["data"]) == ("nightly", "30 3 * * *", {"n": 1})
    assert scheduler in found("schedulers")
    assert found("stats")[queue.name]["delayed"] == 1
    assert "30 3 * * * UTC" in done("schedulers", queue.name)
    job_id = found("schedulers", queue.name, "--run-now", "nightly")["id"]
    job = await queue.get_job(job_id)
    assert job is not None
    assert (job.name, job.data, job.options.attempts) == ("purge", {"n": 1}, 3)
    assert await job.get_state() is toril.JobState.WAITING
    assert await queue.get_job_scheduler("nightly") == before
    missing = command("schedulers", queue.name, "--run-now", "other")
    assert (missing.returncode, missing.stderr) == (
        1,
        f"toril: there is no scheduler 'other' in queue {queue.name}\n",
    )
    assert command("schedulers", "--run-now", "nightly").returncode == 2


async def test_a_long_queue_s_first_page_is_read_alone(queue: toril.Queue, found: Callable[..., Any]) -> None:
    await asyncio.gather(*(queue.add("x") for _ in range(100)))
    assert len(found("jobs", queue.name, "--limit", "100")) == 100
    assert len(found("jobs", queue.name)) == 20
