"""Typed calls before the scripts that add, read and move jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..codec import AddArguments
from . import scripts
from .connection import Connection
from .keys import Keys

Fields = dict[bytes, bytes]

MISSING = -1
NO_LOCK = -2
NOT_IN_STATE = -3
LOCKED = -6
SCHEDULED = -8
"""Return codes of the scripts, as their headers have them."""


class Added(NamedTuple):
    """What became of one job that was to be added."""

    job_id: str
    status: int  # 0 created, 1 the id stands already, 2 deduplicated by that job


def pair(flat: Sequence[bytes]) -> Fields:
    """Make a dict of a flat list of fields and values."""
    items = iter(flat)
    return dict(zip(items, items, strict=True))


class JobStore:
    """The scripts of one queue that look at jobs from outside a worker."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self.connection = connection
        self.keys = keys

    async def _run(self, script: str, *args: str | bytes | int) -> object:
        return await scripts.run(self.connection, script, self.keys.all, self.keys.base, *args)

    async def _code(self, script: str, *args: str | bytes | int) -> int:
        code = await self._run(script, *args)
        assert isinstance(code, int)
        return code

    async def add(self, jobs: list[AddArguments]) -> tuple[list[Added], int]:
        """Add jobs, all or none; returns what became of each, and the server's time in ms."""
        reply = await self._run("add_jobs", msgspec.msgpack.encode(jobs))
        assert isinstance(reply, list)
        added = [Added(reply[i].decode(), reply[i + 1]) for i in range(0, len(reply) - 1, 2)]
        return added, reply[-1]

    async def read(self, job_id: str) -> Fields:
        """Read one job's hash; empty if there is none."""
        return pair(await self.connection.call("HGETALL", self.keys.job(job_id)))

    async def page(self, state: str, start: int, end: int, ascending: bool) -> list[tuple[str, Fields]]:
        """Read jobs of one state, by the name of its key."""
        reply = await self._run("read_jobs", state, start, end, "1" if ascending else "0")
        assert isinstance(reply, list)
        return [(reply[i].decode("utf-8", "replace"), pair(reply[i + 1])) for i in range(0, len(reply), 2)]

    async def counts(self) -> dict[str, int]:
        """Count the jobs of each state, in one transaction."""
        keys = self.keys
        lists = {"waiting": keys.wait, "active": keys.active, "paused": keys.paused}
        sets = {
            "delayed": keys.delayed,
            "prioritized": keys.prioritized,
            "completed": keys.completed,
            "failed": keys.failed,
            "waiting-children": keys.waiting_children,
        }
        names = [*lists, *sets]
        commands = [("LLEN", key) for key in lists.values()] + [("ZCARD", key) for key in sets.values()]
        found = [await self.connection.call(*command) for command in commands]
        return dict(zip(names, found, strict=True))

    async def state(self, job_id: str) -> tuple[str, bytes | None]:
        """Where a job is, and its result or failed reason."""
        reply = await self._run("job_state", job_id)
        assert isinstance(reply, list)
        return reply[0].decode(), reply[1]

    async def retry(self, job_id: str) -> int:
        """Returns 0, MISSING or NOT_IN_STATE."""
        return await self._code("retry_job", job_id)

    async def promote(self, job_id: str) -> int:
        """Returns 0, MISSING or NOT_IN_STATE."""
        return await self._code("promote_job", job_id)

    async def remove(self, job_id: str, children: bool, prefix: str) -> int:
        """Returns 0, MISSING, LOCKED or SCHEDULED."""
        return await self._code("remove_job", job_id, "1" if children else "0", prefix)

    async def progress(self, job_id: str, progress: str) -> int:
        """Returns 0 or MISSING."""
        return await self._code("update_progress", job_id, progress)

    async def log(self, job_id: str, line: str) -> int:
        """Add a log line; returns how many there are."""
        count = await self.connection.call("RPUSH", self.keys.logs(job_id), line)
        assert isinstance(count, int)
        return count

    async def set_paused(self, paused: bool) -> None:
        """Pause or resume the queue."""
        await self._code("set_paused", "1" if paused else "0")

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return bool(await self.connection.call("HEXISTS", self.keys.meta, "paused"))

    async def drain(self, delayed: bool, limit: int = 1000) -> int:
        """Remove some waiting jobs; returns how many."""
        return await self._code("drain", "1" if delayed else "0", limit)

    async def obliterate(self, force: bool, limit: int = 1000) -> int:
        """Remove some of the queue; returns 0 done, 1 call again, -1 not paused, -2 jobs are running."""
        return await self._code("obliterate", "1" if force else "0", limit)
