"""Typed calls before the scripts that read, count and move many jobs of a queue."""

from __future__ import annotations

from . import scripts
from .connection import Connection
from .jobs import Fields, pair
from .keys import Keys

STATES = ("waiting", "active", "paused", "delayed", "prioritized", "completed", "failed", "waiting-children")
"""The states in the order in which count_jobs.lua counts them."""


class BulkStore:
    """The scripts of one queue on all its jobs, or many."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def _run(self, script: str, *args: str | int) -> object:
        return await scripts.run(self._connection, script, self._keys.all, self._keys.base, *args)

    async def _number(self, script: str, *args: str | int) -> int:
        number = await self._run(script, *args)
        assert isinstance(number, int)
        return number

    async def page(self, state: str, start: int, end: int, ascending: bool) -> list[tuple[str, Fields]]:
        """Read jobs of one state, by the name of its key."""
        reply = await self._run("read_jobs", state, start, end, "1" if ascending else "0", "0")
        assert isinstance(reply, list)
        return [(reply[i].decode("utf-8", "replace"), pair(reply[i + 1])) for i in range(0, len(reply), 2)]

    async def ids(self, state: str, start: int, end: int, ascending: bool) -> list[str]:
        """Read the ids of jobs of one state, by the name of its key."""
        reply = await self._run("read_jobs", state, start, end, "1" if ascending else "0", "1")
        assert isinstance(reply, list)
        return [job_id.decode("utf-8", "replace") for job_id in reply]

    async def counts(self) -> dict[str, int]:
        """Count the jobs of each state, at one instant."""
        reply = await self._run("count_jobs")
        assert isinstance(reply, list)
        return dict(zip(STATES, reply, strict=True))

    async def exists(self) -> bool:
        """Whether the server has anything of the queue."""
        keys = self._keys
        return bool(await self._connection.call("EXISTS", keys.meta, keys.id, keys.events, keys.repeat))

    async def meta(self) -> dict[str, str]:
        """Read the queue's meta hash."""
        found = pair(await self._connection.call("HGETALL", self._keys.meta))
        return {
            name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in found.items()
        }

    async def priorities(self, priorities: list[int]) -> dict[int, int]:
        """Count the jobs that wait with each of some priorities."""
        reply = await self._run("count_priorities", *priorities)
        assert isinstance(reply, list)
        return dict(zip(priorities, reply, strict=True))

    async def retry(self, state: str, limit: int, before_ms: int | None, reset: bool) -> tuple[int, int]:
        """Let finished jobs run again; returns how many, and up to which time in ms."""
        reply = await self._run(
            "retry_jobs", state, limit, "" if before_ms is None else before_ms, "1" if reset else "0"
        )
        assert isinstance(reply, list)
        return reply[0], reply[1]

    async def promote(self, limit: int) -> int:
        """Let delayed jobs run now; returns how many."""
        return await self._number("promote_jobs", limit)

    async def clean(self, state: str, age_ms: int, look: int, skip: int, most: int) -> tuple[list[str], int]:
        """Remove old jobs, by the name of their state's key; returns their ids and where to go on or -1."""
        reply = await self._run("clean", state, age_ms, look, skip, most)
        assert isinstance(reply, list)
        return [job_id.decode("utf-8", "replace") for job_id in reply[1:]], reply[0]

    async def set_paused(self, paused: bool) -> None:
        """Pause or resume the queue."""
        await self._number("set_paused", "1" if paused else "0")

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return bool(await self._connection.call("HEXISTS", self._keys.meta, "paused"))

    async def drain(self, delayed: bool, limit: int = 1000) -> int:
        """Remove some waiting jobs; returns how many."""
        return await self._number("drain", "1" if delayed else "0", limit)

    async def obliterate(self, force: bool, limit: int = 1000) -> int:
        """Remove some of the queue; returns 0 done, 1 call again, -1 not paused, -2 jobs are running."""
        return await self._number("obliterate", "1" if force else "0", limit)

    async def drop_throttles(self, limit: int = 10_000) -> None:
        """Remove the deduplication keys that are left of a queue without jobs."""
        cursor = "0"
        while True:
            reply = await self._run("drop_throttles", cursor, limit)
            assert isinstance(reply, bytes)
            cursor = reply.decode()
            if cursor == "0":
                return
