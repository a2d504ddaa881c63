"""The rules for jobs that a worker has taken."""

from __future__ import annotations

from .explanation import Reason, ReasonKind
from .lines import Subject, span


def active(subject: Subject) -> list[Reason]:
    """A job that a worker runs, or ran until it died."""
    found = [_stalled(subject) if subject.facts.token is None else _held(subject)]
    reason = subject.text("toril:cancel")
    if reason is not None:
        line = "it was cancelled, and its worker has been told" + (f": {reason}" if reason else "")
        found.append(Reason(ReasonKind.CANCEL_ASKED, line))
    if subject.facts.followed:
        line = f"a newer add of its deduplication key {subject.text('deid')!r} follows when it ends"
        found.append(Reason(ReasonKind.FOLLOWED, line))
    return found


def _held(subject: Subject) -> Reason:
    facts, worker = subject.facts, subject.text("pb")
    by = "" if worker is None else f" by worker {worker}"
    where = "" if facts.holder is None else f" (process {facts.holder.process} on {facts.holder.host})"
    since = subject.since("processedOn")
    dead_at = facts.holder_dead_at
    if dead_at is not None and dead_at <= facts.now_ms:
        line = (
            f"it is held{by}{where}, which has not told for {span(facts.now_ms - dead_at)} too long that it"
            " lives: another toril worker gives the job back at its next sign of life"
        )
        return Reason(
            ReasonKind.WORKER_SILENT,
            line,
            worker=worker,
            advice=_start(subject) if subject.staff.nobody else "",
        )
    if dead_at is None and worker is not None and subject.staff.is_away(worker):
        line = (
            f"it is held{by} since {since}, which is not connected: if that has died, its lock runs out in"
            f" {span(facts.lock_ms)}, and the stalled check gives the job back then"
        )
        until = subject.later(facts.lock_ms)
        return Reason(
            ReasonKind.WORKER_GONE,
            line,
            until,
            worker=worker,
            advice=_start(subject) if subject.staff.nobody else "",
        )
    attempt = f", attempt {subject.number('atm') + 1}" if subject.number("atm") else ""
    line = f"it is being run{by}{where} since {since}{attempt}"
    return Reason(ReasonKind.RUNNING, line, worker=worker)


def _stalled(subject: Subject) -> Reason:
    facts = subject.facts
    wait = max(0, facts.check_ms)
    if subject.staff.nobody:
        when, until = "no worker is connected to look for such jobs", None
    elif facts.marked:
        when, until = f"the stalled check gives it back in {span(wait)}", subject.later(wait)
    else:
        when, until = (
            f"the stalled check marks it in {span(wait)}, and the one after that gives it back",
            None,
        )
    line = f"its worker has lost it: it has no lock, and {when}"
    return Reason(
        ReasonKind.STALLED,
        line,
        until,
        worker=subject.text("pb"),
        advice=_start(subject) if subject.staff.nobody else "",
    )


def _start(subject: Subject) -> str:
    return f"start a worker: toril worker MODULE:APP --queue {subject.queue}"
