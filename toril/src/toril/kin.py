"""What a job knows of its parent and its children: a part of `Job`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from .family import JobRef
from .job import Json
from .outcome import WaitForChildren


@dataclass(frozen=True, slots=True)
class Dependencies:
    """A job's children by what has become of them.

    Attributes:
        processed: Results of the completed ones.
        pending: Those that the job waits for.
        ignored: Reasons of those that have failed, by `OnFailure.IGNORE` or `CONTINUE_PARENT`.
        failed: Those whose failure fails the job (`OnFailure.FAIL_PARENT`).
        counts: How many there are of each kind, by these names, read or not.
    """

    processed: Mapping[JobRef, Json]
    pending: frozenset[JobRef]
    ignored: Mapping[JobRef, str]
    failed: tuple[JobRef, ...]
    counts: Mapping[str, int]


class KinActions(Protocol):
    """What the verbs below need of the job's queue."""

    @property
    def name(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    async def get_dependencies(self, job_id: str, *, limit: int = 1000) -> Dependencies: ...
    async def count_pending_children(self, job_id: str) -> int: ...
    async def remove_pending_children(self, job_id: str) -> int: ...
    async def leave_parent(self, job_id: str) -> bool: ...


class Kin:
    """The verbs of `Job` on its parent and children."""

    __slots__ = ("_actions", "_fields", "id")

    _actions: KinActions
    _fields: Mapping[bytes, bytes]
    id: str

    @property
    def ref(self) -> JobRef:
        """This job's name among all queues, for `add(parent=job.ref)`."""
        return JobRef(self._actions.name, self.id, self._actions.prefix)

    @property
    def parent(self) -> JobRef | None:
        """The job that waits for this one; None if there is none, or it cannot be read."""
        raw = self._fields.get(b"parent")
        try:
            found = msgspec.json.decode(raw, type=_Parent) if raw else None
        except msgspec.DecodeError:
            return None
        if found is None:
            return None
        prefix, _, queue = found.queue_key.rpartition(":")
        return JobRef(queue, found.id, prefix)

    async def get_dependencies(self, *, limit: int = 1000) -> Dependencies:
        """Read the job's children, up to `limit` of each kind."""
        return await self._actions.get_dependencies(self.id, limit=limit)

    async def get_children_values(self) -> dict[JobRef, Json]:
        """Read the results of the children that have completed."""
        found = await self._actions.get_dependencies(self.id, limit=1_000_000)
        return dict(found.processed)

    async def get_ignored_failures(self) -> dict[JobRef, str]:
        """Read the reasons of the children that have failed without failing this job."""
        found = await self._actions.get_dependencies(self.id, limit=1_000_000)
        return dict(found.ignored)

    async def wait_for_children(self) -> None:
        """Go on if no child is pending; else leave the handler and run again when none is.

        For handlers that add children (`add(parent=job.ref)`) as they run. The handler runs again
        from its start: keep how far it has come in the job's data.

        Raises:
            WaitForChildren: to be let through; the worker acts on it.
        """
        if await self._actions.count_pending_children(self.id):
            raise WaitForChildren

    async def remove_pending_children(self) -> int:
        """Remove the children that the job waits for, and theirs, but running ones; returns how many."""
        return await self._actions.remove_pending_children(self.id)

    async def leave_parent(self) -> bool:
        """Let the parent wait for this job no longer; returns whether it did. Raises JobNotFound."""
        return await self._actions.leave_parent(self.id)


class _Parent(msgspec.Struct, rename="camel"):
    id: str
    queue_key: str
