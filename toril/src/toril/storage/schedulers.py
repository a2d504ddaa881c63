"""Typed calls before the scripts of job schedulers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..codec import decode_json, decode_options, encode_json, encode_options
from ..job import NewJob
from ..schedule import Cron, Every, Scheduler, When
from . import scripts
from .connection import Connection
from .jobs import Fields, pair
from .keys import Keys


class SchedulerStore:
    """The job schedulers of one queue. Next runs are reckoned by the server's clock."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def _now(self) -> datetime:
        seconds, micros = await self._connection.call("TIME")
        return datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC)

    async def upsert(self, scheduler_id: str, when: When, job: NewJob) -> bool:
        """Make or change a scheduler; returns whether anything changed."""
        options = replace(job.options, delay=0.0, job_id=None, deduplication=None)
        every = when.every_ms if isinstance(when, Every) else 0
        offset = when.offset_ms if isinstance(when, Every) else 0
        next_ms = 0 if isinstance(when, Every) else await self._next(when, await self._now())
        body = encode_json(job.data, f"data of scheduler {scheduler_id!r}")
        stored = encode_options(options)
        fields = ["name", job.name, "opts", stored, "data", body]
        if isinstance(when, Cron):
            fields += ["pattern", when.pattern, "tz", when.tz]
        else:
            fields += ["every", str(every)] + (["offset", str(offset)] if offset else [])
        opts = _job_options(stored, _repeat(when), next_ms)
        blob = msgspec.msgpack.encode(
            (scheduler_id, next_ms, every, offset, options.priority, fields, body, opts)
        )
        reply = await scripts.run(self._connection, "upsert_scheduler", self._keys.all, self._keys.base, blob)
        return bool(reply[2])

    async def advance(self, scheduler_id: str, taken: str) -> bool:
        """Make the next job after `taken`; returns whether there was one to make."""
        raw = pair(await self._connection.call("HGETALL", self._keys.scheduler(scheduler_id)))
        if not raw:
            return False
        found = _scheduler(scheduler_id, raw, 0.0)
        limit, end = raw.get(b"limit"), raw.get(b"endDate")
        now = await self._now()
        next_ms = 0
        if isinstance(found.when, Cron):
            # A job may be taken a moment before the instant that it stands for.
            instant = datetime.fromtimestamp(int(taken.rpartition(":")[2]) / 1000, UTC)
            next_ms = await self._next(found.when, max(now, instant))
        if (limit and found.runs >= int(limit)) or (end and max(next_ms, now.timestamp() * 1000) > int(end)):
            return False
        stored = raw.get(b"opts", b"{}").decode()
        priority = decode_options(raw.get(b"opts", b"{}")).priority
        opts = _job_options(stored, _repeat(found.when), next_ms)
        blob = msgspec.msgpack.encode((scheduler_id, taken, next_ms, opts, priority))
        return bool(
            await scripts.run(self._connection, "advance_scheduler", self._keys.all, self._keys.base, blob)
        )

    async def remove(self, scheduler_id: str) -> bool:
        """Remove a scheduler and its next job; returns whether there was one."""
        code = await scripts.run(
            self._connection, "remove_scheduler", self._keys.all, self._keys.base, scheduler_id
        )
        return bool(code == 0)

    async def all(self) -> list[Scheduler]:
        """Read all schedulers, the next to run first."""
        flat = await self._connection.call("ZRANGE", self._keys.repeat, 0, -1, "WITHSCORES")
        found = []
        for i in range(0, len(flat), 2):
            scheduler_id = flat[i].decode()
            raw = pair(await self._connection.call("HGETALL", self._keys.scheduler(scheduler_id)))
            if raw:
                found.append(_scheduler(scheduler_id, raw, float(flat[i + 1])))
        return found

    async def _next(self, when: Cron, now: datetime) -> int:
        following = when.next_after(now)
        return 0 if following is None else round(following.timestamp() * 1000)


def _repeat(when: When) -> dict[str, Any]:
    if isinstance(when, Cron):
        return {"pattern": when.pattern, "tz": when.tz}
    return {"every": when.every_ms} | ({"offset": when.offset_ms} if when.offset_ms else {})


def _job_options(stored: str, repeat: dict[str, Any], next_ms: int) -> str:
    # A Node worker reads `repeat` and `prevMillis` to make the job after this one.
    wire = decode_json(stored.encode(), "the scheduler's options")
    wire["repeat"] = repeat
    if next_ms:
        wire["prevMillis"] = next_ms
    return encode_json(wire, "the scheduler's options")


def _scheduler(scheduler_id: str, raw: Fields, next_ms: float) -> Scheduler:
    when: When
    if b"pattern" in raw:
        when = Cron(raw[b"pattern"].decode(), raw.get(b"tz", b"UTC").decode())
    else:
        offset = int(raw.get(b"offset", b"0"))
        when = Every(int(raw[b"every"]) / 1000, offset / 1000 if offset else None)
    return Scheduler(
        scheduler_id,
        raw.get(b"name", b"").decode(),
        when,
        datetime.fromtimestamp(next_ms / 1000, UTC),
        int(raw.get(b"ic", b"0")),
    )
