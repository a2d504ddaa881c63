"""A long backlog."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..goals import Bound
from ..record import Measures
from ..sides import TORIL, Side
from ..stage import RunFailed, Stage
from .base import Column, Scenario
from .lab import lab

BYTES_A_JOB = 700


def available_memory() -> int:
    """Bytes that processes can still have."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024


def run(stage: Stage, side: Side, jobs: int) -> Measures:
    """A backlog of `jobs`, a tenth of it in the quick mode.

    Raises:
        RunFailed: there is not memory enough.
    """
    jobs = jobs // 10 if stage.quick else jobs
    if available_memory() < 2 * jobs * BYTES_A_JOB:
        raise RunFailed(f"{jobs:,} jobs need more memory than is free")
    return lab(stage, "backlog", str(jobs))


COLUMNS = (Column("share", "share"), Column("short", "jobs/s, 10 k"), Column("long", "jobs/s, long"))
ABOUT = (
    "No-op jobs, c=50, of two queues on one server in turn: one with 10,000 jobs, one with more;"
    " the quick mode has a tenth of them."
)

SCENARIOS = (
    Scenario(
        "backlog-1m",
        "backlog of 1 M beside 10 k",
        partial(run, jobs=1_000_000),
        COLUMNS,
        (Bound(0.95, ">=", "share"),),
        sides=(TORIL,),
        runs=(1, 2),
        about=ABOUT,
    ),
    Scenario(
        "backlog-10m",
        "backlog of 10 M beside 10 k",
        partial(run, jobs=10_000_000),
        COLUMNS,
        (Bound(0.95, ">=", "share"),),
        sides=(TORIL,),
        runs=(0, 1),
        about=f"{ABOUT} Not in the quick mode.",
    ),
)
