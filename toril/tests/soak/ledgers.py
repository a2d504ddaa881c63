"""What is written down outside of the queue: adds that were acknowledged, runs, and effects."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import toril


@dataclass
class Ordered:
    """A job that a producer asked for.

    Attributes:
        does: What its handler does: `ok`, `flaky` (fails once), `bad` (fails always).
        sure: Whether the add was acknowledged.
        steered: Cancelled or removed, or this was tried: it may fail, or be gone.
        removed: Whether the removal was acknowledged.
    """

    job_id: str
    does: str
    sure: bool = True
    steered: bool = False
    removed: bool = False


@dataclass
class Adds:
    """The ledger of adds of one round.

    Attributes:
        jobs: By id.
        groups: Ids that were asked for in one call, all or nothing.
        nameless: Keys of adds without an id of their own, and whether each was acknowledged.
    """

    jobs: dict[str, Ordered] = field(default_factory=dict)
    groups: list[list[str]] = field(default_factory=list)
    nameless: dict[str, bool] = field(default_factory=dict)

    def order(self, job_id: str, does: str, sure: bool) -> None:
        self.jobs.setdefault(job_id, Ordered(job_id, does)).sure = sure


class Runs:
    """The workers' ledger, read as it grows: `start` and `effect` lines of all processes.

    Attributes:
        starts: How often each job of the round began.
        effects: The runs of each job of the round that had their effect.
        instants: When the scheduler's jobs that had their effect were due, in ms; of all rounds, until
            they are judged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._rest = b""
        path.touch()
        self.instants: set[int] = set()
        self.clear()

    def clear(self) -> None:
        """Begin a new round."""
        self.starts: Counter[str] = Counter()
        self.effects: dict[str, set[str]] = {}

    def read(self) -> None:
        """Read what is new."""
        with self._path.open("rb") as file:
            file.seek(self._place)
            text = self._rest + file.read()
            self._place = file.tell()
        *lines, self._rest = text.split(b"\n")
        for line in lines:
            kind, job_id, run = json.loads(line)
            if kind == "start":
                self.starts[job_id] += 1
            elif is_tick(job_id):
                self.instants.add(instant(job_id))
            else:
                self.effects.setdefault(job_id, set()).add(run)


def is_tick(job_id: str) -> bool:
    """Whether a scheduler made the job: these come on and on."""
    return job_id.startswith("repeat:")


def instant(job_id: str) -> int:
    """When a scheduler's job was due, in ms."""
    return int(job_id.rpartition(":")[2])


def write(kind: str, job_id: str, run: str) -> None:
    """Add a line to the ledger that the environment names; from any process."""
    out = os.open(os.environ["SOAK_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(out, json.dumps([kind, job_id, run]).encode() + b"\n")
    finally:
        os.close(out)


@dataclass(frozen=True)
class Final:
    """A job at a quiet point."""

    state: str
    data: Any
    result: Any
    reason: str | None


async def finals(queue: toril.Queue) -> Iterator[tuple[str, Final]]:
    """Read every place of the queue: (id, where it is). An id that has two places comes twice."""
    found = []
    for state in ("waiting", "prioritized", "delayed", "active", "waiting-children", "completed", "failed"):
        start = 0
        while page := await queue.get_jobs(state, start, start + 999, ascending=True):
            start += 1000
            found += [(job.id, Final(state, job.data, job.return_value, job.failed_reason)) for job in page]
    return iter(found)
