"""Reports to Sentry, by its own client with a transport that keeps what would be sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

import toril
from toril.telemetry.sentry import SentryReports

SECRET = "4111 1111 1111 1111"


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    kept: list[dict[str, Any]] = []

    class Keeping(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            event = envelope.get_event()
            assert event is not None
            kept.append(dict(event))

    sentry_sdk.init("http://public@127.0.0.1:9/1", transport=Keeping, default_integrations=False)
    yield kept
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


async def handler(job: toril.Job) -> None:
    card = job.data["card"]
    sentry_sdk.add_breadcrumb(message=f"{job.name} {job.attempts_made}")
    if job.name == "fine":
        return
    if job.name == "hold":
        await asyncio.sleep(30)
    raise ValueError(f"cannot charge a card of {len(card)} digits")


async def ran(queue: toril.Queue, reports: SentryReports, *jobs: toril.Job, cancel: bool = False) -> None:
    worker = toril.Worker(queue.name, handler, url=queue.url, telemetry=[reports], concurrency=3)
    task = asyncio.create_task(worker.run(handle_signals=False))
    if cancel:
        async with asyncio.timeout(10):
            while not worker.running:
                await asyncio.sleep(0.01)
        worker.cancel_all("no longer wanted")
    for job in jobs:
        with contextlib.suppress(toril.JobFailed):
            await job.wait(timeout=10)
    worker.stop()
    await task


async def test_a_final_failure_is_one_event_without_the_payload(
    queue: toril.Queue, events: list[dict[str, Any]]
) -> None:
    data = {"card": SECRET}
    job = await queue.add("charge", data, attempts=3)
    await ran(queue, SentryReports(), job, await queue.add("fine", data))
    (event,) = events
    (error,) = event["exception"]["values"]
    assert (error["type"], error["mechanism"]["handled"]) == ("ValueError", False)
    assert event["transaction"] == f"{queue.name}/charge"
    assert event["tags"] == {"toril.queue": queue.name, "toril.job": "charge"}
    about = event["contexts"]["job"]
    assert (about["id"], about["attempt"]) == (job.id, 3)
    assert about["worker"].startswith("toril-")
    # Breadcrumbs are those of the run that has failed, not of its neighbours or of earlier runs.
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == ["charge 2"]
    assert SECRET not in str(event)


async def test_the_payload_is_there_if_it_is_asked_for(
    queue: toril.Queue, events: list[dict[str, Any]]
) -> None:
    await ran(queue, SentryReports(payload=True), await queue.add("charge", {"card": SECRET}))
    (event,) = events
    assert SECRET in event["contexts"]["job"]["data"]
    assert SECRET in str(event["exception"]["values"][0]["stacktrace"]["frames"][-1]["vars"])


async def test_a_cancelled_job_is_no_event(queue: toril.Queue, events: list[dict[str, Any]]) -> None:
    job = await queue.add("hold", {"card": ""})
    await ran(queue, SentryReports(), job, cancel=True)
    assert await job.get_state() is toril.JobState.FAILED
    assert events == []


async def test_what_never_reached_its_handler_is_an_event(
    valkey_url: str, queue_name: str, events: list[dict[str, Any]]
) -> None:
    app = toril.Toril(valkey_url, telemetry=[SentryReports()])

    @app.job(queue_name)
    async def typed(number: int) -> None: ...

    job = await app.queue(queue_name).add("typed", {"number": "seven"})
    async with app.worker_running():
        with pytest.raises(toril.JobFailed):
            await job.wait(timeout=10)
    await app.close()
    (event,) = events
    assert event["exception"]["values"][0]["type"] == "InvalidPayload"


async def test_without_a_client_nothing_is_sent_and_jobs_run(queue: toril.Queue) -> None:
    job = await queue.add("charge", {"card": SECRET})
    await ran(queue, SentryReports(), job)
    assert await job.get_state() is toril.JobState.FAILED
