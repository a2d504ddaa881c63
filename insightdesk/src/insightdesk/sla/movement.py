"""How a clock's row moves: what follows from its run, and when somebody must look at it next.

No statement is made here; rows are read and written as plain objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm.attributes import flag_modified

from insightdesk.sla import deadlines
from insightdesk.sla.deadlines import Run
from insightdesk.sla.models import Metric, SlaClock, SlaEscalationStep
from insightdesk.sla.rules import Promise
from insightdesk.tickets.models import Ticket

_MOVING = (
    "policy_id", "team_id", "target_seconds", "pauses", "warn_at", "due_at", "paused_since",
    "remaining_seconds", "warned_at", "fulfilled_at", "breached_at", "escalated_minutes", "next_at",
    "version",
)  # fmt: skip


def start(ticket: Ticket, metric: Metric, promise: Promise, now: datetime, cycle: int) -> SlaClock:
    """A clock that starts now."""
    clock = SlaClock(
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        metric=metric,
        cycle=cycle,
        started_at=now,
        pauses=[],
        version=0,
        staged_version=0,
    )
    retime(clock, ticket, promise)
    return clock


def run_of(clock: SlaClock) -> Run:
    """What happened to the clock."""
    return Run(
        clock.started_at,
        tuple(
            (datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None)
            for since, until in clock.pauses
            if since is not None
        ),
    )


def retime(clock: SlaClock, ticket: Ticket, promise: Promise, run: Run | None = None) -> None:
    """Let the clock follow what is promised now, and what happened (``run``, where that is new)."""
    if run is None:
        run = run_of(clock)
    stand(clock, run)
    seconds = promise.seconds[clock.metric]
    timing = deadlines.timing(run, promise.work, seconds)
    clock.policy_id, clock.team_id, clock.target_seconds = promise.policy_id, ticket.team_id, seconds
    clock.warn_at, clock.due_at = timing.warn_at, timing.due_at
    clock.remaining_seconds = timing.remaining_seconds


def stand(clock: SlaClock, run: Run) -> None:
    """Note what happened to the clock, and nothing of what follows."""
    clock.pauses = [[since.isoformat(), until.isoformat() if until else None] for since, until in run.pauses]
    clock.paused_since = run.paused_since


def is_open(clock: SlaClock) -> bool:
    """Whether the promise can still be kept: neither kept nor broken."""
    return clock.fulfilled_at is None and clock.breached_at is None


def is_late(clock: SlaClock, now: datetime) -> bool:
    """Whether an open clock's deadline has passed; on the dot is in time."""
    if not is_open(clock):
        return False
    if clock.remaining_seconds is not None:
        return clock.remaining_seconds < 0
    return now > clock.due_at


def is_to_warn(clock: SlaClock, now: datetime) -> bool:
    """Whether most of the time is used and nobody has been told."""
    return (
        is_open(clock)
        and clock.paused_since is None
        and clock.warned_at is None
        and clock.warn_at <= now <= clock.due_at
    )


def steps_due(clock: SlaClock, steps: Sequence[SlaEscalationStep], now: datetime) -> list[SlaEscalationStep]:
    """The escalation steps whose time has come and that have not been taken."""
    if clock.breached_at is None or clock.fulfilled_at is not None or clock.paused_since is not None:
        return []
    minutes = (now - clock.breached_at) / timedelta(minutes=1)
    return [step for step in _steps_left(clock, steps) if step.after_minutes <= minutes]


def settle(clock: SlaClock, steps: Sequence[SlaEscalationStep]) -> None:
    """Set when somebody must look next; an earlier check is stale if that has changed."""
    upcoming = _next_look(clock, steps)
    if upcoming != clock.next_at:
        clock.next_at = upcoming
        clock.version += 1
    if clock.id is not None:
        # The same columns of every row: then all rows of a batch are written by one statement.
        for name in _MOVING:
            flag_modified(clock, name)


def _next_look(clock: SlaClock, steps: Sequence[SlaEscalationStep]) -> datetime | None:
    if clock.fulfilled_at is not None or clock.paused_since is not None:
        return None
    if clock.breached_at is not None:
        left = _steps_left(clock, steps)
        return clock.breached_at + timedelta(minutes=left[0].after_minutes) if left else None
    return clock.warn_at if clock.warned_at is None else clock.due_at


def _steps_left(clock: SlaClock, steps: Sequence[SlaEscalationStep]) -> list[SlaEscalationStep]:
    taken = clock.escalated_minutes
    return [step for step in steps if taken is None or step.after_minutes > taken]
