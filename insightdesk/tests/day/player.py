"""A process that plays the story with real workers: `python player.py FOLDER ZONE [KILLED_AT]`.

FOLDER keeps how far it has come, so that another process can go on where this one was killed. KILLED_AT is
the count of statements and commits in PostgreSQL and of scripts in Valkey at which it kills itself. People's
deeds are not cut: somebody whose request was cut asks again or does not, which is no matter of jobs.

Step by step, both clocks move on to whatever is due next: an hour, a deed, a delayed job. The queues' clock
is some whole days ahead of the helpdesk's, since it cannot be behind the server's.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # beside this file's own folder

from people import do, settle
from sqlalchemy import event
from story import CHANGES, HOUR, Story

import toril
from insightdesk.database import close_database, database
from insightdesk.kit import clock
from insightdesk.worker import app, queue_limits
from toril import outbox, testing
from toril.storage import scripts


class Death:
    """Counts what touches the servers, and kills the process at its number."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.count = 0
        self.armed = False

    def touch(self, *_: object) -> None:
        """Something is being done."""
        if self.armed:
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Count statements, commits, and scripts before and after their call."""
        for name in ("before_cursor_execute", "commit"):
            event.listen(database().engine.sync_engine, name, self.touch)
        run: Any = scripts.run

        async def counted(*args: Any, **options: Any) -> object:
            self.touch()
            try:
                return await run(*args, **options)
            finally:
                self.touch()

        scripts.run = counted


@dataclass
class Progress:
    """How far the story has come; `days` is how far the queues' clock is ahead."""

    now: str
    done: int
    days: int
    settled: bool = False
    touches: int = 0

    def save(self, folder: Path) -> None:
        """Write it whole or not at all."""
        (folder / "new").write_text(json.dumps(asdict(self)))
        (folder / "new").replace(folder / "progress")


def progress_in(folder: Path, story: Story) -> Progress:
    """What an earlier process has left, or the beginning."""
    if (folder / "progress").exists():
        return Progress(**json.loads((folder / "progress").read_text()))
    days = (datetime.now(UTC) - story.start).days + 1
    return Progress(story.start.isoformat(), 0, days)


@asynccontextmanager
async def moved_clock() -> AsyncIterator[testing.MovableClock]:
    """The queues' clock, taken over from a process that was killed."""
    for name in queue_limits():
        store = app.queue(name).store
        await store.connection.call("DEL", store.keys.clock)
    async with testing.clock(app) as moved:
        yield moved


@asynccontextmanager
async def working() -> AsyncIterator[Sequence[toril.Worker]]:
    """Real workers of all queues."""
    workers = [
        app.make_worker(name, limit, death_after=0.5, stalled_interval=0.5)
        for name, limit in queue_limits().items()
    ]
    running = [asyncio.create_task(worker.run(handle_signals=False)) for worker in workers]
    for worker in workers:
        await worker.ready.wait()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*running)


class Player:
    """Plays steps until the end."""

    def __init__(self, folder: Path, story: Story, death: Death) -> None:
        self.folder = folder
        self.story = story
        self.death = death
        self.progress = progress_in(folder, story)
        self._then = datetime.fromisoformat(self.progress.now)
        self._since = time.monotonic()
        clock.now = lambda: self.now

    @property
    def now(self) -> datetime:
        """The helpdesk's time, which goes on by itself between two moves."""
        return self._then + timedelta(seconds=time.monotonic() - self._since)

    @property
    def ahead(self) -> timedelta:
        """By how much the queues' clock is ahead of the helpdesk's."""
        return timedelta(days=self.progress.days)

    async def play(self) -> None:
        """From where the story stands to its end."""
        if not self.progress.settled:
            await settle(self.story)
            self.progress.settled = True
            self.progress.save(self.folder)
        self.death.watch()
        relay = outbox.OutboxRelay(database().engine, url=app.url, prefix=app.prefix)
        async with moved_clock() as moved:
            await self._move(moved, self._then, expire_locks=True)
            await app.apply_schedules()
            async with working() as workers:
                while self.now < self.story.end:
                    await self._deeds()
                    self.death.armed = True
                    await self._carry_out(workers, relay)
                    following = min(await self._next_due(), self.story.end)
                    self.death.armed = False
                    self.progress.now = following.isoformat()
                    self.progress.touches = self.death.count
                    self.progress.save(self.folder)
                    await self._move(moved, following)
        await relay.close()
        await app.close()
        await close_database()

    async def _move(self, moved: testing.MovableClock, to: datetime, *, expire_locks: bool = False) -> None:
        queues = await moved.now()
        # The helpdesk's first: a queue that is moved wakes its workers.
        self._then, self._since = max(to, queues - self.ahead), time.monotonic()
        await moved.advance(self._then + self.ahead - queues, expire_locks=expire_locks)

    async def _deeds(self) -> None:
        while (done := self.progress.done) < len(self.story.deeds):
            when, deed = self.story.deeds[done]
            if when > self.now:
                break
            await do(deed, when)
            self.progress.done += 1
            self.progress.save(self.folder)

    async def _carry_out(self, workers: Sequence[toril.Worker], relay: outbox.OutboxRelay) -> None:
        """All that may run now, and what that causes, until nothing is left."""
        async with asyncio.timeout(20):
            while True:
                begun = sum(worker.begun for worker in workers)
                await asyncio.gather(*(worker.look() for worker in workers))
                # None of ours runs: active ones are a dead worker's, until ours take them up.
                counts = await asyncio.gather(*(worker.queue.get_job_counts() for worker in workers))
                orphans = sum(each["active"] for each in counts)
                moved = await relay.run_once()
                if not moved and not orphans and begun == sum(worker.begun for worker in workers):
                    return
                if orphans:
                    await asyncio.sleep(0.05)

    async def _next_due(self) -> datetime:
        whole_hour = self.now.replace(minute=0, second=0, microsecond=0) + HOUR
        deeds = (when for when, _ in self.story.deeds if when > self.now)
        delayed = await asyncio.gather(*(self._first_delayed(name) for name in queue_limits()))
        return min([whole_hour, *deeds, *(when for when in delayed if when is not None)])

    async def _first_delayed(self, queue: str) -> datetime | None:
        """When the queue's first delayed job is due, but for the next ones of its schedules."""
        store = app.queue(queue).store
        key = f"{store.keys.base}delayed"
        in_order = await store.connection.call("ZRANGE", key, 0, -1)
        first = next((job_id for job_id in in_order if not job_id.startswith(b"repeat:")), None)
        if first is None:
            return None
        score = await store.connection.call("ZSCORE", key, first)
        return datetime.fromtimestamp(float(score) // 4096 / 1000, UTC) - self.ahead


if __name__ == "__main__":
    folder, zone = Path(sys.argv[1]), sys.argv[2]
    death = Death(int(sys.argv[3]) if len(sys.argv) > 3 else None)
    with app.redirected(app.url, prefix=folder.name):
        asyncio.run(Player(folder, Story(zone, CHANGES[zone]), death).play())
