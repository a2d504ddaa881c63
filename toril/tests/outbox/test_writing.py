"""What may be written into the outbox, and that it arrives as it was written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import AsyncEngine

import toril
from toril import outbox
from toril.telemetry.tracing import Tracing

Enqueue = Callable[..., Awaitable[list[str]]]

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
options: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.integers(0, 2_097_151),
        "attempts": st.integers(1, 100),
        "lifo": st.booleans(),
        "backoff": st.builds(toril.Backoff.exponential, st.integers(0, 60), jitter=st.just(0.5)),
        "keep_completed": st.booleans() | st.builds(toril.Keep, count=st.integers(1, 9)),
        "timeout": st.integers(1, 100).map(float),
        "keep_logs": st.integers(1, 10),
        "on_failure": st.sampled_from(toril.OnFailure),
        "size_limit": st.just(1_000_000),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=texts.filter(bool), data=values, given_options=options)
@example(name="x", data={"nul": "\0", "": [1e300, -0.0, 2**64 - 1, 5e-324]}, given_options={})
@example(name='"\\\n', data="\\u0000", given_options={})
async def test_a_job_arrives_as_if_it_had_been_added_directly(
    enqueue: Enqueue,
    relay: outbox.OutboxRelay,
    queue: toril.Queue,
    name: str,
    data: Any,
    given_options: dict[str, Any],
) -> None:
    name = name.replace("\0", "-")
    try:
        direct = await queue.add(name, data, **given_options)
    except toril.InvalidPayload:
        with pytest.raises(toril.InvalidPayload):
            await enqueue(toril.NewJob(name, data, **given_options))
        return
    (job_id,) = await enqueue(toril.NewJob(name, data, **given_options))
    assert await relay.run_once() == 1
    ours, theirs = await queue.store.read(job_id), await queue.store.read(direct.id)
    options_text = ours.pop(b"opts")
    assert options_text == theirs.pop(b"opts")[:-1] + b',"jobId":"%b"}' % job_id.encode()
    for fields in (ours, theirs):
        del fields[b"timestamp"]
    assert ours == theirs


@pytest.mark.parametrize(
    ("to", "new", "error", "word"),
    [
        ("a:b", toril.NewJob("x"), toril.InvalidOption, "must not contain ':'"),
        ("", toril.NewJob("x"), toril.InvalidOption, "queue's name"),
        ("q\0", toril.NewJob("x"), toril.InvalidOption, "NUL"),
        ("q", toril.NewJob("x\0"), toril.InvalidOption, "NUL"),
        ("q", toril.NewJob("x", parent=toril.JobRef("p", "1")), toril.InvalidOption, "parent"),
        ("q", toril.NewJob("x", "long", size_limit=3), toril.InvalidPayload, "size_limit"),
        ("q", toril.NewJob("x", float("nan")), toril.InvalidPayload, "NaN"),
        ("q", toril.NewJob("x", "\ud800"), toril.InvalidPayload, "cannot be written"),
    ],
)
async def test_what_could_not_be_added_is_refused_where_it_is_written(
    engine: AsyncEngine,
    table: sa.Table,
    enqueue: Enqueue,
    to: str,
    new: toril.NewJob,
    error: type[Exception],
    word: str,
) -> None:
    with pytest.raises(error, match=word):
        await enqueue(toril.NewJob("good"), new, to=to)
    async with engine.connect() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


async def test_many_jobs_are_one_call_and_none_is_none(
    engine: AsyncEngine, table: sa.Table, enqueue: Enqueue
) -> None:
    assert await enqueue() == []
    ids = await enqueue(*(toril.NewJob("x", i) for i in range(1000)))
    assert len(set(ids)) == 1000
    async with engine.connect() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(table)) == 1000


async def test_what_goes_through_the_outbox_follows_its_writer(
    engine: AsyncEngine, table: sa.Table, queue: toril.Queue, relay: outbox.OutboxRelay
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    async with engine.begin() as connection:
        (job_id,) = await outbox.enqueue(
            connection, queue.name, toril.NewJob("x"), table=table, telemetry=[Tracing(provider)]
        )
    assert await relay.run_once() == 1
    job = await queue.get_job(job_id)
    assert job is not None
    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert f"{span.context.span_id:016x}" in str(job.options.trace_context)
