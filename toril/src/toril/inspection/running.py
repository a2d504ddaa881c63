"""The workers that are connected, and what each of them runs now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ..errors import InvalidPayload
from ..job import JobState
from ..queue import Queue
from ..queue.observing import WorkerInfo
from .scan import pages

LOOKED = 1000
"""How many running jobs of one queue are looked at."""
_FIELDS = ("name", "pb", "processedOn", "atm", "progress")


@dataclass(frozen=True, slots=True)
class Running:
    """A job that runs now."""

    id: str
    name: str
    since: datetime | None
    attempt: int


@dataclass(slots=True)
class WorkerState:
    """A worker of a queue.

    Attributes:
        name: What it is called.
        connections: Its connections; none if jobs say that it runs them and it is not connected.
        jobs: What it runs.
    """

    name: str
    connections: list[WorkerInfo] = field(default_factory=list)
    jobs: list[Running] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The address that it is connected from, without the port; empty if it is not connected."""
        return self.connections[0].address.rpartition(":")[0] if self.connections else ""


async def workers_of(queue: Queue) -> Sequence[WorkerState]:
    """The workers of a queue by name, and what each runs now."""
    states: dict[str, WorkerState] = {}
    for info in await queue.workers():
        name = info.name or "(without a name)"
        states.setdefault(name, WorkerState(name)).connections.append(info)
    looked = 0
    async for seen, jobs in pages(queue, JobState.ACTIVE, 0, ascending=True, fields=_FIELDS):
        for job in jobs:
            name = job.processed_by or "(without a name)"
            try:
                running = Running(job.id, job.name, job.processed_on, job.attempts_made + 1)
            except InvalidPayload:
                running = Running(job.id, job.name, None, 1)
            states.setdefault(name, WorkerState(name)).jobs.append(running)
        looked += seen
        if not seen or looked >= LOOKED:
            break
    return sorted(states.values(), key=lambda state: (-len(state.jobs), state.name))
