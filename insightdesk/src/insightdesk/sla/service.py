"""The clocks that run on tickets: opened, moved and judged in the transaction that changes the ticket.

A breach is a fact of timestamps. Whoever looks at a clock after its deadline (a reply, a check, the scan)
records the breach, with the deadline as its moment; a unique key lets only one of them tell people.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.email.kinds import NotificationKind
from insightdesk.sla import deadlines, repository, staging
from insightdesk.sla.deadlines import Timing
from insightdesk.sla.models import Metric, SlaBreach, SlaClock, SlaPolicy
from insightdesk.tickets import notices
from insightdesk.tickets.models import Priority, Ticket

DEFAULT_POLICIES: dict[Priority, tuple[float, float]] = {
    Priority.LOW: (24 * 60, 7 * 24 * 60),
    Priority.NORMAL: (8 * 60, 3 * 24 * 60),
    Priority.HIGH: (4 * 60, 24 * 60),
    Priority.URGENT: (60, 8 * 60),
}
"""Minutes to first response and to resolution, for an organization that has set nothing."""


async def create_default_policies(session: AsyncSession, organization_id: str) -> None:
    """Give a new organization something to promise."""
    for priority, (first_response, resolution) in DEFAULT_POLICIES.items():
        await repository.put_policy(session, organization_id, priority, first_response, resolution)


async def set_policy(
    session: AsyncSession,
    organization_id: str,
    priority: Priority,
    *,
    first_response_minutes: float,
    resolution_minutes: float,
) -> None:
    """Promise this for tickets of a priority from now on; running clocks keep what was promised."""
    await repository.put_policy(
        session, organization_id, priority, first_response_minutes, resolution_minutes
    )


async def list_policies(session: AsyncSession, organization_id: str) -> Sequence[SlaPolicy]:
    """What the organization promises."""
    return await repository.policies(session, organization_id)


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
    policy = await repository.policy(session, ticket.organization_id, ticket.priority)
    if policy is None:
        return
    clocks = [_new_clock(ticket, metric, _target(policy, metric), now, cycle=1) for metric in Metric]
    session.add_all(clocks)
    await session.flush()
    await staging.stage_checks(session, clocks, now)


async def reopen(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """Start another cycle of the resolution clock: the ticket was done and is not."""
    policy = await repository.policy(session, ticket.organization_id, ticket.priority)
    if policy is None:
        return
    last = await repository.lock_clock(session, ticket.id, Metric.RESOLUTION)
    cycle = last.cycle + 1 if last else 1
    clock = _new_clock(ticket, Metric.RESOLUTION, _target(policy, Metric.RESOLUTION), now, cycle=cycle)
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
    """The ticket's priority changed, and with it what is promised."""
    policy = await repository.policy(session, ticket.organization_id, ticket.priority)
    if policy is None:
        return
    clocks = [clock for clock in await _judged(session, ticket.id, now) if clock.breached_at is None]
    for clock in clocks:
        _apply(clock, deadlines.retarget(_timing(clock), _target(policy, clock.metric)))
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


def _new_clock(ticket: Ticket, metric: Metric, target: float, now: datetime, *, cycle: int) -> SlaClock:
    timing = deadlines.start(now, target)
    return SlaClock(
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        metric=metric,
        cycle=cycle,
        target_seconds=target,
        started_at=timing.started_at,
        due_at=timing.due_at,
        version=1,
        staged_version=0,
    )


def _target(policy: SlaPolicy, metric: Metric) -> float:
    minutes = policy.first_response_minutes if metric is Metric.FIRST_RESPONSE else policy.resolution_minutes
    return timedelta(minutes=minutes).total_seconds()


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
