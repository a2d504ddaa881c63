"""Typed calls before the scripts of job schedulers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from ..errors import InvalidPayload
from ..job import Json, NewJob
from ..schedule import Scheduler, When, is_late
from . import scripts
from .channel import Reply
from .clock import server_ms
from .connection import Connection
from .endpoint import Replicas
from .jobs import Fields, pair
from .keys import Keys
from .schedule_codec import decode_repeat, decode_scheduler, decode_template, encode_scheduler, job_options

logger = logging.getLogger("toril")

PAGE = 500
"""How many schedulers one script call reads at the most."""


class Declared(NamedTuple):
    """A schedule that an app declares."""

    id: str
    when: When
    job: NewJob


class Applied(NamedTuple):
    """What became of an app's declared schedules in one queue."""

    changed: int
    removed: list[str]
    taken_over: dict[str, str]  # id -> the app that declared it before
    newer_release: int | None = None  # that of the app which was here; then nothing was done


def report(queue: str, applied: Applied) -> None:
    """Log what became of declared schedules."""
    if applied.newer_release is not None:
        logger.warning(
            "queue %s: release %d of this app has declared its schedules; these here are older, and left",
            queue,
            applied.newer_release,
        )
    for scheduler_id in applied.removed:
        logger.info("queue %s: scheduler %s is declared no more; removed", queue, scheduler_id)
    for scheduler_id, owner in applied.taken_over.items():
        logger.warning("queue %s: app %r declares scheduler %s too", queue, owner, scheduler_id)


class Advance(Enum):
    """What became of a scheduler whose job has been taken."""

    DONE = "done"  # or there was nothing to do
    LEFT_OUT = "left out"  # the job taken is too late to run, and is gone
    UNREADABLE = "unreadable"  # only the scheduler's maker can tell when the next run is


class SchedulerStore:
    """The job schedulers of one queue. Next runs are reckoned by the server's clock."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def _run(self, script: str, *args: str | bytes | int, replicas: Replicas | None = None) -> Reply:
        keys = self._keys
        return await scripts.run(self._connection, script, keys.all, keys.base, *args, replicas=replicas)

    async def upsert(self, scheduler_id: str, when: When, job: NewJob) -> bool:
        """Make or change a scheduler; returns whether anything changed."""
        wire = _encode(Declared(scheduler_id, when, job), "", await server_ms(self._connection, self._keys))
        replicas = self._connection.address.replicas
        return bool(await self._run("upsert_scheduler", msgspec.msgpack.encode(wire), replicas=replicas))

    async def apply(self, owner: str, release: int, schedules: Sequence[Declared]) -> Applied:
        """Put an app's schedules in place of those that it declared before, all at once."""
        now_ms = await server_ms(self._connection, self._keys)
        wire = [_encode(each, owner, now_ms) for each in schedules]
        reply = await self._run("apply_schedules", msgspec.msgpack.encode((owner, release, wire)))
        if reply[0] == -1:
            return Applied(0, [], {}, newer_release=reply[1])
        taken = [each.decode() for each in reply[2]]
        removed = [each.decode() for each in reply[1]]
        return Applied(reply[0], removed, dict(zip(taken[::2], taken[1::2], strict=True)))

    async def advance(self, scheduler_id: str, taken: str, token: str) -> Advance:
        """Make the job after `taken`, which this worker holds by `token`."""
        now_ms, *found = await self._run("read_scheduler", scheduler_id)
        if not found or taken != f"repeat:{scheduler_id}:{found[1].decode()}":
            return Advance.DONE
        _, due, fields, opts = found
        newest = _Newest(scheduler_id, due, pair(fields), opts)
        when = newest.scheduler.when
        if when is None:
            return Advance.UNREADABLE
        late = is_late(when, newest.due_ms, now_ms)
        blob = newest.job_of(newest.following(now_ms) or 0, token if late else "")
        code = await self._run("advance_scheduler", blob)
        return Advance.LEFT_OUT if code == 2 else Advance.DONE

    async def stands(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return bool(await self._connection.call("EXISTS", self._keys.job(job_id)))

    async def remove(self, scheduler_id: str) -> bool:
        """Remove a scheduler and its next job; returns whether there was one."""
        return bool(await self._run("remove_scheduler", scheduler_id) == 0)

    async def get(self, scheduler_id: str) -> Scheduler | None:
        """Read one scheduler."""
        _, *found = await self._run("read_scheduler", scheduler_id)
        return decode_scheduler(scheduler_id, pair(found[2]), found[1]) if found else None

    async def page(self, start: int, end: int, ascending: bool) -> list[Scheduler]:
        """Read the schedulers from the `start`-th to the `end`-th, both in; -1 is the last."""
        read: list[Scheduler] = []
        while end < 0 or start <= end:
            last = start + PAGE - 1 if end < 0 else min(end, start + PAGE - 1)
            flat = await self._run("read_schedulers", start, last, "1" if ascending else "0")
            for i in range(0, len(flat), 3):
                if flat[i + 2]:
                    scheduler_id = flat[i].decode("utf-8", "replace")
                    read.append(decode_scheduler(scheduler_id, pair(flat[i + 2]), flat[i + 1]))
            if len(flat) < 3 * (last - start + 1):
                break
            start = last + 1
        return read

    async def count(self) -> int:
        """How many schedulers there are."""
        return int(await self._connection.call("ZCARD", self._keys.repeat))

    async def heal(self, start: int, interval_ms: int) -> tuple[list[str], int]:
        """Look at a page of schedulers and make the jobs that they have lost.

        Returns the ids of those healed, and where the next page starts; 0 when there is none.
        """
        reply = await self._run("find_lost_schedulers", start, PAGE, interval_ms)
        now_ms, more, flat = reply[0], reply[1], reply[2:]
        healed = []
        for i in range(0, len(flat), 5):
            scheduler_id, due, fields, opts, finished = flat[i : i + 5]
            newest = _Newest(scheduler_id.decode("utf-8", "replace"), due, pair(fields), opts)
            blob = newest.healed(now_ms, bool(finished))
            if blob is not None and await self._run("restore_scheduler", blob):
                healed.append(newest.scheduler.id)
        return healed, start + PAGE if more else 0


class _Newest:
    """A scheduler and the newest job that it has made, from which the next one follows."""

    def __init__(self, scheduler_id: str, due: bytes, fields: Fields, opts: bytes) -> None:
        self.scheduler = decode_scheduler(scheduler_id, fields, due)
        self.due_ms = int(float(due))
        self._fields = fields
        self._opts = opts

    def _repeat(self) -> dict[str, Json]:
        assert self.scheduler.when is not None
        repeat = decode_repeat(self._opts, self.scheduler.when)
        # Jobs are counted from the scheduler's last change; its own count goes on for ever.
        return {"count": self.scheduler.runs, **repeat}

    def following(self, now_ms: int) -> int | None:
        """When the next job is due; None when this was the last one."""
        when = self.scheduler.when
        if when is None or (when.limit is not None and self._repeat()["count"] >= when.limit):
            return None
        return when.following_ms(self.due_ms, now_ms)

    def healed(self, now_ms: int, finished: bool) -> bytes | None:
        """What restore_scheduler.lua makes the lost job of; None when nothing is known to be lost."""
        when = self.scheduler.when
        if when is None:
            return None
        following = self.following(now_ms)
        at: int | None = self.due_ms
        if finished or is_late(when, self.due_ms, now_ms):
            at = following
        elif self.due_ms <= now_ms and not self._opts and following is None:
            # It cannot be told whether the last job ran, and was not kept.
            at = None
        return None if at is None else self.job_of(at)

    def job_of(self, at_ms: int, *more: Json) -> bytes:
        """Write the job of an instant as the scripts read it."""
        try:
            template = decode_template(self._fields)
        except InvalidPayload:
            logger.error("scheduler %s: its options cannot be read; its job has none", self.scheduler.id)
            template = decode_template({})
        repeat = self._repeat()
        if at_ms != self.due_ms:
            repeat["count"] += 1
        opts = job_options(template.opts, repeat)
        return msgspec.msgpack.encode(
            (self.scheduler.id, self.due_ms, at_ms, opts, template.priority, template.lifo, *more)
        )


def _encode(schedule: Declared, owner: str, now_ms: int) -> dict[str, Json]:
    first = schedule.when.first_ms(now_ms)
    runs = [] if first is None else [first]
    # The second is for a scheduler that has made the first one just now.
    second = None if first is None else schedule.when.following_ms(first, first)
    return encode_scheduler(
        schedule.id, schedule.when, schedule.job, owner, runs if second is None else [*runs, second]
    )
