"""`toril retry`, `promote`, `remove`, `cancel`, `pause`, `resume`: what they do, and that they ask."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
from collections.abc import Callable
from typing import Any

import pytest

import toril

from .conftest import TORIL, Command

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def fails(job: toril.Job) -> None:
    raise ValueError("no")


async def failed(queue: toril.Queue, running: Running, count: int) -> list[str]:
    """The ids of jobs that have failed."""
    jobs = await queue.add_many([toril.NewJob("x", attempts=1)] * count)
    async with running(fails, concurrency=10), asyncio.timeout(10):
        while (await queue.get_job_counts())["failed"] < count:
            await asyncio.sleep(0.01)
    return [job.id for job in jobs]


async def counts(queue: toril.Queue, *states: str) -> tuple[int, ...]:
    found = await queue.get_job_counts()
    return tuple(found[state] for state in states)


async def test_jobs_are_retried_by_their_ids(
    queue: toril.Queue, running: Running, command: Command, found: Callable[..., Any]
) -> None:
    first, second, third = await failed(queue, running, 3)
    assert found("retry", queue.name, first, second, second)["done"] == 2
    assert await counts(queue, "waiting", "failed") == (2, 1)
    again = command("retry", queue.name, third, first, "nothing")
    assert again.returncode == 1
    assert again.stdout == f"retried 1 job of queue {queue.name}\n"
    assert again.stderr == f"toril: job {first} is not completed or failed, and 1 other refused\n"


async def test_a_retry_of_all_asks_for_their_number(
    queue: toril.Queue, running: Running, command: Command, found: Callable[..., Any]
) -> None:
    await failed(queue, running, 5)
    assert found("retry", queue.name, "--all", "--dry-run")["chosen"] == 5
    unasked = command("retry", queue.name, "--all")
    assert unasked.returncode == 1
    assert unasked.stderr == (
        f"toril: nothing was done: retry 5 failed jobs of queue {queue.name}? Say --yes, or --count 5\n"
    )
    wrong = command("retry", queue.name, "--all", "--count", "4")
    assert (wrong.returncode, wrong.stderr) == (1, "toril: nothing was done: it would be 5 jobs, not 4\n")
    assert await counts(queue, "waiting", "failed") == (0, 5)
    assert found("retry", queue.name, "--all", "--limit", "2", "--yes")["done"] == 2
    assert await counts(queue, "waiting", "failed") == (2, 3)
    assert found("retry", queue.name, "--all", "--count", "3")["done"] == 3
    assert await counts(queue, "waiting", "failed") == (5, 0)


@pytest.mark.parametrize(("answer", "code", "left"), [("3", 0, 0), ("yes", 1, 3)])
async def test_at_a_terminal_the_number_is_typed(
    queue: toril.Queue, running: Running, answer: str, code: int, left: int
) -> None:
    await failed(queue, running, 3)
    outer, inner = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *TORIL, "retry", queue.name, "--all", env={"TORIL_URL": queue.url}, stdin=inner, stdout=inner,
            stderr=inner,
        )  # fmt: skip
        os.write(outer, f"{answer}\n".encode())
        async with asyncio.timeout(20):
            assert await process.wait() == code
        shown = os.read(outer, 100_000).decode()
    finally:
        os.close(inner)
        os.close(outer)
    assert f"retry 3 failed jobs of queue {queue.name}? Type 3 to go on" in shown
    assert await counts(queue, "failed") == (left,)


async def test_attempts_may_be_kept(queue: toril.Queue, running: Running, done: Callable[..., str]) -> None:
    (job_id,) = await failed(queue, running, 1)
    done("retry", queue.name, job_id, "--keep-attempts")
    job = await queue.get_job(job_id)
    assert job is not None
    assert job.attempts_made == 1


async def test_jobs_are_chosen_by_name_and_by_a_query(queue: toril.Queue, found: Callable[..., Any]) -> None:
    await queue.add_many([toril.NewJob("a" if n % 2 else "b", {"n": n}, delay=60) for n in range(6)])
    assert found("promote", queue.name, "--name", "a", "--dry-run")["chosen"] == 3
    assert found("promote", queue.name, "--search", "data.n>3", "--yes")["done"] == 2
    assert sorted(job.data["n"] for job in await queue.get_jobs("waiting")) == [4, 5]
    assert found("cancel", queue.name, "--name", "b", "--state", "delayed", "--count", "2")["done"] == 2
    assert found("remove", queue.name, "--state", "delayed", "--name", "a", "--limit", "1", "-y")["done"] == 1
    assert [job["data"] for job in found("jobs", queue.name, "-s", "delayed")] == [{"n": 3}]
    assert found("jobs", queue.name, "-s", "failed", "--search", "data.n=2")[0]["data"] == {"n": 2}
    assert len(found("jobs", queue.name, "-s", "failed", "--name", "b", "-n", "1")) == 1


async def test_failures_of_one_kind_are_listed_and_retried(
    queue: toril.Queue,
    running: Running,
    command: Command,
    done: Callable[..., str],
    found: Callable[..., Any],
) -> None:
    async def kinds(job: toril.Job) -> None:
        if job.data["n"] % 3:
            raise ValueError(f"mailbox of user{job.data['n']}@example.org is full")
        raise KeyError("template")

    await queue.add_many([toril.NewJob("x", {"n": n}) for n in range(9)])
    async with running(kinds, concurrency=9), asyncio.timeout(10):
        while (await queue.get_job_counts())["failed"] < 9:
            await asyncio.sleep(0.01)
    full, template = found("failures", queue.name)
    assert [(kind["count"], kind["error"]) for kind in (full, template)] == [
        (6, "ValueError"),
        (3, "KeyError"),
    ]
    assert "FINGERPRINT" in done("failures", queue.name)
    assert found("retry", queue.name, "--fingerprint", full["fingerprint"], "--limit", "2", "-y")["done"] == 2
    assert found("retry", queue.name, "--fingerprint", template["fingerprint"], "--count", "3")["done"] == 3
    assert await counts(queue, "waiting", "failed") == (5, 4)
    none = command("retry", queue.name, "--fingerprint", "nothing", "-y")
    assert none.returncode == 1
    assert none.stderr == f"toril: no failed job of queue {queue.name} has the fingerprint 'nothing'\n"


async def test_delayed_jobs_are_promoted(queue: toril.Queue, done: Callable[..., str]) -> None:
    jobs = await queue.add_many([toril.NewJob("x", delay=60)] * 4)
    assert done("promote", queue.name, jobs[0].id) == f"promoted 1 job of queue {queue.name}\n"
    assert await counts(queue, "waiting", "delayed") == (1, 3)
    assert "would promote 3 jobs" in done("promote", queue.name, "--all", "--dry-run")
    done("promote", queue.name, "--all", "--yes")
    assert await counts(queue, "waiting", "delayed") == (4, 0)


async def test_jobs_are_removed(queue: toril.Queue, command: Command, done: Callable[..., str]) -> None:
    jobs = await queue.add_many([toril.NewJob("x")] * 4)
    done("remove", queue.name, jobs[0].id)
    assert await counts(queue, "waiting") == (3,)
    done("remove", queue.name, "--all", "--state", "waiting", "--count", "3")
    assert await counts(queue, "waiting") == (0,)
    missing = command("remove", queue.name, "nothing")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == f"toril: no job nothing in queue {queue.name}\n"


async def test_jobs_are_cancelled_with_a_reason(queue: toril.Queue, found: Callable[..., Any]) -> None:
    jobs = await queue.add_many([toril.NewJob("x")] * 3)
    dry = found("cancel", queue.name, "--all", "--dry-run")
    assert sorted(dry["ids"]) == sorted(job.id for job in jobs)
    assert found("cancel", queue.name, "--all", "--yes", "--reason", "by hand")["done"] == 3
    (job, *_) = await queue.get_jobs("failed")
    assert job.failed_reason == "cancelled: by hand"


async def test_queues_are_paused_and_resumed(
    queue: toril.Queue, command: Command, done: Callable[..., str], found: Callable[..., Any]
) -> None:
    await queue.add("x")
    assert found("pause", queue.name) == {queue.name: {"paused": True}}
    assert done("pause", queue.name) == f"paused: {queue.name}\n"
    assert await queue.is_paused()
    assert done("resume", queue.name) == f"resumed: {queue.name}\n"
    assert not await queue.is_paused()
    missing = command("pause", "no-such-queue")
    assert (missing.returncode, missing.stderr) == (
        1,
        "toril: there is no queue 'no-such-queue'; `toril stats` lists those that are there\n",
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["retry", "q"], "which jobs? Give ids, or --all, --name and the like"),
        (["retry", "q", "1", "--all"], "either ids, or --all, --name and the like"),
        (["retry", "q", "1", "--limit", "5"], "either ids, or --all, --name and the like"),
        (["retry", "q", "--search", "attempts>many"], "attempts> needs a number, not 'many'"),
        (
            ["retry", "q", "--fingerprint", "f", "--name", "n"],
            "--fingerprint goes with no --name, --search or other state than failed",
        ),
        (["remove", "a:b", "1"], "a queue's name must not contain ':' (a:b)"),
    ],
)
def test_a_command_that_is_called_wrongly_ends_with_2(command: Command, words: list[str], line: str) -> None:
    ended = command(*words)
    assert (ended.returncode, ended.stderr) == (2, f"toril: {line}\n")
