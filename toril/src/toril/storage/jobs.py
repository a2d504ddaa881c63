"""Typed calls before the scripts that add, read and move jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..codec import AddArguments, AddShape
from ..errors import ServerRefused
from . import scripts
from .channel import Reply, Sink
from .connection import Connection
from .endpoint import Replicas
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


def add_call(jobs: Sequence[AddArguments]) -> bytes:
    """Write what add_jobs.lua reads of these jobs; shapes are told from each other by identity."""
    shapes: dict[int, tuple[int, AddShape]] = {}
    numbers = [shapes.setdefault(id(job.shape), (len(shapes) + 1, job.shape))[0] for job in jobs]
    ids = [job.job_id for job in jobs]
    kinds = [shape for _, shape in shapes.values()]
    return msgspec.msgpack.encode((ids if any(ids) else (), [job.data for job in jobs], numbers, kinds))


def added_by(reply: Reply, jobs: Sequence[AddArguments]) -> tuple[list[Added], int]:
    """Read the answer of add_jobs.lua: what became of each job, and the server's time in ms."""
    now, counter, *others = reply
    added = [Added(job.job_id or str(number), 0) for number, job in enumerate(jobs, counter + 1)]
    for i in range(0, len(others), 3):
        added[others[i] - 1] = Added(others[i + 1].decode(), others[i + 2])
    return added, now


class JobStore:
    """The scripts of one queue that look at jobs from outside a worker."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self.connection = connection
        self.keys = keys

    async def _run(self, script: str, *args: str | bytes | int, replicas: Replicas | None = None) -> object:
        keys = self.keys
        return await scripts.run(self.connection, script, keys.all, keys.base, *args, replicas=replicas)

    async def _code(self, script: str, *args: str | bytes | int) -> int:
        code = await self._run(script, *args)
        assert isinstance(code, int)
        return code

    async def add(self, jobs: Sequence[AddArguments]) -> tuple[list[Added], int]:
        """Add jobs, all or none; returns what became of each, and the server's time in ms."""
        replicas = self.connection.address.replicas
        reply = await self._run("add_jobs", add_call(jobs), replicas=replicas)
        return added_by(reply, jobs)

    def post_add(self, jobs: Sequence[AddArguments], sink: Sink) -> bool:
        """Add jobs if the call can go out at once; the answer, for `added_by`, or the error goes into `sink`.

        Returns False if nothing was sent, and `add` is to do it. See `refusal` for the server's errors.
        """
        connection, keys = self.connection, self.keys
        if connection.address.replicas is not None:
            return False
        return scripts.post(connection, "add_jobs", keys.all, keys.base, add_call(jobs), sink=sink)

    def refusal(self, error: ServerRefused) -> ServerRefused | None:
        """What to tell of a posted call that was refused; None if `add` is to make it."""
        return scripts.refusal(self.connection, error)

    async def read(self, job_id: str) -> Fields:
        """Read one job's hash; empty if there is none."""
        return pair(await self.connection.call("HGETALL", self.keys.job(job_id)))

    async def state(self, job_id: str) -> tuple[str, bytes | None]:
        """Where a job is, and its result or failed reason."""
        reply = await self._run("job_state", job_id)
        assert isinstance(reply, list)
        return reply[0].decode(), reply[1]

    async def retry(self, job_id: str, reset: bool) -> int:
        """Returns 0, MISSING or NOT_IN_STATE."""
        return await self._code("retry_job", job_id, "1" if reset else "0")

    async def promote(self, job_id: str) -> int:
        """Returns 0, MISSING or NOT_IN_STATE."""
        return await self._code("promote_job", job_id)

    async def cancel(self, job_id: str, reason: str) -> int:
        """Returns 0 failed now, 1 its worker was asked, MISSING, NOT_IN_STATE or SCHEDULED."""
        return await self._code("cancel_job", job_id, reason)

    async def change_delay(self, job_id: str, delay_ms: int) -> int:
        """Returns 0, MISSING or NOT_IN_STATE."""
        return await self._code("change_delay", job_id, delay_ms)

    async def change_priority(self, job_id: str, priority: int, first: bool) -> int:
        """Returns 0 or MISSING."""
        return await self._code("change_priority", job_id, priority, "1" if first else "0")

    async def update_data(self, job_id: str, data: str) -> int:
        """Returns 0 or MISSING."""
        return await self._code("update_data", job_id, data)

    async def release_deduplication(self, key: str, job_id: str = "") -> bool:
        """Free a deduplication key, only if `job_id` holds it where that is given."""
        return bool(await self._code("release_deduplication", key, job_id))

    async def deduplication_holder(self, key: str) -> str | None:
        """The id of the job that holds a deduplication key."""
        holder = await self.connection.call("GET", self.keys.deduplication(key))
        return None if holder is None else holder.decode("utf-8", "replace")

    async def remove(self, job_id: str, children: bool, prefix: str) -> int:
        """Returns 0, MISSING, LOCKED or SCHEDULED."""
        return await self._code("remove_job", job_id, "1" if children else "0", prefix)

    async def progress(self, job_id: str, progress: str) -> int:
        """Returns 0 or MISSING."""
        return await self._code("update_progress", job_id, progress)

    async def log(self, job_id: str, line: str, keep: int | None) -> int:
        """Add a log line; returns how many there are, or MISSING."""
        return await self._code("add_log", job_id, line, "" if keep is None else keep)

    async def logs(self, job_id: str, start: int, end: int) -> list[str]:
        """Read log lines, the oldest first."""
        lines = await self.connection.call("LRANGE", self.keys.logs(job_id), start, end)
        return [line.decode("utf-8", "replace") for line in lines]

    async def clear_logs(self, job_id: str, keep: int) -> None:
        """Remove log lines but the newest `keep`."""
        await self.connection.call("LTRIM", self.keys.logs(job_id), *((-keep, -1) if keep else (1, 0)))
