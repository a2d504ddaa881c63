"""Failed jobs gathered by kind: the newest ones, a bounded number."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ..errors import InvalidPayload
from ..job import JobState
from ..queue import Queue
from ..record import Job
from .fingerprint import Kind, kind_of
from .scan import pages

LOOKED = 5000
"""How many failed jobs are gathered at the most."""
SECONDS = 0.1
"""How long failed jobs are looked at."""
_FIELDS = ("name", "failedReason", "stacktrace", "finishedOn")


@dataclass(slots=True)
class Group:
    """Failed jobs of one kind.

    Attributes:
        kind: What they have in common.
        reason: The error's text of the newest one.
        ids: Their ids, the newest first.
        first, last: When the oldest and the newest of them failed, UTC.
    """

    kind: Kind
    reason: str
    ids: list[str]
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed jobs by kind.

    Attributes:
        groups: The largest first.
        looked: How many failed jobs were looked at, the newest.
        total: How many there are.
    """

    groups: Sequence[Group]
    looked: int
    total: int


async def gather_failures(queue: Queue, seconds: float = SECONDS) -> Failures:
    """Gather the newest failed jobs of a queue by kind, as many as that time allows; 5,000 at the most."""
    ends = time.monotonic() + seconds
    total = (await queue.get_job_counts())["failed"]
    groups: dict[str, Group] = {}
    looked = 0
    async for seen, jobs in pages(queue, JobState.FAILED, 0, ascending=False, fields=_FIELDS):
        looked += seen
        for job in jobs:
            _gather(groups, job)
        if not seen or looked >= LOOKED or time.monotonic() > ends:
            break
    return Failures(sorted(groups.values(), key=lambda group: -len(group.ids)), looked, max(total, looked))


def _gather(groups: dict[str, Group], job: Job) -> None:
    reason = job.failed_reason or ""
    kind = kind_of(job.name, reason, last_trace(job.fields.get(b"stacktrace", b"")))
    try:
        ended = job.finished_on
    except InvalidPayload:
        ended = None
    group = groups.get(kind.fingerprint)
    if group is None:
        groups[kind.fingerprint] = Group(kind, reason, [job.id], ended, ended)
        return
    group.ids.append(job.id)
    group.first = ended if group.first is None else min(group.first, ended or group.first)
    group.last = ended if group.last is None else max(group.last, ended or group.last)


def last_trace(raw: bytes) -> str:
    """The newest of a job's stack traces; `raw` is a JSON list of them whose beginning may be missing."""
    text = raw.decode("utf-8", "replace")
    if not text.startswith("["):
        # It begins in the middle of a text, perhaps of an escape in it.
        between = text.rfind('","')
        text = "[" + text[between + 2 :] if between >= 0 else '["' + text.partition("\\n")[2]
    try:
        traces = msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        return ""
    return traces[-1] if traces else ""
