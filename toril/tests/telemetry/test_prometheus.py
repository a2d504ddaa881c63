"""Metrics: what is exposed, that it is true, and that it is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import toril
from toril.health import merged
from toril.telemetry.prometheus import Metrics, QueueCollector, exposed
from toril.telemetry.prometheus.metrics import LONGEST_NAME, MOST_NAMES, OTHER


def samples(text: str | None) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples of an exposition, which a parser of Prometheus's own reads."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text or "")
        for sample in family.samples
    }


def of(text: str | None, name: str, **labels: str) -> float:
    """The one sample of this name and these labels, among others."""
    found = [
        value
        for (each, has), value in samples(text).items()
        if each == name and labels.items() <= dict(has).items()
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


@contextlib.asynccontextmanager
async def working(
    queue: toril.Queue, metrics: Metrics, concurrency: int = 3, lock_duration: float = 30.0
) -> AsyncIterator[toril.Worker]:
    async def handler(job: toril.Job) -> None:
        match job.name:
            case "again" if job.attempts_made == 0:
                raise ValueError("again")
            case "never":
                raise toril.Fail("never")
            case "block":
                import time

                time.sleep(0.7)  # the event loop, not a thread
            case "hold":
                await asyncio.sleep(30)

    worker = toril.Worker(
        queue.name,
        handler,
        url=queue.url,
        telemetry=[metrics],
        concurrency=concurrency,
        lock_duration=lock_duration,
        drain_timeout=0,
        metrics_minutes=10,
    )
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def settled(queue: toril.Queue, **counts: int) -> None:
    async with asyncio.timeout(15):
        while not counts.items() <= (await queue.get_job_counts()).items():
            await asyncio.sleep(0.01)


async def test_runs_are_counted_and_timed(queue: toril.Queue) -> None:
    metrics = Metrics()
    await queue.add_many([toril.NewJob("fine") for _ in range(3)])
    await queue.add("again", attempts=2)
    await queue.add("never", attempts=5)
    async with working(queue, metrics):
        await settled(queue, completed=4, failed=1)
        text = await metrics.exposition()
    for name, ending, count in (
        ("fine", "completed", 3),
        ("again", "retried", 1),
        ("again", "completed", 1),
        ("never", "failed", 1),
    ):
        assert of(text, "toril_job_runs_total", queue=queue.name, job_name=name, ending=ending) == count
    assert of(text, "toril_job_run_seconds_count", queue=queue.name, job_name="again") == 2
    assert of(text, "toril_job_wait_seconds_count", queue=queue.name, job_name="again") == 1
    assert of(text, "toril_worker_slots", queue=queue.name) == 3
    assert of(text, "toril_queue_jobs", queue=queue.name, state="completed") == 4
    assert of(text, "toril_queue_jobs_ended_total", queue=queue.name, state="completed") == 4
    assert of(text, "toril_exporter_up", source="queues") == 1


async def test_waiting_and_running_jobs_are_seen(queue: toril.Queue) -> None:
    metrics = Metrics()
    async with working(queue, metrics, concurrency=1):
        await queue.add_many([toril.NewJob("hold"), toril.NewJob("fine"), toril.NewJob("fine")])
        await settled(queue, active=1, waiting=2)
        await queue.pause()
        text = await metrics.exposition()
    assert of(text, "toril_worker_jobs_running", queue=queue.name) == 1
    assert of(text, "toril_queue_paused", queue=queue.name) == 1
    assert 0 < of(text, "toril_queue_oldest_waiting_seconds", queue=queue.name) < 20
    assert of(text, "toril_worker_silent_seconds", queue=queue.name) < 20
    after = await metrics.exposition()
    assert of(after, "toril_worker_handed_back_total", queue=queue.name) == 1
    assert of(after, "toril_worker_jobs_running", queue=queue.name) == 0


async def test_a_delayed_job_has_not_waited_before_it_was_due(queue: toril.Queue) -> None:
    metrics = Metrics()
    await queue.add("late", delay=0.5)
    async with working(queue, metrics):
        await settled(queue, completed=1)
        text = await metrics.exposition()
    assert of(text, "toril_job_wait_seconds_sum", queue=queue.name, job_name="late") < 0.4


async def test_trouble_is_counted(queue: toril.Queue) -> None:
    metrics = Metrics(queues=False)
    async with working(queue, metrics):
        await queue.add("block")
        await settled(queue, completed=1)
        await queue.store.connection.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await queue.add("fine")
        await settled(queue, completed=2)
        async with asyncio.timeout(15):
            while not of(await metrics.exposition(), "toril_worker_reconnects_total", queue=queue.name):
                await asyncio.sleep(0.05)
        text = await metrics.exposition()
    assert of(text, "toril_worker_event_loop_lag_seconds_count") > 0
    assert of(text, "toril_worker_event_loop_lag_seconds_sum") > 0.1
    assert "toril_queue_jobs{" not in str(text)


async def test_a_lost_lock_and_a_dead_worker_s_job_are_counted(queue: toril.Queue) -> None:
    metrics = Metrics(queues=False)
    async with working(queue, metrics, lock_duration=1.0):
        job = await queue.add("hold")
        await settled(queue, active=1)
        # Another worker has it now, and that one gives no further sign of life.
        call = queue.store.connection.call
        await call("SET", f"bull:{queue.name}:{job.id}:lock", "dead:1", "PX", 60_000)
        await call("ZADD", f"bull:{queue.name}:toril:beats", 1, "dead")
        for name in ("toril_worker_locks_lost_total", "toril_worker_stalled_recovered_total"):
            async with asyncio.timeout(15):
                while of(await metrics.exposition(), name, queue=queue.name) == 0:
                    await asyncio.sleep(0.05)


async def test_names_that_others_choose_are_bounded(queue: toril.Queue) -> None:
    metrics = Metrics(queues=False)
    await queue.add("n" * (LONGEST_NAME + 1))
    await queue.add_many([toril.NewJob(f"n{i}") for i in range(MOST_NAMES + 20)])
    async with working(queue, metrics):
        await settled(queue, completed=MOST_NAMES + 21)
        text = await metrics.exposition()
    names = {dict(labels)["job_name"] for (name, labels) in samples(text) if name == "toril_job_runs_total"}
    assert len(names) == MOST_NAMES + 1
    assert of(text, "toril_job_runs_total", job_name=OTHER) == 21


async def test_a_server_that_is_gone_is_told_and_harms_nothing() -> None:
    with toril.embedded() as url:
        queue = toril.Queue("q", url)
        collector = QueueCollector(lambda: [queue], fresh=0)
        await collector.refresh()
        assert collector.up
    await collector.refresh()
    assert not collector.up
    assert list(collector.collect()) == []
    await queue.close()


async def test_a_reading_is_shared_for_a_while(queue: toril.Queue) -> None:
    collector = QueueCollector(lambda: [queue], fresh=60)
    await collector.refresh()
    first = collector.collect()
    await asyncio.gather(*(collector.refresh() for _ in range(3)))
    assert collector.collect() is first


APP = """
import toril
from toril.telemetry.prometheus import Metrics

app = toril.Toril(telemetry=[Metrics()])


@app.job("{queue}")
async def greet(name: str) -> str:
    return name
"""


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_worker_s_process_answers_at_its_health_port(
    valkey_url: str, queue: toril.Queue, tmp_path: Path, processes: int
) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name))
    port_file = tmp_path / "live"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toril.cli", "worker", "shop:app", "--processes", str(processes)),
        *("--health-host", "127.0.0.1", "--health-port", str(port := free_port())),
        *("--liveness-file", str(port_file)),
        cwd=tmp_path,
        env={"TORIL_URL": valkey_url, "PATH": "/usr/bin"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await queue.add("greet", {"name": "Ann"})
        await settled(queue, completed=1)
        text = ""
        async with asyncio.timeout(20):
            while "toril_job_runs_total{" not in text:
                with contextlib.suppress(OSError):
                    text = await asyncio.to_thread(get, f"http://127.0.0.1:{port}/metrics")
                await asyncio.sleep(0.1)
        with contextlib.suppress(OSError):
            report = json.loads(await asyncio.to_thread(get, f"http://127.0.0.1:{port}/live"))
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert of(text, "toril_job_runs_total", queue=queue.name, job_name="greet", ending="completed") == 1
    labels = {dict(labels).get("process") for _, labels in samples(text)}
    assert labels <= ({None} if processes == 1 else {"1", "2"})
    assert "metrics" not in report["processes"][0]


async def test_without_metrics_the_port_says_so(valkey_url: str) -> None:
    app = toril.Toril(valkey_url)
    async with toril.HealthMonitor(list, port=0, host="127.0.0.1", metrics=app.metrics) as monitor:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await asyncio.to_thread(get, f"http://127.0.0.1:{monitor.port}/metrics")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: bytes = answer.read()
        return body.decode()


def test_expositions_are_merged_into_one_that_parsers_read() -> None:
    one = '# HELP a_total A.\n# TYPE a_total counter\na_total{q="x}y, z"} 1.0\na_total 2.0\n'
    two = "# HELP b B.\n# TYPE b gauge\nb 3.0\n"
    texts: Mapping[str, str] = {"1": one + two, "2": two + one}
    text = merged(texts, "process")
    assert text.count("# TYPE a_total counter") == text.count("# HELP b B.") == 1
    assert of(text, "a_total", process="2", q="x}y, z") == 1
    assert of(text, "b", process="1") == 3
    assert len(samples(text)) == 6
    names = [line.split("{")[0] for line in text.splitlines() if line[0] != "#"]
    assert names == ["a_total"] * 4 + ["b"] * 2


@given(
    st.dictionaries(
        st.sampled_from("12"),
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.floats(-9, 9), max_size=3
        ),
        min_size=1,
    )
)
def test_no_label_breaks_what_is_merged(told: dict[str, dict[str, float]]) -> None:
    """Whoever adds jobs chooses what stands in labels."""
    texts = {}
    for process, values in told.items():
        registry = CollectorRegistry()
        gauge = Gauge("g", "G.", ["name"], registry=registry)
        for name, value in values.items():
            gauge.labels(name).set(value)
        texts[process] = generate_latest(registry).decode()
    expected = {
        ("g", frozenset({("process", process), ("name", name)})): value
        for process, values in told.items()
        for name, value in values.items()
    }
    assert samples(merged(texts, "process")) == expected


async def test_an_exposition_without_workers_is_one_too(queue: toril.Queue) -> None:
    """For a process that only adds jobs."""
    metrics = Metrics(also=[QueueCollector(lambda: [queue])], queues=False)
    assert of(await metrics.exposition(), "toril_queue_jobs", queue=queue.name, state="waiting") == 0
    assert "toril_exporter_up" in await exposed(metrics.registry, [])
