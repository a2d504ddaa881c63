"""Whether a worker makes progress, as its probes tell."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

import toril
from toril.health import judge, silence_of
from toril.health.report import ProcessReport, QueueReport

from .conftest import Running, until


async def get(port: int | None, path: str, method: str = "GET") -> tuple[int, dict[str, object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(body or b"{}")


async def stays_healthy(worker: toril.Worker, for_seconds: float, max_age: float) -> None:
    end = time.monotonic() + for_seconds
    while time.monotonic() < end:
        assert worker.healthy(max_age)
        await asyncio.sleep(0.05)


async def test_idle_busy_and_paused_workers_are_healthy(queue: toril.Queue, running: Running) -> None:
    release = asyncio.Event()

    async def long(job: toril.Job) -> None:
        await release.wait()

    async with running(long, lock_duration=0.6) as worker:
        assert not worker.healthy()
        await until(worker.healthy)
        await stays_healthy(worker, 2.0, max_age=1.6)
        job = await queue.add("x")
        await until(lambda: worker.running == 1)
        await stays_healthy(worker, 2.0, max_age=1.6)
        release.set()
        await job.wait(5)
        await queue.pause()
        await stays_healthy(worker, 2.0, max_age=1.6)
    assert not worker.healthy(), "it has ended"


async def test_a_blocked_event_loop_is_not_healthy(
    queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    file = tmp_path / "alive"
    seen: list[tuple[bool, float]] = []

    async def block(job: toril.Job) -> None:
        def look() -> None:
            time.sleep(1.4)
            seen.append((worker.healthy(1.0), silence_of(file) or 0.0))

        looking = asyncio.get_running_loop().run_in_executor(None, look)
        time.sleep(1.6)
        await looking

    async with running(block, lock_duration=0.9) as worker, toril.HealthMonitor(lambda: [worker], file=file):
        await until(file.exists)
        assert (silence_of(file) or 0.0) < 1.0
        await (await queue.add("x")).wait(10)
        ((healthy, silence),) = seen
        assert not healthy
        assert silence > 1.2
        await until(lambda: worker.healthy(1.0) and (silence_of(file) or 9.0) < 1.0)
    assert silence_of(file) is None, "the file ends with the workers"


async def test_a_black_holed_server_makes_the_probes_fail(queue_name: str, tmp_path: Path) -> None:
    async def handler(job: toril.Job) -> str:
        return "done"

    file = tmp_path / "alive"
    with toril.EmbeddedServer() as server:
        async with toril.Queue(queue_name, server.url) as queue:
            worker = toril.Worker(queue_name, handler, url=server.url, lock_duration=1.5)
            task = asyncio.create_task(worker.run(handle_signals=False))
            try:
                async with toril.HealthMonitor(
                    lambda: [worker], file=file, port=0, host="127.0.0.1", max_age=2.0
                ) as monitor:
                    await until(worker.healthy)
                    assert (await get(monitor.port, "/live"))[0] == 200
                    status, report = await get(monitor.port, "/ready")
                    assert (status, report["live"], report["ready"]) == (200, True, True)
                    await until(file.exists)
                    assert server.pid is not None
                    os.kill(server.pid, signal.SIGSTOP)  # connections stand, and nothing answers
                    try:
                        await until(lambda: not worker.healthy(2.0), 10)
                        status, report = await get(monitor.port, "/live")
                        assert (status, report["live"]) == (503, False)
                        assert (await get(monitor.port, "/ready"))[0] == 503
                        await until(lambda: (silence_of(file) or 0.0) > 2.0)
                    finally:
                        os.kill(server.pid, signal.SIGCONT)
                    await until(lambda: worker.healthy(2.0))
                    assert (await get(monitor.port, "/live"))[0] == 200
                    assert await (await queue.add("x")).wait(10) == "done"
            finally:
                worker.stop()
                await task


async def test_the_endpoint_is_strict(running: Running) -> None:
    async def handler(job: toril.Job) -> None: ...

    async with (
        running(handler) as worker,
        toril.HealthMonitor(lambda: [worker], port=0, host="127.0.0.1") as monitor,
    ):
        await until(worker.healthy)
        status, report = await get(monitor.port, "/live?verbose")
        assert status == 200
        (process,) = report["processes"]  # type: ignore[misc]
        assert process["pid"] == os.getpid()
        (found,) = process["queues"].values()
        assert found["silentFor"] < 6
        assert process["eventLoopLag"] >= 0
        assert await get(monitor.port, "/live", "HEAD") == (200, {})
        assert (await get(monitor.port, "/live", "POST"))[0] == 405
        assert (await get(monitor.port, "/"))[0] == 404
        with pytest.raises(toril.InvalidOption, match=r"cannot listen at 127\.0\.0\.1"):
            async with toril.HealthMonitor(lambda: [worker], port=monitor.port, host="127.0.0.1"):
                pass


async def test_wrong_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(toril.InvalidOption, match="max_age"):
        toril.HealthMonitor(list, max_age=0)
    with pytest.raises(toril.InvalidOption, match="cannot be written"):
        async with toril.HealthMonitor(list, file=tmp_path / "no" / "folder"):
            pass


def test_health_is_judged_by_the_worst() -> None:
    def report(silent: float, *, ready: bool = True, stopping: bool = False) -> ProcessReport:
        queue = QueueReport(ready, stopping, silent, 0, 0)
        return ProcessReport(1, {"q": queue}, silent, 0.0, 0)

    def verdict(*reports: ProcessReport, wanted: int = 1) -> tuple[bool, bool]:
        health = judge(reports, 10.0, wanted)
        return health.live, health.ready

    assert verdict(report(1), report(2), wanted=2) == (True, True)
    assert verdict(report(1), wanted=2) == (True, False)
    assert verdict(report(1), report(11), wanted=2) == (False, False)
    assert verdict(report(1, ready=False)) == (True, False)
    assert verdict(report(1, stopping=True)) == (True, False)
    assert verdict(report(8).aged(3)) == (False, False)
