"""Producers, waiters, readers of events, and those who steer jobs: all through the faulty line."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import toril

from .ledgers import Adds

TROUBLE = (toril.ConnectionFailed, toril.ServerRefused, TimeoutError)
"""What a client may meet while the server or the line is broken."""
KEYS = 10
"""How many deduplication keys there are."""
SHARES = {"ok": 8, "flaky": 1, "bad": 1}


class Load:
    """What uses the queue from outside of the workers.

    Attributes:
        adds: The ledger of the round.
        counts: What was done: calls by kind, and their troubles.
        lost: What was told to a client and cannot be: a job that was acknowledged and is not there.
        ends: Ids whose end an event told.
        added: How often an event told that a job was made.
        missed: Whether the reader was told that it has missed events.
    """

    def __init__(self, queue: toril.Queue, flows: toril.FlowProducer, rng: random.Random) -> None:
        self._queue = queue
        self._flows = flows
        self._rng = rng
        self._numbers = itertools.count()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._waiters: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self.adds = Adds()
        self.counts: Counter[str] = Counter()
        self.lost: list[str] = []
        self.ends: set[str] = set()
        self.added: Counter[str] = Counter()
        self.missed = False

    def begin(self) -> None:
        """Begin a round."""
        self.adds = Adds()
        self.ends.clear()
        self.added.clear()
        self.missed = False
        self._stop.clear()
        kinds = (
            self._one,
            self._one,
            self._many,
            self._flow,
            self._nameless,
            self._deduplicated,
            self._steer,
        )
        self._tasks = [asyncio.create_task(self._again(kind)) for kind in kinds]

    async def end(self) -> None:
        """Let what is under way end; raises what it ended with."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def waited(self, limit: float) -> int:
        """Let all waiters end; returns how many have not."""
        if not self._waiters:
            return 0
        _, late = await asyncio.wait(self._waiters, timeout=limit)
        for task in late:
            task.cancel()
        return len(late)

    async def read_events(self, events: toril.QueueEvents) -> None:
        """Note the ends of jobs, for ever."""
        async for event in events:
            if isinstance(event, toril.EventsMissed):
                self.missed = True
            elif event.type == "added" and event.job_id is not None:
                self.added[event.job_id] += 1
            elif event.type in ("completed", "failed") and event.job_id is not None:
                self.ends.add(event.job_id)

    async def _again(self, act: Callable[[], Awaitable[None]]) -> None:
        while not self._stop.is_set():
            await act()
            await asyncio.sleep(self._rng.uniform(0.05, 0.3))

    def _id(self) -> str:
        return f"k{next(self._numbers)}"

    def _does(self) -> str:
        return self._rng.choices(list(SHARES), list(SHARES.values()))[0]

    def _new(self, job_id: str, does: str) -> toril.NewJob:
        options: toril.JobKeywords = {"job_id": job_id, "attempts": 3 if does == "flaky" else 2}
        place = self._rng.random()
        if place < 0.25:
            options["delay"] = self._rng.uniform(0.05, 3.0)
        elif place < 0.5:
            options["priority"] = self._rng.randrange(1, 10)
        elif place < 0.55:
            options["lifo"] = True
        if self._rng.random() < 0.5:
            options["backoff"] = toril.Backoff.exponential(0.1)
        return toril.NewJob("work", {"does": does, "key": job_id}, **options)

    async def _until_added(self, kind: str, add: Callable[[], Awaitable[object]]) -> bool:
        """Add again until it is acknowledged: the ids make that harmless. False at the round's end."""
        while True:
            try:
                await add()
            except TROUBLE:
                self.counts[f"{kind} refused"] += 1
                if self._stop.is_set():
                    return False
                await asyncio.sleep(0.1)
            else:
                self.counts[kind] += 1
                return True

    async def _one(self) -> None:
        job_id, does = self._id(), self._does()
        new = self._new(job_id, does)
        sure = await self._until_added("add", lambda: self._queue.add_many([new]))
        self.adds.order(job_id, does, sure)
        if sure and self._rng.random() < 0.3:
            task = asyncio.create_task(self._wait(job_id))
            self._waiters.add(task)
            task.add_done_callback(self._waiters.discard)

    async def _many(self) -> None:
        new = [(self._id(), self._does()) for _ in range(self._rng.randrange(2, 20))]
        jobs = [self._new(*each) for each in new]
        sure = await self._until_added("add_many", lambda: self._queue.add_many(jobs))
        for job_id, does in new:
            self.adds.order(job_id, does, sure)
        self.adds.groups.append([job_id for job_id, _ in new])

    async def _flow(self) -> None:
        ids = [self._id() for _ in range(self._rng.randrange(2, 6))]
        root, *children = [
            toril.FlowJob("work", self._queue.name, {"does": "ok", "key": each}, job_id=each, attempts=2)
            for each in ids
        ]
        root.children = tuple(children)
        sure = await self._until_added("flow", lambda: self._flows.add(root))
        for job_id in ids:
            self.adds.order(job_id, "ok", sure)
        self.adds.groups.append(ids)

    async def _nameless(self) -> None:
        """Without an id of its own, so not again: it is there once, or not at all if undecided."""
        key = self._id()
        self.adds.nameless[key] = False
        try:
            job = await self._queue.add("work", {"does": "ok", "key": key}, delay=self._rng.choice((0, 0.5)))
        except TROUBLE:
            self.counts["nameless refused"] += 1
            return
        self.counts["nameless"] += 1
        self.adds.nameless[key] = True
        self.adds.order(job.id, "ok", True)

    async def _deduplicated(self) -> None:
        key = f"d{self._rng.randrange(KEYS)}"
        try:
            job = await self._queue.add(
                "work", {"does": "ok", "key": key}, deduplication=toril.Deduplication(key), delay=0.2
            )
        except TROUBLE:
            self.counts["deduplicated refused"] += 1
            return
        self.counts["deduplicated"] += 1
        self.adds.order(job.id, "ok", True)

    async def _wait(self, job_id: str) -> None:
        self.counts["wait"] += 1
        while True:
            try:
                await self._queue.wait(job_id)
            except TROUBLE:
                self.counts["wait again"] += 1
                await asyncio.sleep(0.1)
                continue
            except toril.JobFailed:
                pass
            except toril.JobNotFound:
                if not self.adds.jobs[job_id].steered:
                    self.lost.append(f"wait: job {job_id} was acknowledged and is not there")
            return

    async def _steer(self) -> None:
        """Do something to a job that was acknowledged."""
        jobs = [job for job in self.adds.jobs.values() if job.sure and job.job_id.startswith("k")]
        grouped = {each for group in self.adds.groups for each in group}
        jobs = [job for job in jobs if job.job_id not in grouped][-30:]
        if not jobs:
            return
        job = self._rng.choice(jobs)
        act = self._rng.choice(("promote", "retry", "cancel", "remove", "change_priority", "pause"))
        self.counts[act] += 1
        try:
            if act == "pause":
                await self._queue.pause()
                await asyncio.sleep(self._rng.uniform(0.1, 1.0))
                await self._queue.resume()
            elif act == "change_priority":
                await self._queue.change_priority(job.job_id, 5)
            elif act in ("promote", "retry"):
                await getattr(self._queue, act)(job.job_id)
            elif act == "cancel":
                job.steered = True
                await self._queue.cancel(job.job_id, "soak")
            else:
                job.steered = True
                await self._queue.remove(job.job_id)
                job.removed = True
        except toril.JobNotFound:
            if not job.steered:
                self.lost.append(f"{act}: job {job.job_id} was acknowledged and is not there")
        except (toril.JobNotInState, toril.JobLocked):
            self.counts[f"{act} came late"] += 1
        except TROUBLE:
            self.counts[f"{act} refused"] += 1
