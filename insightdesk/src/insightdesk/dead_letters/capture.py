"""From a failed job, or what its event tells of it, to the values of a dead letter. Touches no database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import toril
from insightdesk.dead_letters import fingerprints
from insightdesk.dead_letters.replaying import packed, replayed_letter
from insightdesk.jobs import declared_fields
from insightdesk.kit.redaction import is_storable, mask, private_texts, redact

__all__ = ["Failure", "from_event", "from_job", "readable_or"]

T = TypeVar("T")
D = TypeVar("D")

PAYLOAD_LIMIT = 256 * 1024
"""Characters of a payload as JSON that are kept; a job with a larger one cannot be replayed from here."""

_ERROR_LIMIT = 4000
_TRACE_LIMIT = 16_000
_LARGEST = 2**31 - 1  # that an integer column holds


@dataclass(frozen=True)
class Failure:
    """One job that failed for good, once.

    Attributes:
        data: its payload; None if that is gone or cannot be read.
        options: its options as `packed`.
        trace: the last stack trace; empty if there is none.
    """

    queue: str
    job_id: str
    name: str
    failed_at: datetime
    error: str
    trace: str = ""
    data: toril.Json = None
    readable: bool = False
    options: dict[str, Any] | None = None
    attempts: int = 0
    stalls: int = 0

    def values(self) -> dict[str, Any]:
        """The columns of the letter, redacted, all but its id and organization."""
        declared = declared_fields(self.queue, self.name)
        private = private_texts(self.data, declared)
        kind = fingerprints.error_class(self.trace)
        return {
            "queue": mask(self.queue),
            "job_id": self.job_id.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            "name": mask(self.name[:200]),
            "data": redact(self.data, declared),
            "payload": self._payload(),
            "options": self.options or {},
            "error_class": kind[:200],
            "error": mask(self.error[:_ERROR_LIMIT], private),
            "trace": mask(self.trace[-_TRACE_LIMIT:], private),
            "fingerprint": fingerprints.fingerprint(self.queue, self.name, kind, self.error),
            "attempts": _counted(self.attempts),
            "stalls": _counted(self.stalls),
            "failed_at": self.failed_at,
            "replay_of": replayed_letter(self.job_id),
        }

    def _payload(self) -> str | None:
        if not self.readable:
            return None
        try:
            text = json.dumps(self.data, ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError):
            return None  # no queue would take it either
        return text if len(text) <= PAYLOAD_LIMIT and is_storable(text) else None


def from_job(job: toril.Job) -> Failure | None:
    """The failure that a job of the failed set tells of; None if it is not a failed one any more."""
    failed_at = readable_or(lambda: job.finished_on, None)
    if failed_at is None or job.failed_reason is None:
        return None
    return _failure(job, failed_at, job.failed_reason)


def from_event(queue: str, event: toril.events.Failed, job: toril.Job | None) -> Failure:
    """The failure that an event tells of.

    Args:
        queue: the queue's name.
        event: what happened.
        job: the job as it is now: gone, if failed jobs are not kept; perhaps it has been run again.
    """
    at = datetime.fromtimestamp(int(event.cursor.partition("-")[0]) / 1000, UTC)
    if job is None:
        return Failure(queue, event.job_id, "", at, event.failed_reason)
    # The job's own moment is the one that the failed set tells too, so that both are one letter.
    found = from_job(job)
    if found is not None and found.error == event.failed_reason:
        return found
    return _failure(job, at, event.failed_reason)


def _failure(job: toril.Job, failed_at: datetime, error: str) -> Failure:
    traces = readable_or(lambda: job.stacktrace, None)
    try:
        data, readable = job.data, True
    except toril.InvalidPayload:
        data, readable = None, False
    return Failure(
        queue=job.queue,
        job_id=job.id,
        name=job.name,
        failed_at=failed_at,
        error=error,
        trace=traces[-1] if traces else "",
        data=data,
        readable=readable,
        options=readable_or(lambda: packed(job.options), None),
        attempts=readable_or(lambda: job.attempts_made, 0),
        stalls=readable_or(lambda: job.stalled_count, 0),
    )


def _counted(number: int) -> int:
    return max(0, min(number, _LARGEST))


def readable_or(read: Callable[[], T], default: D) -> T | D:
    """A field of a job, which another client may have written wrongly: no JSON, no number, no moment."""
    try:
        return read()
    except (ValueError, OverflowError, OSError, RecursionError):
        return default
