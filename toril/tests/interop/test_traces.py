"""A trace crosses Node and toril, both ways, as an OpenTelemetry collector's file shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import toril
from toril.telemetry.tracing import Tracing

from ..telemetry.collector import Collector, spans_of
from .conftest import FOLDER, Node

pytestmark = pytest.mark.node

PRODUCER, CONSUMER = 4, 5  # OTLP's span kinds


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with Collector(tmp_path / "traces.jsonl") as made:
        yield made


@pytest.fixture
def provider(collector: Collector) -> Iterator[TracerProvider]:
    made = TracerProvider(resource=Resource({"service.name": "toril"}))
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces")))
    yield made
    made.shutdown()


async def traced_node(valkey_url: str, collector: Collector, *arguments: str) -> None:
    """Run Node's traced producer or worker to its end."""
    port = str(urlsplit(valkey_url).port)
    process = await asyncio.create_subprocess_exec(
        "node", "traced.mjs", port, collector.url, *arguments, cwd=FOLDER, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, errors.decode()


def one(spans: list[dict[str, Any]], service: str, name: str, **attributes: str) -> dict[str, Any]:
    """The one span of this service and name."""
    wanted = {key.replace("__", "."): value for key, value in attributes.items()}
    found = [
        span
        for span in spans
        if (span["service"], span["name"]) == (service, name) and wanted.items() <= span["attributes"].items()
    ]
    assert len(found) == 1, [(span["service"], span["name"]) for span in spans]
    return found[0]


@pytest.mark.usefixtures("node_packages")
async def test_a_trace_crosses_node_toril_and_the_child_job(
    valkey_url: str, queue_name: str, collector: Collector, provider: TracerProvider
) -> None:
    orders, mails = f"{queue_name}-orders", f"{queue_name}-mails"
    ended = asyncio.Event()
    app = toril.Toril(valkey_url, telemetry=[Tracing(provider)])

    @app.job(mails, name="receipt")
    async def receipt(order_id: int) -> int:
        ended.set()
        return order_id

    @app.job(orders, name="ship")
    async def ship(job: toril.JobContext, order_id: int) -> None:
        await receipt.enqueue(order_id=order_id)
        await app.queue(f"{queue_name}-node").add("label", {"orderId": order_id})

    await traced_node(valkey_url, collector, "add", orders, "ship")
    async with app.worker_running(), asyncio.timeout(20):
        await ended.wait()
    await app.close()
    await traced_node(valkey_url, collector, "run", f"{queue_name}-node")

    spans = spans_of(collector.path)
    order = one(spans, "node", "order")
    added = one(spans, "node", f"add {orders}.ship")
    shipped = one(spans, "toril", f"process {orders}")
    mailed = one(spans, "toril", f"add {mails}")
    received = one(spans, "toril", f"process {mails}")
    labelled = one(spans, "toril", f"add {queue_name}-node")
    by_node = one(spans, "node", f"process {queue_name}-node")
    path = [order, added, shipped, mailed, received]
    assert [span.get("parentSpanId", "") for span in path] == ["", *(span["spanId"] for span in path[:-1])]
    assert by_node["parentSpanId"] == labelled["spanId"]
    assert labelled["parentSpanId"] == shipped["spanId"]
    assert {span["traceId"] for span in (*path, labelled, by_node)} == {order["traceId"]}
    assert [span["kind"] for span in path[1:]] == [PRODUCER, CONSUMER, PRODUCER, CONSUMER]
    assert shipped["links"][0]["spanId"] == added["spanId"]


async def test_what_is_not_to_be_traced_is_so_to_both(node: Node, queue: toril.Queue) -> None:
    """`telemetry` of a job is read from Node's options, and Node reads what toril writes."""
    context = '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'
    ours = await queue.add("ours", trace_context=context, omit_context=True)
    assert (await node("get", queue.name, job=ours.id))["opts"]["telemetry"] == {
        "metadata": context,
        "omitContext": True,
    }
    theirs = await node(
        "add",
        queue.name,
        job="theirs",
        data={},
        opts={"telemetry": {"metadata": context, "omitContext": True}},
    )
    read = await queue.get_job(theirs["id"])
    assert read is not None
    assert (read.options.trace_context, read.options.omit_context) == (context, True)
