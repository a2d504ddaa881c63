"""OpenTelemetry: a span where a job is added, and one for each of its runs, in one trace.

By the semantic conventions for messaging (status: development), and by the field in which BullMQ carries the
context from one to the other, so that a trace crosses between Node and toril in either direction.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.util.types import AttributeValue

from ..errors import TorilError
from ..failure import reason_of, trace_of
from ..hooks import Sending, Telemetry
from ..job import JobOptions, Json, NewJob
from ..outcome import RateLimited, Retry, Snooze, WaitForChildren
from ..record import Job
from .reading import readable

logger = logging.getLogger("toril")

SYSTEM = "bullmq"
"""`messaging.system`: whose data format it is, in both languages."""
_STEERING = (RateLimited, Retry, Snooze, WaitForChildren)
"""What a handler raises to steer its job: no error of the run."""


class Tracing(Telemetry):
    """Makes the spans `add QUEUE` (producer) and `process QUEUE` (consumer).

    One call that adds many jobs, or a flow, is one span, and all its jobs follow that. What a handler adds
    follows its run. Jobs that a scheduler makes follow nothing: each run begins a trace.

    Args:
        provider: Whose spans they are; OpenTelemetry's global one if None.
        follow: How a run follows the add: as its child, in the same trace (`parent`, as BullMQ's telemetry
            does), or in a trace of its own with a link (`link`), for jobs that run long after.
    """

    def __init__(
        self, provider: TracerProvider | None = None, *, follow: Literal["parent", "link"] = "parent"
    ) -> None:
        self._tracer: Tracer = trace.get_tracer("toril", tracer_provider=provider)
        self._as_parent = follow == "parent"

    @contextlib.contextmanager
    def sending(self, queue: str, jobs: Sequence[NewJob]) -> Iterator[Sending]:
        """Make the producer's span, and give its context to the jobs that have none of their own."""
        attributes = _about(queue, "add", "send")
        if len(jobs) == 1:
            attributes["bullmq.job.name"] = jobs[0].name
        else:
            attributes["messaging.batch.message_count"] = len(jobs)
        own = {job.options.trace_context for job in jobs} - {None}
        links = [link for context in own if context is not None and (link := _link(context)) is not None]
        with self._tracer.start_as_current_span(
            f"add {queue}",
            kind=SpanKind.PRODUCER,
            attributes=attributes,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            def added(made: Sequence[Job]) -> None:
                if len(made) == 1:
                    span.set_attribute("messaging.message.id", made[0].id)

            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            try:
                yield Sending(_with_context(jobs, json.dumps(carrier)) if carrier else jobs, added)
            except BaseException as error:
                # A database's error quotes what was to be written, the jobs' data among it.
                _fail(span, error, with_text=isinstance(error, TorilError))
                raise

    async def running(self, job: Job, run: Callable[[], Awaitable[Json]]) -> Json:
        """Make the consumer's span."""
        written = readable(lambda: job.options.trace_context, None)
        creation = None if written is None else _extract(written, job)
        link = None if written is None else _link(written)
        attributes = _about(job.queue, "process", "process")
        attributes |= {
            "messaging.message.id": job.id,
            "bullmq.job.name": job.name,
            "bullmq.job.attempts.made": readable(lambda: job.attempts_made, 0),
        }
        if job.processed_by is not None:
            attributes["messaging.client.id"] = job.processed_by
        with self._tracer.start_as_current_span(
            f"process {job.queue}",
            # Never the context in which the worker was started: that is no part of this job.
            context=creation if creation is not None and self._as_parent else Context(),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=() if link is None else (link,),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await run()
            except _STEERING as steering:
                span.set_attribute("toril.job.outcome", type(steering).__name__)
                raise
            except BaseException as error:
                if not job.stopping:
                    _fail(span, error)
                raise


def current_trace_id() -> str | None:
    """Return the id of the trace in which this is called, as 32 hexadecimal digits; None outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _about(queue: str, name: str, kind: str) -> dict[str, AttributeValue]:
    return {
        "messaging.system": SYSTEM,
        "messaging.destination.name": queue,
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
    }


def _with_context(jobs: Sequence[NewJob], context: str) -> list[NewJob]:
    # Jobs of one kind share their options, and go on doing so: they are written once.
    made: dict[int, JobOptions] = {}
    carrying = []
    for job in jobs:
        options = job.options
        if options.trace_context is None and not options.omit_context:
            if id(options) not in made:
                made[id(options)] = replace(options, trace_context=context)
            job = NewJob.with_options(job.name, job.data, made[id(options)])
        carrying.append(job)
    return carrying


def _fields(written: str) -> dict[str, str] | None:
    try:
        fields = json.loads(written)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not all(isinstance(field, str) for field in fields.values()):
        return None
    return fields


def _extract(written: str, job: Job) -> Context | None:
    fields = _fields(written)
    if fields is None:
        logger.warning("job %s: its trace context cannot be read: %.100r", job.id, written)
        return None
    return propagate.extract(fields, context=Context())


def _link(written: str) -> Link | None:
    fields = _fields(written)
    if fields is None:
        return None
    context = trace.get_current_span(propagate.extract(fields, context=Context())).get_span_context()
    return Link(context) if context.is_valid else None


def _fail(span: Span, error: BaseException, *, with_text: bool = True) -> None:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    span.set_attribute("error.type", name)
    if not with_text:
        span.set_status(Status(StatusCode.ERROR))
        return
    reason = reason_of(error)
    # Not by `record_exception`, which would ask a handler's own class for its text and may get anything.
    span.add_event(
        "exception",
        {"exception.type": name, "exception.message": reason, "exception.stacktrace": trace_of(error)},
    )
    span.set_status(Status(StatusCode.ERROR, reason))
