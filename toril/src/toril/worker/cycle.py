"""The hot path: settle finished jobs and fetch the next, in one call.

There is no batching timer. What has finished by the time a call can go out travels in it: one
job from an idle worker, many from a busy one. Two calls may be under way, so that the server
works on one while this process works on the jobs of the other; a few more if they are full.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable

from ..errors import ConnectionFailed, ServerRefused
from ..storage.jobs import Fields
from ..storage.work import Committed, Settlement, WorkStore
from .ahead import PATIENCE, Ahead
from .calls import Call, Calls

logger = logging.getLogger("toril")

MAX_CALLS = 2
MAX_FULL_CALLS = 8
"""Calls under way if each of them is as large as may be, for servers that are far away."""
MAX_BATCH = 50
"""Jobs that one call settles or fetches at the most.

The server does nothing else meanwhile. And many calls of this size keep a server busy that is far away,
where few large ones are answered together and then leave it idle.
"""
FARTHEST = 60.0
"""Seconds after which the time of the next delayed job is asked for again."""
MAX_PAUSE = 2.0
"""Seconds between two tries at the most while the server cannot be reached."""


class Cycle:
    """Fetches jobs for free slots and settles finished ones.

    Args:
        store: The scripts.
        concurrency: How many slots there are.
        name: What lock tokens begin with; unique in the world.
        start: Begins one job: (id, fields, token).
        refused: Told of each settlement that the server refused, with its code.
    """

    def __init__(
        self,
        store: WorkStore,
        concurrency: int,
        name: str,
        start: Callable[[str, Fields, str], None],
        refused: Callable[[Settlement, int], None],
    ) -> None:
        self._calls = Calls(store, name, self)
        self._start = start
        self._refused = refused
        self._concurrency = concurrency
        self._finished: deque[Settlement] = deque()
        self._free = concurrency
        self._running = 0
        self._ahead = Ahead()
        self._held: dict[str, tuple[Fields, str]] = {}
        self._patience: asyncio.TimerHandle | None = None
        self._hungry = True
        self._fetching = True
        self._pump_due = False
        self._beat_due = False
        self._pause = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.dry = asyncio.Event()
        """Set while slots are free and the queue had no more jobs for them."""
        self.last_success = time.monotonic()
        """When a call last succeeded, by `time.monotonic`; when the cycle was made, before the first."""
        self.crash: asyncio.Future[None] = self._loop.create_future()
        """Gets the error that this cycle cannot go on after."""

    @property
    def free(self) -> int:
        """How many slots are free."""
        return self._free

    @property
    def idle(self) -> bool:
        """Whether the queue had nothing more to run, and all that has ended is settled."""
        return self.dry.is_set() and not self._finished and not self._calls.under_way and not self._pump_due

    def feed(self) -> None:
        """Fetch for the free slots: there may be jobs."""
        self._hungry = True
        self.dry.clear()
        self._schedule()

    def wake(self) -> None:
        """Fetch for the free slots now, not at the end of the loop's turn: nothing else is to go with it."""
        self._hungry = True
        self.dry.clear()
        if not self._pause:
            self._pump()

    def settle(self, settlement: Settlement) -> None:
        """Send the outcome of a run with the next call."""
        self._finished.append(settlement)
        if settlement.kind == "l" and self._held:
            self._hand_back_held()
        self._schedule()

    def beat(self) -> None:
        """Make a call though there is nothing to settle or to fetch, so that `last_success` tells."""
        self._beat_due = True
        self._schedule()

    def release(self) -> None:
        """Give a slot back."""
        self._free += 1
        self._running -= 1
        self._ahead.ended()
        if self._held:
            self._start_held()
        self._schedule()

    def held(self) -> dict[str, str]:
        """The locks of jobs that wait here for a slot, id -> token; from any thread."""
        return {job_id: token for job_id, (_, token) in self._held.copy().items()}

    def drop(self, job_id: str) -> None:
        """Forget a job that waits here for a slot: its lock is lost."""
        if self._held.pop(job_id, None) is not None:
            self._free += 1

    def stop_fetching(self) -> None:
        """Settle only, from now on."""
        self._fetching = False
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._hand_back_held()

    def resume_fetching(self) -> None:
        """Fetch again."""
        self._fetching = True
        self.feed()

    def resize(self, concurrency: int) -> None:
        """Change how many slots there are; jobs that run in slots too many go on."""
        self._free += concurrency - self._concurrency
        self._concurrency = concurrency
        self._start_held()
        self.feed()

    async def flush(self) -> None:
        """Wait until all that has finished is settled."""
        while self._finished or self._calls.under_way:
            self._schedule()
            if self._calls.under_way:
                await self._calls.one_ended()
            else:
                await asyncio.sleep(self._pause or 0)

    async def called(self) -> None:
        """Wait until the calls under way are answered."""
        await self._calls.all_ended()

    def give_up(self, error: BaseException) -> None:
        """End the worker with an error that it cannot go on after."""
        if not self.crash.done():
            self.crash.set_exception(error)

    def _schedule(self) -> None:
        if not self._pump_due and not self._pause:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        while not self._pause:
            places = self._ahead.places(self._concurrency)
            # Half of the worker's jobs a call, so that two calls under way share them; all if they are few.
            share = (self._concurrency + places + 1) // 2 if self._hungry else MAX_BATCH
            ends = min(len(self._finished), share, MAX_BATCH)
            fetching = self._fetching and (self._hungry or ends > 0)
            wanted = max(0, min(self._free + places, share if ends else MAX_BATCH, MAX_BATCH))
            wanted = wanted if fetching else 0
            if not self._worth_a_call(ends, wanted):
                return
            self._beat_due = False
            self._free -= wanted
            batch = [self._finished.popleft() for _ in range(ends)]
            self._calls.make(batch, wanted)

    def _worth_a_call(self, ends: int, wanted: int) -> bool:
        """Whether to call now. A small call costs almost as much as a large one, so it may have to wait."""
        size, under_way = max(ends, wanted), self._calls.under_way
        if not under_way or not size:
            return size > 0 or self._beat_due
        if len(under_way) >= (MAX_CALLS if size < MAX_BATCH else MAX_FULL_CALLS):
            return False
        if not ends and not all(call.batch for call in under_way):
            return False  # a call that only fetches is under way already
        return 2 * size >= min(call.size for call in under_way)

    def answered(self, call: Call, done: Committed) -> None:
        """Take note of what a call has done, and begin the jobs that it has brought."""
        self.last_success = time.monotonic()
        self._ahead.answered(self.last_success - call.begun)
        self._free += call.wanted - len(done.jobs)
        for settlement, code in zip(call.batch, done.codes, strict=True):
            if code != 0:
                self._refused(settlement, code)
        if call.wanted:
            self._look(done, call.wanted)
        for job_id, fields in done.jobs:
            if fields:
                # The script has noted both after it had read the hash.
                fields[b"processedOn"] = b"%d" % done.now_ms
                fields[b"ats"] = b"%d" % (_number(fields.get(b"ats")) + 1)
                self._take(job_id, fields, call.token)
            else:
                self._free += 1
                logger.error("job %s was in the queue without a readable hash; taken out of it", job_id)
        self._schedule()

    def failed(self, call: Call, error: ConnectionFailed | ServerRefused) -> None:
        """Take back what a call was to do.

        Sent again, a settlement that was carried out is refused for want of its lock.
        """
        self._finished.extendleft(reversed(call.batch))
        self._free += call.wanted
        self._hungry = True
        self._back_off(error)
        self._schedule()

    def _take(self, job_id: str, fields: Fields, token: str) -> None:
        if self._running < self._concurrency:
            self._running += 1
            self._start(job_id, fields, token)
            return
        self._held[job_id] = fields, token
        if not self._fetching:
            self._hand_back_held()
        elif self._patience is None:
            self._patience = self._loop.call_later(PATIENCE, self._look_at_held, "")

    def _start_held(self) -> None:
        while self._held and self._running < self._concurrency:
            job_id = next(iter(self._held))
            self._take(job_id, *self._held.pop(job_id))

    def _look_at_held(self, seen: str) -> None:
        self._patience = None
        if seen in self._held:
            self._ahead.reset()
            self._hand_back_held()
        elif self._held:
            first = next(iter(self._held))
            self._patience = self._loop.call_later(PATIENCE, self._look_at_held, first)

    def _hand_back_held(self) -> None:
        """Hand back, as if they had never been fetched, the jobs that wait here for a slot."""
        held, self._held = self._held, {}
        # Each goes before the others to the head of its place: the last one first.
        for job_id, (_, token) in reversed(held.items()):
            self._free += 1
            self.settle(Settlement("u", job_id, token, ""))

    def _look(self, done: Committed, wanted: int) -> None:
        self._hungry = len(done.jobs) == wanted
        if not self._hungry:
            self._ahead.reset()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if done.next_in_ms >= 0:
            # Our own clock wakes us: a server looks only ten times a second whose wait is over.
            self._due = self._loop.call_later(min(done.next_in_ms / 1000, FARTHEST), self.feed)
        if not self._hungry and self._free > 0:
            self.dry.set()

    def _back_off(self, error: Exception) -> None:
        if self._pause:
            return
        failed_for = time.monotonic() - self.last_success
        self._pause = min(MAX_PAUSE, max(0.05, failed_for / 2)) * random.uniform(0.5, 1.0)
        logger.warning("the worker cannot go on: %s; trying again in %.2f s", error, self._pause)
        self._loop.call_later(self._pause, self._resume)

    def _resume(self) -> None:
        self._pause = 0.0
        self._schedule()


def _number(raw: bytes | None) -> int:
    # As the script reads it: what another client has written there may be anything.
    return int(raw) if raw is not None and raw.isdigit() else 0
