"""The names of jobs among all queues, and what a child's failure does to its parent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OnFailure(StrEnum):
    """What a child's failure for good does to its parent. Without one, the parent goes on waiting.

    The values are BullMQ's names of the options on the wire.
    """

    FAIL_PARENT = "fpof"
    """The parent fails too, without running."""
    CONTINUE_PARENT = "cpof"
    """The parent runs at once, though other children are pending; it sees the reason."""
    IGNORE = "idof"
    """The parent waits for the others only; it sees the reason."""
    REMOVE = "rdof"
    """The parent waits for the others only, as if this child had never been."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """Names one job of one queue.

    Attributes:
        queue: The queue's name.
        id: The job's id.
        prefix: What the keys of the queue begin with.
    """

    queue: str
    id: str
    prefix: str = "bull"

    def __str__(self) -> str:
        return f"{self.prefix}:{self.queue}:{self.id}"

    @classmethod
    def parse(cls, key: str, prefix: str) -> JobRef:
        """Read a job's key.

        An id may contain ":", so `prefix` is tried first; of a key that begins otherwise the last
        part is taken for the id, as BullMQ does.
        """
        if key.startswith(f"{prefix}:"):
            queue, _, job_id = key[len(prefix) + 1 :].partition(":")
            return cls(queue, job_id, prefix)
        rest, _, job_id = key.rpartition(":")
        before, _, queue = rest.rpartition(":")
        return cls(queue, job_id, before)
