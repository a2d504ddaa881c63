"""The rules for jobs that wait: for a worker, for a time, for other jobs."""

from __future__ import annotations

import math

from ..codec import decode_options
from ..errors import InvalidPayload
from ..storage.explaining import NO_MORE
from .explanation import Reason, ReasonKind
from .lines import Subject, counted, span


def waiting(subject: Subject) -> list[Reason]:
    """A job that any worker may take."""
    return [*_queue(subject), *_workers(subject), *_fate(subject), *_place(subject)]


def delayed(subject: Subject) -> list[Reason]:
    """A job that is to wait for a time."""
    found = [_due(subject)]
    found += _staffing(subject)
    if subject.facts.paused:
        found.append(_paused(subject))
    return found + _fate(subject)


def children(subject: Subject) -> list[Reason]:
    """A job that waits for its children."""
    facts = subject.facts
    some = ", ".join(f"{key} ({state})" for key, state in facts.children.items())
    more = "" if len(facts.children) >= facts.pending else ", …"
    line = f"it waits for {counted(facts.pending, 'child', 'children')}: {some}{more}"
    if not facts.pending:
        line = "it waits for children, but none is pending any more: the next child's end lets it go"
    found = [Reason(ReasonKind.CHILDREN, line, count=facts.pending, jobs=tuple(facts.children))]
    failed = tuple(key for key, state in facts.children.items() if state == "failed")
    gone = tuple(key for key, state in facts.children.items() if state == "missing")
    if failed:
        line = f"failed, and their failure leaves the parent waiting: {', '.join(failed)}"
        advice = "retry those children, or let the parent wait for them no longer: job.leave_parent()"
        found.append(Reason(ReasonKind.CHILD_FAILED, line, count=len(failed), jobs=failed, advice=advice))
    if gone:
        line = f"gone without having told their parent, so that it waits for ever: {', '.join(gone)}"
        advice = f"{subject.command('remove', subject.job_id)}, and add it anew"
        found.append(Reason(ReasonKind.CHILD_GONE, line, count=len(gone), jobs=gone, advice=advice))
    return found


def _queue(subject: Subject) -> list[Reason]:
    """What the queue itself forbids."""
    facts = subject.facts
    found = [_paused(subject)] if facts.paused else []
    own = subject.staff.own_limit() if facts.max is None else None
    most = facts.max if facts.max is not None else own
    if (
        facts.started is not None
        and facts.window_ms > 0
        and facts.started >= (NO_MORE if most is None else most)
    ):
        how = "no job may start" if facts.started >= NO_MORE else f"{most:,} jobs have started in its window"
        line = f"the queue is rate limited: {how}, for {span(facts.window_ms)} more"
        found.append(Reason(ReasonKind.RATE_LIMITED, line, subject.later(facts.window_ms), count=most))
    if facts.concurrency is not None and facts.running >= facts.concurrency:
        line = (
            f"{counted(facts.running, 'job runs', 'jobs run')}, and the queue's global concurrency is"
            f" {facts.concurrency:,}"
        )
        found.append(Reason(ReasonKind.CONCURRENCY_REACHED, line, count=facts.running))
    return found


def _paused(subject: Subject) -> Reason:
    line = "the queue is paused: no worker starts its jobs"
    return Reason(ReasonKind.PAUSED, line, advice=subject.command("resume"))


def _staffing(subject: Subject) -> list[Reason]:
    """Whether anybody is there who would take the job."""
    staff, name = subject.staff, subject.text("name") or ""
    if staff.nobody:
        line = "no worker is connected to the queue"
        advice = f"start one: toril worker MODULE:APP --queue {subject.queue}"
        return [Reason(ReasonKind.NO_WORKER, line, advice=advice)]
    if not staff.knows(name):
        known = sorted({each for card in staff.cards for each in card.jobs or ()})
        line = (
            f"no connected worker knows a job named {name!r}; they know {', '.join(known[:10])}"
            f"{', …' if len(known) > 10 else ''}"
        )
        advice = f"start a worker whose application declares {name!r}"
        return [Reason(ReasonKind.UNKNOWN_NAME, line, advice=advice)]
    if staff.paused():
        line = f"{counted(len(staff.cards), 'worker is', 'workers are')} connected, and paused by itself"
        return [Reason(ReasonKind.WORKERS_PAUSED, line, count=len(staff.cards), advice="Worker.resume()")]
    return []


def _workers(subject: Subject) -> list[Reason]:
    if found := _staffing(subject):
        return found
    slots = subject.staff.slots(subject.text("name") or "")
    running = subject.facts.running
    if slots is not None and running >= slots:
        line = f"{counted(running, 'job runs', 'jobs run')} in the workers' {counted(slots, 'slot', 'slots')}"
        advice = "if they are long busy: more workers, or a higher --concurrency"
        return [Reason(ReasonKind.SLOTS_TAKEN, line, count=running, advice=advice)]
    return []


def _place(subject: Subject) -> list[Reason]:
    facts = subject.facts
    if facts.before == 0:
        return [Reason(ReasonKind.NEXT, "it is the next one", count=0)]
    if facts.before is not None:
        line = f"{counted(facts.before, 'job is', 'jobs are')} before it"
        return [Reason(ReasonKind.BEHIND, line, count=facts.before)]
    # It was looked for among the first ones.
    line = f"at least 10,000 of {facts.waiting:,} waiting jobs are before it"
    if facts.waiting < 10_000:
        line = "it waits in a list that an old BullMQ kept for paused queues; a resume brings it back"
        return [Reason(ReasonKind.BEHIND, line, advice=subject.command("resume"))]
    return [Reason(ReasonKind.BEHIND, line, count=10_000, at_least=True)]


def _due(subject: Subject) -> Reason:
    facts = subject.facts
    due_ms = math.floor((facts.score or 0) / 0x1000)
    left = due_ms - facts.now_ms
    attempts, why = subject.number("atm"), subject.text("failedReason")
    begun = subject.number("ats")
    if left <= 0:
        line = f"it has been due for {span(-left)}: a worker moves it when it next looks"
        return Reason(ReasonKind.DUE, line, subject.at(due_ms))
    until = f"until {subject.clock(due_ms)} ({span(left)} more)"
    if attempts and why:
        line = f"attempt {attempts} of {_attempts(subject)} failed ({why}), and the next one waits {until}"
        return Reason(ReasonKind.BACKOFF, line, subject.at(due_ms), advice=_promote(subject))
    if begun > attempts:
        line = f"its last run gave it back, unspent (snoozed, or its worker did not know it), {until}"
        return Reason(ReasonKind.HANDED_BACK, line, subject.at(due_ms), advice=_promote(subject))
    scheduler = subject.text("rjk")
    if scheduler is not None:
        line = f"it is the next job of scheduler {scheduler}, and waits {until}"
        advice = subject.command("schedulers", "--run-now", scheduler)
        return Reason(ReasonKind.SCHEDULED, line, subject.at(due_ms), advice=advice)
    line = f"it is delayed {until}; a worker of the queue moves it then"
    return Reason(ReasonKind.DELAYED, line, subject.at(due_ms), advice=_promote(subject))


def _promote(subject: Subject) -> str:
    return f"to run it now: {subject.command('promote', subject.job_id)}"


def _attempts(subject: Subject) -> int:
    try:
        return decode_options(subject.facts.job.get(b"opts", b"{}")).attempts
    except InvalidPayload:
        return 1


def _fate(subject: Subject) -> list[Reason]:
    """Why the job will fail instead of being run, when its turn comes."""
    why = subject.text("defa")
    cancel = subject.text("toril:cancel")
    if why is None and cancel is not None:
        why = f"it was cancelled{': ' + cancel if cancel else ''}"
    if why is None and (deadline := _deadline_ms(subject)) is not None and deadline <= subject.facts.now_ms:
        why = f"its deadline was {subject.clock(deadline)}"
    return (
        [] if why is None else [Reason(ReasonKind.WILL_FAIL, f"a worker that takes it will fail it: {why}")]
    )


def _deadline_ms(subject: Subject) -> float | None:
    try:
        limit = decode_options(subject.facts.job.get(b"opts", b"{}")).deadline
    except InvalidPayload:
        return None
    if limit is None:
        return None
    return (
        subject.number("timestamp") + limit * 1000 if isinstance(limit, float) else limit.timestamp() * 1000
    )
