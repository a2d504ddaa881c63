"""Jobs as administrators see them: their own organization's, with what is personal taken out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import toril
from insightdesk.database import transaction
from insightdesk.dead_letters.capture import readable_or
from insightdesk.dead_letters.owners import organizations_of
from insightdesk.jobs import app, declared_fields
from insightdesk.kit.errors import NotFound, Unavailable
from insightdesk.kit.redaction import mask, private_texts, redact
from insightdesk.queues import QUEUES, QueueSpec
from insightdesk.tenancy import everyone

__all__ = [
    "PAGE",
    "STATES",
    "JobPage",
    "JobView",
    "QueueView",
    "job_page",
    "job_view",
    "queue_views",
    "spec_of",
]

T = TypeVar("T")

PAGE = 100
"""Jobs of all organizations that one page looks through."""

STATES = ("waiting", "prioritized", "active", "delayed", "completed", "failed")
_RATE_MINUTES = 60
_LINES = 200  # of a job's log
_PATIENCE = 3.0  # seconds to wait for the job server


@dataclass(frozen=True)
class QueueView:
    """A queue in numbers.

    Attributes:
        counts: jobs by state.
        completed, failed: how many ended in each full minute, the newest first.
    """

    spec: QueueSpec
    counts: dict[str, int]
    completed: Sequence[int]
    failed: Sequence[int]

    @property
    def rate(self) -> float:
        """Jobs that completed in a minute, on average over the last five."""
        return sum(self.completed[:5]) / 5

    @property
    def bars(self) -> list[tuple[int, float]]:
        """(place, share of the highest) of each minute, the oldest first, for a small chart."""
        highest = max(self.completed, default=0) or 1
        return [(59 - place, count / highest) for place, count in enumerate(self.completed) if count]


@dataclass(frozen=True)
class JobView:
    """A job, redacted.

    Attributes:
        data: the payload as indented JSON.
        traces: stack traces of its failed runs, the oldest first.
        log: its log lines, the oldest first; the last 200.
        timeline: what happened, and when if that is known.
    """

    queue: str
    id: str
    name: str
    state: str
    data: str
    error: str | None
    attempts: int
    attempts_allowed: int
    stalls: int
    priority: int
    added_at: datetime | None
    traces: Sequence[str]
    log: Sequence[str]
    timeline: Sequence[tuple[datetime | None, str]]


@dataclass(frozen=True)
class JobPage:
    """One page of a queue's jobs of one state.

    Attributes:
        jobs: those of the organization.
        looked_through: how many jobs the page has, of all organizations and of none.
        total: how many jobs are in that state.
    """

    jobs: Sequence[JobView]
    looked_through: int
    total: int


def spec_of(name: str) -> QueueSpec:
    """The queue of this name. Raises NotFound."""
    for spec in QUEUES:
        if spec.name == name:
            return spec
    raise NotFound("there is no such queue")


async def queue_views() -> list[QueueView]:
    """All queues in numbers. Raises Unavailable."""

    async def look(spec: QueueSpec) -> QueueView:
        queue = app.queue(spec.name)
        counts, completed, failed = await asyncio.gather(
            queue.get_job_counts(),
            queue.get_metrics("completed", 0, _RATE_MINUTES - 1),
            queue.get_metrics("failed", 0, _RATE_MINUTES - 1),
        )
        return QueueView(spec, counts, completed.minutes, failed.minutes)

    return await _patient(asyncio.gather(*(look(spec) for spec in QUEUES)))


async def job_page(organization_id: str, queue_name: str, state: str, page: int) -> JobPage:
    """A page of jobs, of which the organization's are shown. Raises NotFound, Unavailable."""
    queue = app.queue(spec_of(queue_name).name)
    if state not in STATES:
        raise NotFound("there is no such state")
    start = (page - 1) * PAGE
    found, counts = await _patient(
        asyncio.gather(queue.get_jobs(state, start, start + PAGE - 1), queue.get_job_counts())
    )
    owners = await _owners(found)
    own = [job for job, owner in zip(found, owners, strict=True) if owner == organization_id]
    return JobPage([_view(job, state) for job in own], len(found), counts[state])


async def job_view(organization_id: str, queue_name: str, job_id: str) -> JobView:
    """One job of the organization with its log. Raises NotFound, Unavailable."""
    queue = app.queue(spec_of(queue_name).name)
    job = await _patient(queue.get_job(job_id)) if job_id.isprintable() else None
    if job is None or (await _owners([job]))[0] != organization_id:
        raise NotFound("there is no such job")
    try:
        state, lines = await _patient(asyncio.gather(job.get_state(), job.get_logs(-_LINES, -1)))
    except toril.JobNotFound:
        raise NotFound("there is no such job") from None
    return _view(job, state.value, lines)


async def _owners(jobs: Sequence[toril.Job]) -> list[str | None]:
    payloads = [_payload(job) for job in jobs]
    with everyone():  # whose a job is can only be said by who sees all
        async with transaction() as session:
            return await organizations_of(session, payloads)


def _payload(job: toril.Job) -> toril.Json:
    return readable_or(lambda: job.data, None)


async def _patient(look: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await look
    except (toril.ConnectionFailed, toril.ServerRefused, TimeoutError):
        raise Unavailable("the job server (Valkey) cannot be reached; try again shortly") from None


def _view(job: toril.Job, state: str, lines: Sequence[str] = ()) -> JobView:
    declared = declared_fields(job.queue, job.name)
    payload = _payload(job)
    private = private_texts(payload, declared)
    traces = readable_or(lambda: job.stacktrace, None) or []
    error = job.failed_reason
    return JobView(
        queue=job.queue,
        id=job.id,
        name=mask(job.name),
        state=state,
        data=json.dumps(redact(payload, declared), indent=2, ensure_ascii=False),
        error=None if error is None else mask(error, private),
        attempts=readable_or(lambda: job.attempts_made, 0),
        attempts_allowed=readable_or(lambda: job.options.attempts, 1),
        stalls=readable_or(lambda: job.stalled_count, 0),
        priority=readable_or(lambda: job.priority, 0),
        added_at=readable_or(lambda: job.timestamp, None),
        traces=[mask(trace, private) for trace in traces],
        log=[mask(line, private) for line in lines],
        timeline=_timeline(job, state, [mask(trace, private) for trace in traces]),
    )


def _timeline(job: toril.Job, state: str, traces: Sequence[str]) -> list[tuple[datetime | None, str]]:
    added = readable_or(lambda: job.timestamp, None)
    delay = readable_or(lambda: job.delay, 0.0)
    told: list[tuple[datetime | None, str]] = [(added, "added")]
    if delay and added is not None and not traces:
        told.append((added + timedelta(seconds=delay), "due"))
    begun = readable_or(lambda: job.processed_on, None)
    ended = readable_or(lambda: job.finished_on, None)
    failures = [
        (None, f"run {number} failed: {(trace.strip().splitlines() or [''])[-1][:200]}")
        for number, trace in enumerate(traces, 1)
    ]
    earlier = failures[:-1] if ended is not None else failures
    told += earlier
    if begun is not None:
        told.append((begun, f"last run began{f' on {job.processed_by}' if job.processed_by else ''}"))
    told += failures[len(earlier) :]
    if ended is not None:
        told.append((ended, state))
    return told
