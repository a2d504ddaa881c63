"""Explanation: why a job runs or does not run, as a value, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ..failure import one_line
from ..job import JobState, Json


class ReasonKind(StrEnum):
    """What a reason is, for programs."""

    RUNNING = "running"
    CANCEL_ASKED = "cancel-asked"
    WORKER_SILENT = "worker-silent"
    WORKER_GONE = "worker-gone"
    STALLED = "stalled"
    FOLLOWED = "followed"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_SUCH_JOB = "no-such-job"
    ENDED_AND_REMOVED = "ended-and-removed"
    REMOVED = "removed"
    DEDUPLICATED = "deduplicated"
    FOLLOWS = "follows"
    PAUSED = "paused"
    RATE_LIMITED = "rate-limited"
    CONCURRENCY_REACHED = "concurrency-reached"
    NO_WORKER = "no-worker"
    WORKERS_PAUSED = "workers-paused"
    UNKNOWN_NAME = "unknown-name"
    SLOTS_TAKEN = "slots-taken"
    BEHIND = "behind"
    NEXT = "next"
    DELAYED = "delayed"
    DUE = "due"
    BACKOFF = "backoff"
    SCHEDULED = "scheduled"
    HANDED_BACK = "handed-back"
    CHILDREN = "children"
    CHILD_FAILED = "child-failed"
    CHILD_GONE = "child-gone"
    WILL_FAIL = "will-fail"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why a job runs or does not run.

    Attributes:
        kind: What it is.
        text: The same in words, one line.
        until: When it ends by itself, where that is known, UTC.
        count: Of what it counts: jobs before this one, children, …; see the text.
        at_least: Whether there may be more than `count`, for it was not counted further.
        jobs: Keys or ids of other jobs that it is about, some of them.
        worker: The name of the worker that it is about.
        advice: What to do about it, if anything.
    """

    kind: ReasonKind
    text: str
    until: datetime | None = None
    count: int | None = None
    at_least: bool = False
    jobs: tuple[str, ...] = ()
    worker: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job runs or does not run, as it was at one instant.

    Attributes:
        queue, job_id: Which job.
        name: The job's name; None if there is no such job.
        state: Where it is; None if there is no such job.
        at: The instant, by the server's clock, UTC.
        reasons: What stands in the way of a job that waits, the strongest first; else what became of it.
    """

    queue: str
    job_id: str
    name: str | None
    state: JobState | None
    at: datetime
    reasons: tuple[Reason, ...]

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do, the most useful first; empty if there is nothing to do but wait."""
        return tuple(dict.fromkeys(reason.advice for reason in self.reasons if reason.advice))

    def has(self, kind: ReasonKind) -> bool:
        """Whether this is one of the reasons."""
        return any(reason.kind is kind for reason in self.reasons)

    def as_dict(self) -> dict[str, Json]:
        """The same as JSON has it: times as ISO 8601, in UTC."""
        return {
            "queue": self.queue,
            "id": self.job_id,
            "name": self.name,
            "state": self.state,
            "at": self.at.isoformat(),
            "reasons": [_as_dict(reason) for reason in self.reasons],
            "advice": list(self.advice),
        }

    def __str__(self) -> str:
        title = f"job {self.job_id} of queue {self.queue}"
        if self.name is not None:
            title = f"job {self.job_id} ({self.name}) of queue {self.queue}"
        ended = self.state in {JobState.COMPLETED, JobState.FAILED}
        where = "is not there" if self.state is None else f"{'has' if ended else 'is'} {self.state}"
        lines = [f"{title} {where}", *(f"  - {reason.text}" for reason in self.reasons)]
        return "\n".join(map(one_line, [*lines, *(f"  > {advice}" for advice in self.advice)]))


def _as_dict(reason: Reason) -> dict[str, Json]:
    found: dict[str, Json] = {"kind": reason.kind, "text": reason.text}
    if reason.until is not None:
        found["until"] = reason.until.isoformat()
    if reason.count is not None:
        found |= {"count": reason.count, "atLeast": reason.at_least}
    if reason.jobs:
        found["jobs"] = list(reason.jobs)
    if reason.worker is not None:
        found["worker"] = reason.worker
    return found
