"""The clocks that run on tickets: opened, moved and judged in the transaction that changes the ticket.

A breach is a fact of timestamps. Whoever looks at a clock after its deadline (a reply, a check, the scan)
records the breach, with the deadline as its moment; a unique key lets only one of them tell people.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.email.kinds import NotificationKind
from insightdesk.sla import deadlines, repository, staging
from insightdesk.sla.attainment import Attainment, attainment
from insightdesk.sla.deadlines import Timing
from insightdesk.sla.models import Metric, SlaBreach, SlaClock, SlaTarget
from insightdesk.sla.policies import create_default_policy, set_target
from insightdesk.tickets import notices
from insightdesk.tickets.models import Ticket

__all__ = [
    "Attainment",
    "attainment",
    "check",
    "clocks_of",
    "create_default_policy",
    "current_version",
    "fulfil",
    "list_breaches",
    "open_clocks",
    "pause",
    "record_breaches",
    "reopen",
    "resume",
    "retarget",
    "set_target",
]


async def list_breaches(session: AsyncSession, organization_id: str, limit: int) -> Sequence[SlaBreach]:
    """The organization's latest breaches."""
    return await repository.breaches(session, organization_id, limit)


async def clocks_of(session: AsyncSession, ticket_ids: Sequence[str]) -> dict[str, list[SlaClock]]:
    """The latest cycle of each clock, by ticket."""
    latest: dict[tuple[str, Metric], SlaClock] = {}
    for clock in await repository.clocks(session, ticket_ids):
        latest[clock.ticket_id, clock.metric] = clock
    found: dict[str, list[SlaClock]] = {ticket_id: [] for ticket_id in ticket_ids}
    for clock in latest.values():
        found[clock.ticket_id].append(clock)
    return found


async def open_clocks(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """Start both clocks of a new ticket."""
    target = await repository.target(session, ticket.organization_id, ticket.team_id, ticket.priority)
    if target is None:
        return
    clocks = [
        _new_clock(ticket, target, metric, seconds, now, cycle=1)
        for metric in Metric
        if (seconds := _seconds(target, metric)) is not None
    ]
    session.add_all(clocks)
    await session.flush()
    await staging.stage_checks(session, clocks, now)


async def reopen(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """Start another cycle of the resolution clock: the ticket was done and is not."""
    target = await repository.target(session, ticket.organization_id, ticket.team_id, ticket.priority)
    seconds = _seconds(target, Metric.RESOLUTION) if target else None
    if target is None or seconds is None:
        return
    last = await repository.lock_clock(session, ticket.id, Metric.RESOLUTION)
    cycle = last.cycle + 1 if last else 1
    clock = _new_clock(ticket, target, Metric.RESOLUTION, seconds, now, cycle=cycle)
    session.add(clock)
    await session.flush()
    await staging.stage_checks(session, [clock], now)


async def pause(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The ticket waits on the customer."""
    clocks = await _judged(session, ticket.id, now)
    for clock in clocks:
        _apply(clock, deadlines.pause(_timing(clock), now))


async def resume(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The customer answered."""
    clocks = await _judged(session, ticket.id, now)
    for clock in clocks:
        _apply(clock, deadlines.resume(_timing(clock), now))
    await staging.stage_checks(session, clocks, now)


async def retarget(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The ticket's priority or team changed, and with it what is promised."""
    target = await repository.target(session, ticket.organization_id, ticket.team_id, ticket.priority)
    if target is None:
        return
    clocks = [clock for clock in await _judged(session, ticket.id, now) if clock.breached_at is None]
    for clock in clocks:
        clock.team_id = ticket.team_id
        seconds = _seconds(target, clock.metric)
        if seconds is not None:
            clock.policy_id = target.policy_id
            _apply(clock, deadlines.retarget(_timing(clock), seconds))
    await staging.stage_checks(session, clocks, now)


async def fulfil(session: AsyncSession, ticket: Ticket, metrics: Sequence[Metric], now: datetime) -> None:
    """Promises are kept, perhaps too late."""
    for clock in await _judged(session, ticket.id, now):
        if clock.metric in metrics:
            clock.fulfilled_at = now


async def check(session: AsyncSession, ticket_id: str, metric: Metric, now: datetime) -> float | None:
    """Judge one clock.

    Returns:
        Seconds until its deadline if that is still to come, else None.
    """
    clock = await repository.lock_clock(session, ticket_id, metric)
    if clock is None or clock.breached_at or clock.fulfilled_at or clock.paused_since:
        return None
    if clock.due_at < now:
        await record_breaches(session, [clock])
        return None
    # On the dot is in time, so look again just after it.
    return max((clock.due_at - now).total_seconds(), 0.0) + 0.002


async def current_version(session: AsyncSession, ticket_id: str, metric: Metric) -> tuple[str, int] | None:
    """The id and version of the clock that a check of this metric is about."""
    clock = await repository.lock_clock(session, ticket_id, metric)
    return (clock.id, clock.version) if clock else None


async def record_breaches(session: AsyncSession, late: Sequence[SlaClock]) -> int:
    """Record the breach of locked clocks whose deadline has passed, and tell assignees and administrators.

    Returns:
        How many had not been recorded before.
    """
    if not late:
        return 0
    for clock in late:
        clock.breached_at = clock.due_at
    await session.flush()
    new = await repository.insert_breaches(session, late)
    fresh = [clock for clock in late if clock.id in new]
    assignees = await repository.assignees(session, {clock.ticket_id for clock in fresh})
    admins = await accounts.admin_ids(session, {clock.organization_id for clock in fresh})
    await notices.stage(
        session,
        [
            notices.Notice(
                ticket_id=clock.ticket_id,
                action="sla_breach",
                kind=NotificationKind.SLA_BREACH,
                actor_id=None,
                recipients=admins.get(clock.organization_id, set())
                | ({assignee} if (assignee := assignees.get(clock.ticket_id)) else set()),
            )
            for clock in fresh
        ],
    )
    return len(fresh)


async def _judged(session: AsyncSession, ticket_id: str, now: datetime) -> Sequence[SlaClock]:
    """The ticket's unfulfilled clocks, locked; deadlines that passed unseen are recorded first, since the
    change that follows would wipe out the evidence."""
    clocks = await repository.lock_unfulfilled(session, ticket_id)
    late = [clock for clock in clocks if not clock.breached_at and deadlines.is_late(_timing(clock), now)]
    await record_breaches(session, late)
    return clocks


def _new_clock(
    ticket: Ticket, target: SlaTarget, metric: Metric, seconds: float, now: datetime, *, cycle: int
) -> SlaClock:
    timing = deadlines.start(now, seconds)
    return SlaClock(
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        policy_id=target.policy_id,
        team_id=ticket.team_id,
        metric=metric,
        cycle=cycle,
        target_seconds=seconds,
        started_at=timing.started_at,
        due_at=timing.due_at,
        version=1,
        staged_version=0,
    )


def _seconds(target: SlaTarget, metric: Metric) -> float | None:
    minutes = target.first_response_minutes if metric is Metric.FIRST_RESPONSE else target.resolution_minutes
    return None if minutes is None else minutes * 60


def _timing(clock: SlaClock) -> Timing:
    return Timing(
        clock.started_at, clock.due_at, clock.target_seconds, clock.paused_since, clock.remaining_seconds
    )


def _apply(clock: SlaClock, timing: Timing) -> None:
    """Write ``timing`` back; a check that was staged for what the clock said before is now stale."""
    if timing == _timing(clock):
        return
    clock.due_at = timing.due_at
    clock.target_seconds = timing.target_seconds
    clock.paused_since = timing.paused_since
    clock.remaining_seconds = timing.remaining_seconds
    clock.version += 1
