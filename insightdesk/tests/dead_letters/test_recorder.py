"""No failure is missed, and none is two letters: events, gaps, crashes, retries, several recorders."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import valkey
from desks import Desk
from failing import fail, letters, refuse, work
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.database import Database, database, new_id, transaction
from insightdesk.dead_letters import repository
from insightdesk.dead_letters.capture import Failure
from insightdesk.dead_letters.recorder import QueueRecorder, run_recorders


async def read(queue: toril.Queue, url: str) -> list[toril.Event]:
    """All events so far."""
    found: list[toril.Event] = []
    await queue.publish_event("mark")
    async with toril.QueueEvents(queue.name, url, since="0-0") as events:
        async for event in events:
            if event.type == "mark":
                break
            found.append(event)
    return found


async def cursor_of(name: str) -> str | None:
    async with transaction() as session:
        return await repository.cursor_of(session, name)


@pytest.fixture
async def recording(queue: toril.Queue, valkey_url: str) -> AsyncIterator[None]:
    """Two recorders beside each other, without the lock that would let one wait."""
    tasks = [asyncio.create_task(QueueRecorder(database(), queue.name, valkey_url).run()) for _ in range(2)]
    yield
    await end(*tasks)


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel recorders; raises what one has died of."""
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def recorded(name: str, count: int) -> list[object]:
    """Wait until there are so many letters."""
    deadline = time.monotonic() + 20.0
    while len(found := await letters(name)) < count:
        if time.monotonic() > deadline:
            pytest.fail(f"{len(found)} letters, not {count}")
        await asyncio.sleep(0.05)
    return list(found)


async def test_a_failure_that_no_attempt_can_mend_is_recorded_once_by_two_recorders(
    queue: toril.Queue, recording: None, desk: Desk, valkey_url: str
) -> None:
    data = {"userId": desk.agent.user_id, "email": "ann@example.com"}
    await fail(queue, valkey_url, data, attempts=5)
    (letter,) = await recorded(queue.name, 1)
    await fail(queue, valkey_url, {"n": 2})
    await recorded(queue.name, 2)
    assert len(await letters(queue.name)) == 2
    assert (letter.name, letter.attempts, letter.error_class) == ("refused", 1, "Fail")
    assert letter.organization_id == desk.organization_id
    assert letter.error == "no mailbox for [redacted], code 550"
    assert "ann@example.com" not in letter.trace
    assert letter.data == {"userId": desk.agent.user_id, "email": "[redacted]"}


async def test_failures_before_the_first_look_are_found(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    jobs = await queue.add_many([toril.NewJob("refused", {"n": n}) for n in range(120)])
    await work(queue, valkey_url, refuse, *jobs)
    assert await recorder.reconcile(queue, whole=True) == 120
    assert await recorder.reconcile(queue, whole=True) == 0
    assert len(await letters(queue.name)) == 120


async def test_what_was_trimmed_unread_is_found_in_the_failed_set(
    queue: toril.Queue, valkey_url: str
) -> None:
    running = asyncio.create_task(QueueRecorder(database(), queue.name, valkey_url).run())
    await fail(queue, valkey_url, {"n": 1})
    await recorded(queue.name, 1)
    await end(running)
    assert await cursor_of(queue.name) is not None
    await fail(queue, valkey_url, {"n": 2})
    await queue.trim_events(0)
    await fail(queue, valkey_url, {"n": 3})
    running = asyncio.create_task(QueueRecorder(database(), queue.name, valkey_url).run())
    await recorded(queue.name, 3)
    await end(running)
    assert len(await letters(queue.name)) == 3


async def test_events_and_the_failed_set_tell_of_one_letter(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    await fail(queue, valkey_url, {"n": 1})
    events = await read(queue, valkey_url)
    assert await recorder.take(queue, events, events[-1].cursor) == 1
    assert await recorder.take(queue, events, events[-1].cursor) == 0
    assert await recorder.reconcile(queue, whole=True) == 0


async def test_a_job_that_is_not_kept_is_recorded_from_its_event(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    job = await fail(queue, valkey_url, {"n": 1}, keep_failed=False)
    events = await read(queue, valkey_url)
    assert await recorder.take(queue, events, events[-1].cursor) == 1
    (letter,) = await letters(queue.name)
    assert (letter.job_id, letter.payload) == (job.id, None)
    assert letter.error == "no mailbox for [address], code 550"


async def test_a_job_that_fails_again_after_a_retry_is_a_second_letter(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    job = await fail(queue, valkey_url, {"n": 1})
    await recorder.reconcile(queue, whole=True)
    await job.retry()

    async def otherwise(_: toril.Job) -> None:
        raise ValueError("something else")

    await work(queue, valkey_url, otherwise, job)
    events = await read(queue, valkey_url)
    assert await recorder.take(queue, events, events[-1].cursor) <= 2
    await recorder.reconcile(queue, whole=True)
    texts = [letter.error for letter in await letters(queue.name)]
    assert texts.count("something else") == 1
    assert texts[0].startswith("no mailbox")


CRASH = """
import asyncio, os, sys, toril
async def die(job): os._exit(1)
asyncio.run(toril.Worker(sys.argv[1], die, url=sys.argv[2]).run())
"""


async def test_a_job_that_kills_its_process_is_recorded(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    job = await queue.add("deadly", {"n": 1}, attempts=3)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CRASH, queue.name, valkey_url], check=False, timeout=30
    )
    assert done.returncode == 1
    worker = toril.Worker(
        queue.name, refuse, url=valkey_url, max_stalled=0, stalled_interval=0.5, death_after=0.5
    )
    running = asyncio.create_task(worker.run(handle_signals=False))
    with pytest.raises(toril.JobFailed):
        await job.wait(timeout=40.0)
    await worker.close()
    await running
    assert await recorder.reconcile(queue, whole=True) == 1
    (letter,) = await letters(queue.name)
    assert "stalled" in letter.error
    assert letter.stalls == 1


@pytest.mark.parametrize(
    "data", [{"text": "nul \x00 in it"}, ["no", "object"], None, {"n": 2**80}, {"big": "x" * 300_000}]
)
async def test_odd_payloads_are_recorded(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str, data: toril.Json
) -> None:
    await fail(queue, valkey_url, data)
    assert await recorder.reconcile(queue, whole=True) == 1


async def test_one_recorder_at_a_time_and_the_next_takes_over(queue: toril.Queue, valkey_url: str) -> None:
    first, second = (
        asyncio.create_task(run_recorders(database(), valkey_url, [queue.name])) for _ in range(2)
    )
    await fail(queue, valkey_url, {"n": 1})
    await recorded(queue.name, 1)
    await end(first)
    await fail(queue, valkey_url, {"n": 2})
    await recorded(queue.name, 2)
    await end(second)


class Flaky(Database):
    """A database that is gone for its first transactions."""

    gone = 3

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        if self.gone:
            self.gone -= 1
            raise OperationalError("SELECT 1", {}, ConnectionRefusedError("gone"))
        async with super().transaction() as session:
            yield session


async def test_recording_goes_on_after_the_database_was_gone(
    queue: toril.Queue, database_url: str, valkey_url: str
) -> None:
    flaky = Flaky(database_url)
    running = asyncio.create_task(QueueRecorder(flaky, queue.name, valkey_url).run())
    await fail(queue, valkey_url, {"n": 1})
    await recorded(queue.name, 1)
    await end(running)
    await flaky.close()


async def test_recording_goes_on_after_valkey_was_restarted(
    db: None, tmp_path: Path, queue: toril.Queue
) -> None:
    name = f"q-{new_id()}"
    with toril.embedded(tmp_path, appendonly="always") as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        running = asyncio.create_task(QueueRecorder(database(), name, url).run())
        async with toril.Queue(name, url) as own:
            await fail(own, url, {"n": 1})
            await recorded(name, 1)
    with toril.embedded(tmp_path, appendonly="always", port=port) as url:
        async with toril.Queue(name, url) as own:
            await fail(own, url, {"n": 2})
            await recorded(name, 2)
        await end(running)
    assert len(await letters(name)) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"atm": "1e300", "stc": "-1"},
        {"finishedOn": "1e30"},
        {"finishedOn": "never"},
        {"opts": '{"attempts": 3, "backoff": {"type": "odd\\u0000", "delay": 1}}'},
        {"opts": "[]", "stacktrace": "{"},
        {"data": '{"size": 1e400, "ticketId": 1e400}'},
        {"data": "[" * 2000 + "]" * 2000},
        {"data": "no JSON", "name": "\x00\ufffe"},
    ],
)
async def test_a_job_that_was_written_wrongly_does_not_stop_the_recorder(
    queue: toril.Queue, recorder: QueueRecorder, valkey_url: str, fields: dict[str, str]
) -> None:
    broken = await fail(queue, valkey_url, {"n": 1})
    client = valkey.Valkey.from_url(valkey_url)
    client.hset(f"bull:{queue.name}:{broken.id}", mapping=fields)
    client.close()
    whole = await fail(queue, valkey_url, {"n": 2})
    events = await read(queue, valkey_url)
    await recorder.take(queue, events, events[-1].cursor)
    await recorder.reconcile(queue, whole=True)
    found = {letter.job_id for letter in await letters(queue.name)}
    assert found == {broken.id, whole.id}
    assert await cursor_of(queue.name) == events[-1].cursor


async def test_a_failure_that_cannot_be_stored_does_not_hold_up_the_others(
    recorder: QueueRecorder, queue: toril.Queue
) -> None:
    good = Failure(queue.name, "good", "n", datetime.now(UTC), "boom")
    bad = Failure(queue.name, "bad", "n", datetime.now(UTC), "boom", options={"odd": "\x00"})
    assert await recorder._record([bad, good], cursor="7-0") == 1
    assert [letter.job_id for letter in await letters(queue.name)] == ["good"]
    assert await cursor_of(queue.name) == "7-0"
