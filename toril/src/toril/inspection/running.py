"""The workers that are connected, and what each of them runs now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ..errors import InvalidPayload
from ..job import JobState
from ..queue import Queue
from ..queue.observing import WorkerInfo
from ..storage.cards import WorkerCard
from ..storage.inspection import InspectionStore
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
        card: What it tells of itself; None of Node's workers.
        jobs: What it runs.
    """

    name: str
    connections: list[WorkerInfo] = field(default_factory=list)
    card: WorkerCard | None = None
    jobs: list[Running] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its host's name, or the address that it is connected from; empty if neither is known."""
        if self.card is not None:
            return self.card.host
        return self.connections[0].address.rpartition(":")[0] if self.connections else ""

    @property
    def process(self) -> int | None:
        """The id of its process there; None if it does not tell."""
        return None if self.card is None else self.card.process


async def workers_of(queue: Queue) -> Sequence[WorkerState]:
    """The workers of a queue by their processes, and what each runs now."""
    states: dict[str, WorkerState] = {}
    for info in await queue.workers():
        name = info.name or "(without a name)"
        states.setdefault(name, WorkerState(name)).connections.append(info)
    for card in await InspectionStore(queue.store.connection, queue.store.keys).cards():
        if card.name in states:
            states[card.name].card = card
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
    return sorted(states.values(), key=lambda state: (state.host, state.process or 0, state.name))
