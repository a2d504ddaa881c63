"""A job's run follows what wrote it into the outbox, in one trace."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from insightdesk.database import new_id

PROGRAM = """
import asyncio, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

import toril.outbox
from insightdesk import outbox
from insightdesk.database import close_database, database, transaction
from insightdesk.jobs import app

prefix = sys.argv[1]

@app.job("greetings")
async def greet(name: str) -> None: ...

async def main():
    with app.redirected(prefix=prefix):
        with trace.get_tracer("test").start_as_current_span("request"):
            async with transaction() as session:
                (job_id,) = await outbox.enqueue(session, greet.queue, greet.new_job(name="Ann"))
        relay = toril.outbox.OutboxRelay(database().engine, url=app.url, prefix=prefix)
        while await relay.run_once():
            pass
        await relay.close()
        async with app.worker_running(["greetings"]):
            job = await app.queue("greetings").get_job(job_id)
            await job.wait(timeout=10)
        await app.close()
    await close_database()
    by_name = {span.name: span for span in spans.get_finished_spans()}
    request, added, ran = (by_name[name] for name in ("request", "add greetings", "process greetings"))
    assert added.parent.span_id == request.context.span_id
    assert ran.parent.span_id == added.context.span_id
    print("one trace" if len({span.context.trace_id for span in (request, added, ran)}) == 1 else "several")

asyncio.run(main())
"""


@pytest.mark.usefixtures("database_url")
def test_a_job_s_run_follows_what_caused_it(valkey_url: str, quiet_database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"traced-{new_id()}"],
        env={
            **os.environ,
            "INSIGHTDESK_VALKEY_URL": valkey_url,
            "INSIGHTDESK_DATABASE_URL": quiet_database_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "one trace"
