"""What an idle worker process takes of its machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import toril

from ..goals import Bound
from ..record import Measures
from ..sides import NODE, TORIL, Side
from ..stage import RunFailed, Stage, new_queue, spawn, told
from .base import Column, Scenario

CONCURRENCY = 50
SETTLE = 1.0
"""Seconds after the first job that do not count."""


def seconds_of_cpu(pid: int) -> float:
    """CPU time of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / 1e6


@contextlib.contextmanager
def worker(stage: Stage, side: Side, address: str) -> Iterator[int]:
    """A worker that has nothing to do, once it has run one job; its pid. toril's is the command's."""
    if side.key == TORIL:
        url = f"valkey://127.0.0.1:{address}/0"
        asyncio.run(_add(url))
        command = [sys.executable, "-m", "toril.cli", "worker", "benchmarks.peers.toril_app:app"]
        running = spawn([*command, "--concurrency", str(CONCURRENCY)], {"TORIL_URL": url})
    else:
        running = stage.process(side, address, new_queue(), "idle", 1, CONCURRENCY)
    with running as process:
        if not told(process):
            process.kill()
            raise RunFailed(f"the worker did not start: {process.communicate()[1].strip()[-300:]}")
        yield process.pid


async def _add(url: str) -> None:
    async with toril.Queue("footprint", url) as queue:
        await queue.add("hello", {})


def idle(stage: Stage, side: Side) -> Measures:
    """Resident megabytes, and percent of a CPU."""
    with stage.server(side) as address, worker(stage, side, address) as pid:
        time.sleep(SETTLE)
        begun, used = time.monotonic(), seconds_of_cpu(pid)
        time.sleep(4.0 if stage.quick else 15.0)
        share = (seconds_of_cpu(pid) - used) / (time.monotonic() - begun)
        return {"mb": megabytes(pid), "cpu_percent": share * 100}


SCENARIOS = (
    Scenario(
        "worker",
        "worker process",
        idle,
        (Column("mb", "resident MB", less=True), Column("cpu_percent", "idle CPU %")),
        (Bound(40.0, "<=", "mb", " MB"), Bound(1.0, "<=", "cpu_percent", " %")),
        quick_sides=(TORIL, NODE),
        runs=(1, 3),
        about="A worker of c=50 without work, after its first job; toril's is `toril worker`.",
    ),
)
