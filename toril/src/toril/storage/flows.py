"""Typed calls before the scripts of parents and children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..codec import FlowArguments
from . import scripts
from .connection import Connection
from .jobs import Added, pair
from .keys import Keys

NO_PARENT = -5
OTHER_PARENT = -7
"""Return codes of the scripts, as their headers have them."""


class Refused(Exception):
    """A flow was refused: a code above, and which of its jobs is the reason. Told as a JobError."""

    def __init__(self, code: int, place: int) -> None:
        super().__init__(code, place)
        self.code = code
        self.place = place


class Children(NamedTuple):
    """A job's children by what has become of them, with their keys, and how many there are of each."""

    processed: dict[bytes, bytes]
    pending: list[bytes]
    ignored: dict[bytes, bytes]
    failed: list[bytes]
    counts: list[int]


async def add_flow(
    connection: Connection, keys: Keys, jobs: Sequence[FlowArguments]
) -> tuple[list[Added], int]:
    """Add jobs that depend on each other, all or none; returns what became of each, and the time in ms.

    Raises:
        Refused: a parent is missing, or a job is another parent's child.
    """
    blob = msgspec.msgpack.encode(jobs)
    replicas = connection.address.replicas
    reply = await scripts.run(connection, "add_flow", keys.all, keys.base, blob, replicas=replicas)
    if isinstance(reply[0], int):
        raise Refused(reply[0], reply[1] - 1)
    return [Added(reply[i].decode(), reply[i + 1]) for i in range(0, len(reply) - 1, 2)], reply[-1]


class FamilyStore:
    """The scripts of one queue that look at a job's parent and children."""

    def __init__(self, connection: Connection, keys: Keys, prefix: str) -> None:
        self._connection = connection
        self._keys = keys
        self._prefix = prefix

    async def children(self, job_id: str, limit: int) -> Children:
        """Read up to `limit` children of each kind."""
        found = await scripts.run(
            self._connection, "read_dependencies", self._keys.all, self._keys.base, job_id, limit
        )
        return Children(pair(found[0]), found[1], pair(found[2]), found[3], found[4])

    async def pending(self, job_id: str) -> int:
        """How many children the job waits for."""
        count = await self._connection.call("SCARD", self._keys.dependencies(job_id))
        assert isinstance(count, int)
        return count

    async def remove_pending(self, job_id: str) -> int:
        """Remove the children that the job waits for, but running ones; returns how many jobs went."""
        removed = await scripts.run(
            self._connection,
            "remove_pending_children",
            self._keys.all,
            self._keys.base,
            job_id,
            self._prefix,
        )
        assert isinstance(removed, int)
        return removed

    async def leave_parent(self, job_id: str) -> int:
        """Let the job's parent wait for it no longer; returns 0, 1 none waits, MISSING or NO_PARENT."""
        code = await scripts.run(self._connection, "leave_parent", self._keys.all, self._keys.base, job_id)
        assert isinstance(code, int)
        return code
