"""bull-board shows toril's jobs and acts on them, through the HTTP routes that its page uses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

import toril

pytestmark = pytest.mark.node

FOLDER = Path(__file__).parents[3] / "tests" / "node"


class Board:
    """One queue as bull-board has it."""

    def __init__(self, client: httpx.AsyncClient, queue: str) -> None:
        self._client = client
        self._queue = queue

    async def show(self, status: str = "latest") -> dict[str, Any]:
        """What the page of the queue is drawn from."""
        answer = await self._client.get(
            "/api/queues", params={"activeQueue": self._queue, "status": status, "jobsPerPage": 100}
        )
        answer.raise_for_status()
        (found,) = answer.json()["queues"]
        return dict(found)

    async def read(self, path: str) -> Any:
        answer = await self._client.get(f"/api/queues/{self._queue}/{path}")
        answer.raise_for_status()
        return answer.json()

    async def schedulers(self) -> list[dict[str, Any]]:
        answer = await self._client.get("/api/job-schedulers")
        answer.raise_for_status()
        return list(answer.json()["schedulers"])

    async def act(self, path: str, body: object = None, method: str = "PUT") -> int:
        """Press a button; returns the status."""
        answer = await self._client.request(method, f"/api/queues/{self._queue}/{path}", json=body)
        return answer.status_code


@pytest.fixture
async def board(queue: toril.Queue, node_packages: None) -> AsyncIterator[Board]:
    port = str(urlsplit(queue.url).port)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "node", "board.mjs", port, queue.name, cwd=FOLDER, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(20):
        address = (await process.stdout.readline()).decode().strip()
    assert address, "bull-board did not start"
    async with httpx.AsyncClient(base_url=address) as client:
        yield Board(client, queue.name)
    process.stdin.close()
    await process.wait()


async def handler(job: toril.Job) -> object:
    if job.name == "bad":
        raise ValueError("no good")
    await job.update_progress(100)
    await job.log(f"ran {job.name}")
    return {"by": "toril"}


@contextlib.asynccontextmanager
async def working(queue: toril.Queue) -> AsyncIterator[None]:
    worker = toril.Worker(queue.name, handler, url=queue.url, name="crew")
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield
    finally:
        worker.stop()
        await task


async def finish(queue: toril.Queue, *names: str) -> list[toril.Job]:
    async with working(queue):
        jobs = [await queue.add(name, {"n": place}) for place, name in enumerate(names)]
        for job in jobs:
            with contextlib.suppress(toril.JobFailed):
                await job.wait(10)
    return jobs


async def test_bull_board_shows_jobs_of_every_state(queue: toril.Queue, board: Board) -> None:
    good, bad = await finish(queue, "good", "bad")
    waiting = await queue.add("waiting", {"text": "☃"}, attempts=3, backoff=toril.Backoff.fixed(2.0))
    delayed = await queue.add("delayed", {}, delay=60)
    first, second = await queue.add("second", {}, priority=2), await queue.add("first", {}, priority=1)
    await queue.pause()
    parent = await queue.add("parent")
    child = await queue.add("child", parent=parent.ref)

    shown = await board.show()
    assert shown["isPaused"]
    counts = await queue.get_job_counts()
    assert {key: counts[key] for key in shown["counts"] if key in counts} == {
        key: count for key, count in shown["counts"].items() if key in counts
    }
    assert shown["counts"]["waiting"] == 3
    assert {job["id"] for job in shown["jobs"]} == {
        job.id for job in (good, bad, waiting, delayed, first, second, parent, child)
    }
    by_id = {job["id"]: job for job in shown["jobs"]}
    assert by_id[good.id]["returnValue"] == {"by": "toril"}
    assert by_id[good.id]["progress"] == 100
    assert by_id[good.id]["processedBy"] == "crew"
    assert by_id[good.id]["data"] == {"n": 0}
    assert by_id[good.id]["finishedOn"] >= by_id[good.id]["processedOn"] >= by_id[good.id]["timestamp"]
    assert by_id[bad.id]["failedReason"] == "no good"
    assert "ValueError: no good" in by_id[bad.id]["stacktrace"][0]
    assert by_id[waiting.id]["data"] == {"text": "☃"}
    assert by_id[waiting.id]["opts"]["backoff"] == {"type": "fixed", "delay": 2000}
    assert by_id[delayed.id]["delay"] == 60_000
    assert [job["name"] for job in (await board.show("prioritized"))["jobs"]] == ["second", "first"]
    assert [job["id"] for job in (await board.show("failed"))["jobs"]] == [bad.id]
    assert await board.read(f"{good.id}/logs") == ["ran good"]
    assert (await board.read(parent.id))["status"] == "waiting"


async def test_bull_board_s_buttons_act_on_one_job(queue: toril.Queue, board: Board) -> None:
    good, bad = await finish(queue, "good", "bad")
    delayed, other = await queue.add("good", delay=60), await queue.add("good", delay=60)
    gone = await queue.add("gone")

    assert await board.act(f"{delayed.id}/promote") == 204
    assert await delayed.get_state() == "waiting"
    assert await board.act(f"{bad.id}/retry") == 204
    assert await bad.get_state() == "waiting"
    assert await board.act(f"{gone.id}/clean") == 204
    assert await queue.get_job(gone.id) is None
    assert await board.act(f"{other.id}/update-data", {"jobData": {"new": [1]}}, "PATCH") == 200
    found = await queue.get_job(other.id)
    assert found is not None
    assert found.data == {"new": [1]}
    assert await board.act(f"{other.id}/priority", {"priority": 7}, "PATCH") == 200
    assert await board.act(f"{other.id}/delay", {"runAt": 1000 * time.time() + 7_200_000}, "PATCH") == 200
    found = await queue.get_job(other.id)
    assert found is not None
    assert found.priority == 7
    assert found.delay == pytest.approx(7200, abs=60)
    async with working(queue):
        assert await delayed.wait(10) == {"by": "toril"}
        with pytest.raises(toril.JobFailed):
            await bad.wait(10)
    assert (await board.show())["counts"]["completed"] == 2
    assert await good.get_state() == "completed"
    found = await queue.get_job(bad.id)
    assert found is not None
    assert (found.attempts_made, found.attempts_started) == (2, 2)


async def test_bull_board_s_buttons_act_on_the_queue(queue: toril.Queue, board: Board) -> None:
    await finish(queue, "good", "bad", "bad", "good")
    assert await board.act("pause") == 200
    assert await queue.is_paused()
    assert await board.act("retry/failed") == 200
    delayed = [await queue.add("good", delay=60) for _ in range(3)]
    assert await board.act("promote") == 200
    assert {await job.get_state() for job in delayed} == {toril.JobState.WAITING}
    counts = await queue.get_job_counts()
    assert (counts["waiting"], counts["failed"], counts["completed"]) == (5, 0, 2)
    assert await board.act("resume") == 200
    async with working(queue), asyncio.timeout(10):
        while (await queue.get_job_counts())["waiting"] or (await queue.get_job_counts())["active"]:
            await asyncio.sleep(0.02)
    counts = await queue.get_job_counts()
    assert (counts["failed"], counts["completed"]) == (2, 5)

    # It leaves alone what has finished within the last five seconds.
    async with asyncio.timeout(20):
        while (counts := await queue.get_job_counts())["completed"] or counts["failed"]:
            assert await board.act("clean/completed") == 200
            assert await board.act("clean/failed") == 200
            await asyncio.sleep(0.2)
    assert set(counts.values()) == {0}
    await queue.add("good")
    assert await board.act("empty") == 200
    assert (await queue.get_job_counts())["waiting"] == 0
    await queue.add("good")
    assert await board.act("pause") == 200
    assert await board.act("obliterate", {}) == 200
    assert set((await queue.get_job_counts()).values()) == {0}


async def test_bull_board_shows_and_acts_on_schedulers(queue: toril.Queue, board: Board) -> None:
    await queue.upsert_job_scheduler("hourly", toril.Cron("0 * * * *", tz="Europe/Prague"), "tick", {"k": 1})
    await queue.upsert_job_scheduler("often", toril.Every(3600.0), "tock")
    shown = {scheduler["id"]: scheduler for scheduler in await board.schedulers()}
    assert (shown["hourly"]["name"], shown["hourly"]["pattern"], shown["hourly"]["tz"]) == (
        "tick",
        "0 * * * *",
        "Europe/Prague",
    )
    assert shown["hourly"]["template"]["data"] == {"k": 1}
    assert shown["often"]["every"] == 3_600_000
    for scheduler in await queue.get_job_schedulers():
        assert shown[scheduler.id]["next"] == scheduler.next_run.timestamp() * 1000
        assert await queue.get_job(shown[scheduler.id]["nextRunJobId"]) is not None
    # The run that a scheduler waits for cannot be removed on its own.
    assert await board.act(f"{shown['hourly']['nextRunJobId']}/clean") == 400
    changed = {"every": 1_800_000}
    assert await board.act("job-schedulers/often", changed, "PATCH") == 204
    (often,) = (each for each in await queue.get_job_schedulers() if each.id == "often")
    assert isinstance(often.when, toril.Every)
    assert often.when.interval == 1800.0
    assert await board.act("job-schedulers/hourly/run") in (200, 204)
    assert (await queue.get_job_counts())["waiting"] >= 1
    assert await board.act("job-schedulers/hourly/remove") in (200, 204)
    assert [scheduler.id for scheduler in await queue.get_job_schedulers()] == ["often"]


async def test_bull_board_sees_workers_and_sets_limits(queue: toril.Queue, board: Board) -> None:
    async with working(queue):
        async with asyncio.timeout(10):
            while not await queue.workers():
                await asyncio.sleep(0.02)
        assert (await board.show())["hasWorkers"]
        workers = await board.read("workers")
        assert [worker["name"] for worker in workers["workers"]] == ["crew"]
    assert await board.act("concurrency", {"concurrency": 3}) == 200
    assert await queue.get_global_concurrency() == 3
    assert await board.act("rate-limit", {"max": 5, "duration": 2000}) == 200
    assert await queue.get_global_rate_limit() == toril.RateLimit(5, 2.0)
    await queue.rate_limit(60)
    assert (await board.show())["activeRateLimitTtl"] > 50_000
    async with toril.FlowProducer(queue.url) as flows:
        flow = toril.FlowJob("parent", queue.name, children=[toril.FlowJob("child", queue.name, delay=60)])
        root = (await flows.add(flow)).job
    assert (await board.show())["counts"]["waiting-children"] == 1
    shown = await board.read(f"{root.id}/flow")
    assert [child["name"] for child in shown["flowRoot"]["children"]] == ["child"]
