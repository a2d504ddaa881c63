"""Telemetry's hooks: what they are told, and that they harm no job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

import pytest

import toril


class Heard(toril.Telemetry):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.endings: list[tuple[str, str, str]] = []
        self.added: list[str] = []

    def ended(self, job: toril.Job, ending: toril.Ending, error: BaseException | None) -> None:
        self.endings.append((job.name, ending.value, type(error).__name__))

    @contextlib.contextmanager
    def sending(self, queue: str, jobs: Sequence[toril.NewJob]) -> Iterator[toril.Sending]:
        yield toril.Sending(jobs, lambda made: self.added.extend(job.id for job in made))


class Broken(toril.Telemetry):
    def ended(self, job: toril.Job, ending: toril.Ending, error: BaseException | None) -> None:
        raise RuntimeError("broken")


async def handler(job: toril.Job) -> object:
    first = job.attempts_started == 1
    match job.name:
        case "retry" if first:
            raise ValueError("again")
        case "snooze" if first:
            raise toril.Snooze(0)
        case "fail":
            raise toril.Fail("no")
        case "unwritable":
            return object()
    return None


async def test_each_end_is_told_once_even_beside_one_that_raises(
    valkey_url: str, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    telemetry = [Broken(), heard]
    async with toril.Queue(queue_name, valkey_url, telemetry=telemetry) as queue:
        jobs = [
            *await queue.add_many([toril.NewJob(name, attempts=2) for name in ("ok", "retry", "snooze")]),
            await queue.add("fail", attempts=5),
            await queue.add("unwritable"),
        ]
        worker = toril.Worker(queue_name, handler, url=valkey_url, telemetry=telemetry)
        task = asyncio.create_task(worker.run(handle_signals=False))
        for job in jobs:
            with contextlib.suppress(toril.JobFailed):
                await job.wait(timeout=10)
        worker.stop()
        await task
    assert sorted(heard.endings) == [
        ("fail", "failed", "Fail"),
        ("ok", "completed", "NoneType"),
        ("retry", "completed", "NoneType"),
        ("retry", "retried", "ValueError"),
        ("snooze", "completed", "NoneType"),
        ("snooze", "snoozed", "Snooze"),
        ("unwritable", "failed", "InvalidPayload"),
    ]
    assert heard.added == [job.id for job in jobs]
    assert "Broken cannot take note of its end" in caplog.text


async def test_what_never_reaches_its_handler_is_told_too(valkey_url: str, queue_name: str) -> None:
    heard = Heard()
    app = toril.Toril(valkey_url, telemetry=[heard])

    @app.job(queue_name, name="typed")
    async def typed(number: int) -> None:
        raise AssertionError("not to be called")

    job = await app.queue(queue_name).add("typed", {"number": "seven"})
    async with app.worker_running():
        with pytest.raises(toril.JobFailed):
            await job.wait(timeout=10)
    await app.close()
    assert heard.endings == [("typed", "failed", "InvalidPayload")]
