"""A job's parent and children."""

from __future__ import annotations

from ..codec import decode_json
from ..errors import JobNotFound, ParentMissing
from ..family import JobRef
from ..kin import Dependencies
from ..options import whole
from ..storage.flows import NO_PARENT, FamilyStore
from ..storage.jobs import MISSING
from .base import QueueBase


class Family(QueueBase):
    """The verbs on one job's parent and children; `Job` has the same."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        super().__init__(name, url, prefix=prefix)
        self._family = FamilyStore(self._store.connection, self._store.keys, prefix)

    async def get_dependencies(self, job_id: str, *, limit: int = 1000) -> Dependencies:
        """Read a job's children, up to `limit` of each kind.

        Raises:
            InvalidOption: the limit is not from 1 to a million.
            InvalidPayload: a child's result is no JSON.
        """
        found = await self._family.children(job_id, whole(limit, "limit", 1, 1_000_000))
        kinds = ("processed", "pending", "ignored", "failed")
        return Dependencies(
            {
                self._ref(key): decode_json(value, f"result of {key.decode('utf-8', 'replace')}")
                for key, value in found.processed.items()
            },
            frozenset(self._ref(key) for key in found.pending),
            {self._ref(key): value.decode("utf-8", "replace") for key, value in found.ignored.items()},
            tuple(self._ref(key) for key in found.failed),
            dict(zip(kinds, found.counts, strict=True)),
        )

    async def count_pending_children(self, job_id: str) -> int:
        """How many children a job waits for."""
        return await self._family.pending(job_id)

    async def remove_pending_children(self, job_id: str) -> int:
        """Remove the children that a job waits for, and theirs, but running ones; returns how many."""
        return await self._family.remove_pending(job_id)

    async def leave_parent(self, job_id: str) -> bool:
        """Let the job's parent wait for it no longer; returns whether it did.

        Raises:
            JobNotFound: there is no such job.
            ParentMissing: the parent is gone.
        """
        code = await self._family.leave_parent(job_id)
        if code == MISSING:
            raise JobNotFound(f"no job {job_id} in queue {self._name}", job_id)
        if code == NO_PARENT:
            raise ParentMissing(f"the parent of job {job_id} is gone", job_id)
        return code == 0

    def _ref(self, key: bytes) -> JobRef:
        return JobRef.parse(key.decode("utf-8", "replace"), self.prefix)
