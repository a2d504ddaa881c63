"""The one poller of a process: surveys each queue in turn, keeps their history, tells the streams.

What it asks the server a second does not depend on how many browsers look: one script call a queue every two
seconds while somebody looks, every ten while nobody does, fifty calls a second at the most.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from ..errors import ConnectionFailed, JobNotFound, ServerRefused
from ..inspection.history import Historian, Point, read_history
from ..inspection.survey import Flow, Survey, Surveyor, mean_flow
from ..queue import Queue
from ..storage.inspection import InspectionStore
from . import live
from .registry import QueueRegistry
from .streams import Streams

logger = logging.getLogger("toril")

FAST, SLOW = 2.0, 10.0
"""Seconds between two surveys of a queue, while somebody looks and while nobody does."""
FRESH = 0.5
"""Seconds for which a survey serves all who ask."""
CALLS = 50
"""Surveys a second at the most."""
AT_ONCE = 8
"""Surveys that are under way at once."""
JOBS = 40
"""How many jobs' pages are kept up to date."""
RECENT = 90
"""How many of its surveys are remembered of a queue."""
SMOOTH = 10.0
"""Seconds over which rates are taken."""
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Watched:
    """What is known of one queue.

    Attributes:
        survey: The newest one; None before the first.
        recent: The surveys before it, the oldest first.
        points: The minutes of the last hour, as they are kept.
    """

    queue: Queue
    surveyor: Surveyor
    historian: Historian
    survey: Survey | None = None
    recent: deque[Survey] = field(default_factory=lambda: deque(maxlen=RECENT))
    points: list[Point] = field(default_factory=list)
    minute: int = -1
    looked: float = -math.inf
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def flow(self) -> Flow:
        """How it has moved over the last ten seconds."""
        return mean_flow(self.recent, SMOOTH)

    async def look(self, keep: bool) -> None:
        """Survey the queue, unless that was done just now."""
        async with self.lock:
            if time.monotonic() - self.looked > FRESH:
                await self._look(keep)

    async def _look(self, keep: bool) -> None:
        survey = await self.surveyor.survey()
        self.looked = time.monotonic()
        self.survey = survey
        self.recent.append(survey)
        if keep:
            await self.historian.note(survey)
        minute = int(survey.at.timestamp()) // 60
        if minute != self.minute:
            self.points = await read_history(self.queue, survey.at - HOUR)
            self.minute = minute


class Watch:
    """Watches the queues of a registry.

    Args:
        registry: The queues.
        streams: Who is told.
        keep: Whether to keep the history of the queues on the server.
    """

    def __init__(self, registry: QueueRegistry, streams: Streams, keep: bool) -> None:
        self._registry = registry
        self._streams = streams
        self._keep = keep
        self._watched: dict[str, Watched] = {}
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    def start(self) -> None:
        """Start watching, if it has not been started."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="toril dashboard")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def changed(self, name: str) -> None:
        """Look at a queue anew: something was done to it."""
        if name in self._watched:
            self._watched[name].looked = -math.inf
        self._streams.wanted.set()

    async def watched(self, name: str) -> Watched:
        """What is known of a queue, looked at now if that was too long ago."""
        found = self._watched.get(name)
        if found is None:
            queue = self._registry.queue(name)
            found = self._watched[name] = Watched(queue, Surveyor(queue), Historian(queue))
        await found.look(self._keep)
        return found

    async def all(self) -> list[Watched]:
        """What is known of all queues, by name. Raises ConnectionFailed, ServerRefused."""
        names = await self._registry.names()
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> Watched:
            async with gate:
                return await self.watched(name)

        return await asyncio.gather(*(one(name) for name in names))

    async def _run(self) -> None:
        while True:
            self._streams.wanted.clear()
            queues = 0
            try:
                queues = await self._pass()
                self._trouble = ""
            except (ConnectionFailed, ServerRefused) as error:
                if str(error) != self._trouble:
                    logger.warning("dashboard: %s", error)
                self._trouble = str(error)
                for topic in self._streams.topics:
                    self._streams.tell(topic, {"trouble": str(error)})
            pause = max(FAST if self._streams.readers else SLOW, queues / CALLS)
            try:
                async with asyncio.timeout(pause):
                    await self._streams.wanted.wait()
                await asyncio.sleep(0.2)  # those who nudge in turn are served together
            except TimeoutError:
                pass

    async def _pass(self) -> int:
        names = await self._registry.names()
        for gone in self._watched.keys() - set(names):
            del self._watched[gone]
        everything = await self.all()
        by_name = {watched.queue.name: watched for watched in everything}
        jobs = 0
        for topic in self._streams.topics:
            kind, *rest = topic.split("\0")
            values = {"trouble": ""}
            if kind == "overview":
                values |= live.overview(everything)
            elif rest and rest[0] in by_name:
                if kind == "queue":
                    values |= live.queue(by_name[rest[0]])
                elif kind == "job" and jobs < JOBS:
                    jobs += 1
                    values |= await _job(by_name[rest[0]].queue, rest[1])
            self._streams.tell(topic, values)
        return len(names)


async def _job(queue: Queue, job_id: str) -> dict[str, str]:
    """A sign that changes whenever a job does."""
    store = InspectionStore(queue.store.connection, queue.store.keys)
    try:
        state, progress = await queue.get_state(job_id), await store.signs_of(job_id)
    except JobNotFound:
        return {"changed": "gone"}
    return {"changed": f"{state} {progress}"}
