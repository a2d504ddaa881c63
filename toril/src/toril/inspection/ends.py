"""The rules for jobs that have ended, or are not there."""

from __future__ import annotations

from .explanation import Reason, ReasonKind
from .lines import Subject, span


def completed(subject: Subject) -> list[Reason]:
    """A job that has completed."""
    worker = subject.text("pb")
    by = "" if worker is None else f", by worker {worker}"
    line = f"it was completed at {subject.since('finishedOn')}{by}"
    return [Reason(ReasonKind.COMPLETED, line, worker=worker, advice="")]


def failed(subject: Subject) -> list[Reason]:
    """A job that has failed for good."""
    why = subject.text("failedReason") or "no reason is kept"
    attempts = f", after attempt {subject.number('atm')}" if subject.number("atm") else ""
    line = f"it failed for good at {subject.since('finishedOn')}{attempts}: {why}"
    return [
        Reason(
            ReasonKind.FAILED,
            line,
            worker=subject.text("pb"),
            advice=subject.command("retry", subject.job_id),
        )
    ]


def absent(subject: Subject) -> list[Reason]:
    """An id without a job: what the event stream still tells of it."""
    for ms, event in subject.facts.events:
        found = _by_event(
            subject, ms, {key.decode(): value.decode("utf-8", "replace") for key, value in event.items()}
        )
        if found is not None:
            return [found]
    return [
        Reason(
            ReasonKind.NO_SUCH_JOB,
            "there is no job of this id, and the queue's newest events do not tell of one",
            advice=f"look for it: toril jobs {subject.queue} --search TEXT",
        )
    ]


def _by_event(subject: Subject, ms: int, event: dict[str, str]) -> Reason | None:
    kind, job_id = event.get("event", ""), subject.job_id
    when = f"{subject.clock(ms)} ({span(subject.facts.now_ms - ms)} ago)"
    if kind == "deduplicated" and event.get("deduplicatedJobId") == job_id:
        other, key = event.get("jobId", ""), event.get("deduplicationId", "")
        if subject.facts.follows:
            line = f"it is to follow job {other}, which holds the deduplication key {key!r}, when that ends"
            return Reason(ReasonKind.FOLLOWS, line, jobs=(other,), advice=subject.command("explain", other))
        line = f"it was taken for job {other} at {when}, by the deduplication key {key!r}"
        return Reason(ReasonKind.DEDUPLICATED, line, jobs=(other,), advice=subject.command("explain", other))
    if kind in {"completed", "failed"}:
        tail = f": {event['failedReason'][:500]}" if event.get("failedReason") else ""
        line = f"it {'was completed' if kind == 'completed' else 'failed'} at {when}, and was not kept{tail}"
        return Reason(ReasonKind.ENDED_AND_REMOVED, line)
    if kind == "removed":
        return Reason(
            ReasonKind.REMOVED, f"it was removed at {when}, when it was {event.get('prev', 'there')}"
        )
    return None
