"""Locks of jobs whose worker stands still: kept while it only blocks, given up when it is stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import toril

from .command import Command, worker
from .conftest import until

LOCK = 1.0
OPTIONS = ("--processes", "2", "--lock-duration", str(LOCK), "--stalled-interval", "0.5")


async def ends_of(queue: toril.Queue, job_id: str) -> list[str]:
    """The events of a job's end."""
    found = await queue.store.connection.call("XRANGE", queue.store.keys.events, "-", "+")
    events = [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in found]
    return [
        event[b"event"].decode()
        for event in events
        if event.get(b"jobId") == job_id.encode() and event[b"event"] in (b"completed", b"failed")
    ]


async def blocked(command: Command, queue: toril.Queue) -> None:
    """A handler blocks the event loop for four lock durations: the keeper's thread renews meanwhile."""
    job = await queue.add("block", {"seconds": 4 * LOCK}, attempts=2)
    await job.wait(20)
    assert len(command.ledger("block")) == 1, "it ran once"
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_made, found.attempts_started, found.stalled_count) == (1, 1, 0)
    assert await ends_of(queue, job.id) == ["completed"]
    await command.says("the event loop has been blocked for")


async def stopped(command: Command, queue: toril.Queue) -> None:
    """The whole process is stopped: the job runs elsewhere, and its first run is cancelled, not settled."""
    job = await queue.add("held", {"seconds": 60})
    await until(lambda: len(command.pids("held")) == 1)
    (first,) = command.pids("held")
    os.kill(first, signal.SIGSTOP)
    try:
        await until(lambda: len(command.pids("held")) == 2)
    finally:
        os.kill(first, signal.SIGCONT)
    await until(lambda: command.pids("cancelled") == [first])
    await command.says(f"job {job.id}: its lock was lost, so its run is not settled")
    assert await job.get_state() == toril.JobState.ACTIVE, "its second run goes on"
    (command.folder / "release").touch()
    assert await job.wait(20) == command.pids("held")[1]
    assert command.pids("cancelled") == [first]
    await ended_once(queue, job)


async def stopped_and_late(command: Command, queue: toril.Queue) -> None:
    """The stopped run ends after the job did elsewhere: its result comes too late and is refused."""
    job = await queue.add("held", {"seconds": 1.0})
    await until(lambda: len(command.pids("held")) == 1)
    (first,) = command.pids("held")
    os.kill(first, signal.SIGSTOP)
    try:
        second = await job.wait(20)
    finally:
        os.kill(first, signal.SIGCONT)
    assert second == command.pids("held")[1] != first
    await command.says("could not be settled|its lock was lost")
    await ended_once(queue, job)


async def ended_once(queue: toril.Queue, job: toril.Job) -> None:
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_made, found.attempts_started, found.stalled_count) == (1, 2, 1)
    assert found.return_value == await job.wait(1)
    assert await ends_of(queue, job.id) == ["completed"]
    counts = await queue.get_job_counts()
    assert (counts["active"], counts["waiting"], counts["completed"]) == (0, 0, 1)


@pytest.mark.parametrize("case", [blocked, stopped, stopped_and_late])
async def test_lock_lost_under_a_blocked_event_loop(queue: toril.Queue, tmp_path: Path, case: object) -> None:
    assert callable(case)
    async with worker(tmp_path, queue.url, queue.name, *OPTIONS) as command:
        await until(lambda: len(command.pids()) == 2)
        await case(command, queue)
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0
