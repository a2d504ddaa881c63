"""Judges what was read of a job: a pure function of the facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..job import JobState
from ..storage.explaining import Facts
from .ends import absent, completed, failed
from .explanation import Explanation, Reason, ReasonKind
from .holding import active
from .lines import Subject
from .staff import Staff
from .waits import children, delayed, waiting

_RULES = {
    JobState.ACTIVE: active,
    JobState.WAITING: waiting,
    JobState.PRIORITIZED: waiting,
    JobState.DELAYED: delayed,
    JobState.WAITING_CHILDREN: children,
    JobState.COMPLETED: completed,
    JobState.FAILED: failed,
}


def judge(queue: str, job_id: str, facts: Facts, connected: Sequence[str | None] | None) -> Explanation:
    """Say why a job runs or does not run.

    Args:
        queue, job_id: Which job.
        facts: What the server says of it.
        connected: The names of the connected workers, None for one without a name; None where the server
            does not tell of them.
    """
    subject = Subject(queue, job_id, facts, Staff.of(facts, connected))
    if facts.state == "missing":
        state, name, reasons = None, None, absent(subject)
    else:
        state, name = JobState(facts.state), subject.text("name")
        rule = _RULES.get(state, _nowhere)
        reasons = rule(subject)
    at = datetime.fromtimestamp(facts.now_ms / 1000, UTC)
    return Explanation(queue, job_id, name, state, at, tuple(reasons))


def _nowhere(subject: Subject) -> list[Reason]:
    return [
        Reason(
            ReasonKind.NOWHERE,
            "its hash is there, but it is in none of the queue's states: no worker will find it",
            advice=subject.command("remove", subject.job_id),
        )
    ]
