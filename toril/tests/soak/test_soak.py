"""A short soak, and its judge: what it must see."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

import toril
from soak.checker import EVERY_MS, Checker
from soak.ledgers import Runs, write
from soak.load import Load


@pytest.mark.slow
async def test_half_a_minute_of_faults_breaks_no_invariant(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "soak", "--minutes", "0.5", "--seed", "4", "--keep", str(tmp_path)),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told
    assert "all invariants held" in told
    assert "lost 0" in told


@pytest.fixture
async def load(queue: toril.Queue) -> Load:
    return Load(queue, toril.FlowProducer(queue.url), random.Random(1))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setenv("SOAK_LEDGER", str(tmp_path / "runs"))
    return Runs(tmp_path / "runs")


async def judged(queue: toril.Queue, load: Load, runs: Runs) -> list[str]:
    checker = Checker(queue)
    load.missed = True
    await checker.judge(load, runs)
    return [violation.partition(":")[0] for violation in checker.violations]


async def test_a_lost_job_is_seen(queue: toril.Queue, load: Load, runs: Runs) -> None:
    load.adds.order("k1", "ok", True)
    assert await judged(queue, load, runs) == ["I1"]
    load.adds.order("k1", "ok", False)
    assert await judged(queue, load, runs) == []


async def test_a_doubled_add_and_half_a_call_are_seen(queue: toril.Queue, load: Load, runs: Runs) -> None:
    load.adds.nameless["k1"] = False
    load.adds.groups.append(["k2", "k3"])
    ids = [await queue.add("work", {"does": "bad", "key": "k1"}) for _ in range(2)]
    ids.append(await queue.add("work", {"does": "bad", "key": "k2"}, job_id="k2"))
    for job in ids:
        await queue.cancel(job.id)
    assert await judged(queue, load, runs) == ["I1", "I1"]


async def test_a_job_without_a_final_state_is_seen(queue: toril.Queue, load: Load, runs: Runs) -> None:
    await queue.add("work", {"does": "ok", "key": "k1"}, job_id="k1")
    assert await judged(queue, load, runs) == ["I2"]


async def test_a_result_that_no_run_gave_is_seen(
    queue: toril.Queue, load: Load, runs: Runs, running: object
) -> None:
    async def handler(job: toril.Job) -> str:
        write("effect", job.id, "its run")
        return "its run" if job.id == "k1" else "another's"

    async with running(handler):  # type: ignore[operator]
        for job_id in ("k1", "k2"):
            job = await queue.add("work", {"does": "ok", "key": job_id}, job_id=job_id)
            await job.wait(10)
    assert await judged(queue, load, runs) == ["I3"]


async def test_an_instant_that_is_left_out_is_seen(queue: toril.Queue, load: Load, runs: Runs) -> None:
    for at in (0, 1, 2, 4):
        write("effect", f"repeat:tick:{1_000_000 + at * EVERY_MS}", "run")
    assert await judged(queue, load, runs) == ["I5"]
