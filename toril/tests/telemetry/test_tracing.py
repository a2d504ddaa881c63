"""Spans of adds and runs, on a real server, in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import toril
from toril.telemetry.tracing import Tracing, current_trace_id
from toril.worker.routes import Handler

CONTEXT = '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def ran(
    queue: toril.Queue, handler: Handler, tracing: Tracing, ends: Callable[[], bool], **options: object
) -> None:
    """Run the queue's jobs until the condition holds."""
    worker = toril.Worker(queue.name, handler, url=queue.url, telemetry=[tracing], **options)  # type: ignore[arg-type]
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        async with asyncio.timeout(15):
            while not ends():
                await asyncio.sleep(0.01)
    finally:
        worker.stop()
        await task


def kinds(spans: InMemorySpanExporter, kind: SpanKind) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.kind is kind]


def traced_queue(queue: toril.Queue, tracing: Tracing) -> toril.Queue:
    return toril.Queue(queue.name, queue.url, telemetry=[tracing])


async def test_an_add_and_each_of_its_runs_are_one_trace(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracing = Tracing(provider)

    async def handler(job: toril.Job) -> None:
        if job.attempts_made == 0:
            raise Unprintable

    async with traced_queue(queue, tracing) as traced:
        job = await traced.add("x", {"i": 1}, attempts=2)
    await ran(queue, handler, tracing, lambda: len(kinds(spans, SpanKind.CONSUMER)) == 2)
    (added,) = kinds(spans, SpanKind.PRODUCER)
    first, second = kinds(spans, SpanKind.CONSUMER)
    assert added.name == f"add {queue.name}"
    assert dict(added.attributes or {}) == {
        "messaging.system": "bullmq",
        "messaging.destination.name": queue.name,
        "messaging.operation.name": "add",
        "messaging.operation.type": "send",
        "messaging.message.id": job.id,
        "bullmq.job.name": "x",
    }
    for number, run in enumerate((first, second)):
        assert run.name == f"process {queue.name}"
        assert run.parent is not None
        assert added.context is not None
        assert run.parent.span_id == added.context.span_id
        assert [link.context.span_id for link in run.links] == [added.context.span_id]
        attributes = dict(run.attributes or {})
        assert attributes["messaging.operation.type"] == "process"
        assert attributes["messaging.message.id"] == job.id
        assert attributes["bullmq.job.attempts.made"] == number
    assert first.status.status_code is StatusCode.ERROR
    assert str((first.attributes or {})["error.type"]).endswith("test_tracing.Unprintable")
    assert [event.name for event in first.events] == ["exception"]
    assert second.status.status_code is StatusCode.UNSET


async def test_a_bulk_and_a_flow_are_one_span_each(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracing = Tracing(provider)
    async with traced_queue(queue, tracing) as traced:
        made = await traced.add_many([toril.NewJob("x", {"i": i}) for i in range(3)])
    (bulk,) = kinds(spans, SpanKind.PRODUCER)
    assert (bulk.attributes or {})["messaging.batch.message_count"] == 3
    contexts = {job.options.trace_context for job in made}
    assert len(contexts) == 1
    assert bulk.context is not None
    assert f"{bulk.context.span_id:016x}" in str(contexts.pop())
    spans.clear()
    async with toril.FlowProducer(queue.url, telemetry=[tracing]) as flows:
        node = await flows.add(toril.FlowJob("a", queue.name, children=[toril.FlowJob("b", queue.name)]))
    (flow,) = kinds(spans, SpanKind.PRODUCER)
    assert (flow.attributes or {})["messaging.batch.message_count"] == 2
    assert node.job.options.trace_context == node.children[0].job.options.trace_context is not None
    async with traced_queue(queue, tracing) as traced:
        late = await traced.add("late", parent=node.job.ref)
    (flow, child) = kinds(spans, SpanKind.PRODUCER)
    assert child.context is not None
    assert f"{child.context.span_id:016x}" in str(late.options.trace_context)


async def test_a_context_of_one_s_own_is_kept_and_none_is_put_where_it_is_not_wanted(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    async with traced_queue(queue, Tracing(provider)) as traced:
        own = await traced.add("own", trace_context=CONTEXT)
        omitted = await traced.add("omitted", omit_context=True)
    assert own.options.trace_context == CONTEXT
    assert omitted.options.trace_context is None
    first, second = kinds(spans, SpanKind.PRODUCER)
    assert [f"{link.context.trace_id:032x}" for link in first.links] == ["0af7651916cd43dd8448eb211c80319c"]
    assert not second.links


async def test_a_run_can_follow_by_a_link_alone(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracing = Tracing(provider, follow="link")
    await queue.add("x", trace_context=CONTEXT)
    seen: list[str | None] = []

    def handler(job: toril.Job) -> None:  # in a thread, which has the span too
        seen.append(current_trace_id())

    await ran(queue, handler, tracing, lambda: bool(kinds(spans, SpanKind.CONSUMER)))
    (run,) = kinds(spans, SpanKind.CONSUMER)
    assert run.parent is None
    assert run.context is not None
    assert [f"{link.context.span_id:016x}" for link in run.links] == ["b7ad6b7169203331"]
    assert seen == [f"{run.context.trace_id:032x}"] != ["0af7651916cd43dd8448eb211c80319c"]


@pytest.mark.parametrize("steering", [toril.Snooze(0), toril.Retry(0)])
async def test_steering_is_no_error(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider, steering: toril.Outcome
) -> None:
    async def handler(job: toril.Job) -> None:
        if job.attempts_started == 1:
            raise steering

    await queue.add("x", attempts=3)
    await ran(queue, handler, Tracing(provider), lambda: len(kinds(spans, SpanKind.CONSUMER)) == 2)
    first = kinds(spans, SpanKind.CONSUMER)[0]
    assert first.status.status_code is StatusCode.UNSET
    assert (first.attributes or {})["toril.job.outcome"] == type(steering).__name__


async def test_the_worker_s_own_context_is_no_job_s(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    await queue.add("x")
    with provider.get_tracer("test").start_as_current_span("start of the service"):
        await ran(queue, lambda job: None, Tracing(provider), lambda: bool(kinds(spans, SpanKind.CONSUMER)))
    (run,) = kinds(spans, SpanKind.CONSUMER)
    assert run.parent is None


@pytest.mark.parametrize("written", [7, "no JSON", "[]", '{"traceparent": 7}'])
async def test_a_context_that_cannot_be_read_harms_no_job(
    queue: toril.Queue,
    spans: InMemorySpanExporter,
    provider: TracerProvider,
    written: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What another client has written as the context may be anything."""
    job = await queue.add("x")
    key = f"bull:{queue.name}:{job.id}"
    text = toril.codec.encode_json({"attempts": 1, "tm": written}, "options")
    await queue.store.connection.call("HSET", key, "opts", text)
    with caplog.at_level(logging.WARNING, "toril"):
        await ran(queue, lambda job: 7, Tracing(provider), lambda: bool(kinds(spans, SpanKind.CONSUMER)))
    assert await job.get_state() is toril.JobState.COMPLETED
    (run,) = kinds(spans, SpanKind.CONSUMER)
    assert run.parent is None
    assert ("its trace context cannot be read" in caplog.text) == isinstance(written, str)


@pytest.mark.parametrize("context", ["", "no JSON", "[]", '{"traceparent": 7}', 7])
def test_a_context_is_checked_where_it_is_given(context: str) -> None:
    with pytest.raises(toril.InvalidOption, match="trace_context"):
        toril.NewJob("x", trace_context=context)


async def test_an_add_that_fails_is_told(
    queue: toril.Queue, spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    async with traced_queue(queue, Tracing(provider)) as traced:
        with pytest.raises(toril.InvalidPayload):
            await traced.add("x", {"f": float("nan")})
    (added,) = kinds(spans, SpanKind.PRODUCER)
    assert added.status.status_code is StatusCode.ERROR


def test_what_a_database_says_of_an_add_stays_out_of_its_span(
    spans: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """It quotes the parameters, and those are the jobs' data."""
    with pytest.raises(OSError, match="secret"), Tracing(provider).sending("q", [toril.NewJob("x")]):
        raise OSError("[parameters: secret]")
    (added,) = kinds(spans, SpanKind.PRODUCER)
    assert added.status.status_code is StatusCode.ERROR
    assert (added.attributes or {})["error.type"] == "OSError"
    assert "secret" not in added.to_json()


async def test_what_is_not_followed_goes_the_same_way(queue: toril.Queue) -> None:
    """Without telemetry nothing is called around a run, and no context is written."""
    worker = toril.Worker(queue.name, lambda job: None, url=queue.url)
    assert worker._executor._middleware == ()
    assert type(worker._executor._outcomes).__name__ == "Outcomes"
    assert (await queue.add("x")).options.trace_context is None
