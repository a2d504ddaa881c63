"""The clocks that run on tickets: opened, moved and judged in the transaction that changes the ticket.

A breach is a fact of timestamps. Whoever looks at a clock after its deadline (a reply, a check, the scan)
records the breach, with the deadline as its moment; a unique key lets only one of them tell people.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.sla import deadlines, movement, opening, repository, rules, watch
from insightdesk.sla.attainment import Attainment, attainment
from insightdesk.sla.changes import recover
from insightdesk.sla.models import Metric, SlaBreach, SlaClock
from insightdesk.sla.policies import create_default_policy, set_target
from insightdesk.sla.rules import Promise
from insightdesk.sla.staging import HORIZON
from insightdesk.tickets.models import Ticket

__all__ = [
    "Attainment",
    "attainment",
    "check",
    "clocks_of",
    "create_default_policy",
    "customer_wrote",
    "fulfil",
    "list_breaches",
    "open_clocks",
    "pause",
    "recover",
    "reopen",
    "resume",
    "retarget",
    "set_target",
    "staff_answered",
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
    """Start the clocks of a new ticket."""
    holding = await rules.load(session, [ticket])
    promise = holding.promise(ticket)
    if promise is not None:
        opened = _start(session, ticket, promise, {Metric.FIRST_RESPONSE: 1, Metric.RESOLUTION: 1}, now)
        await watch.settle(session, opened, holding, now)


async def reopen(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """Start another cycle of the resolution clock: the ticket was done and is not."""
    await _start_cycle(session, ticket, Metric.RESOLUTION, now)


async def customer_wrote(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """Start the clock of the next response, unless the customer waits for one already."""
    waiting = await repository.lock_unfulfilled(session, ticket.id)
    if all(clock.metric is Metric.RESOLUTION for clock in waiting):
        await _start_cycle(session, ticket, Metric.NEXT_RESPONSE, now)


async def staff_answered(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The customer has been answered, perhaps too late."""
    await fulfil(session, ticket, (Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE), now)


async def fulfil(session: AsyncSession, ticket: Ticket, metrics: Collection[Metric], now: datetime) -> None:
    """Promises are kept, perhaps too late."""
    clocks = await _judged(session, ticket, now)
    for clock in clocks:
        if clock.metric in metrics:
            clock.fulfilled_at = now
    await watch.settle(session, clocks, await rules.load(session, [ticket]), now)


async def pause(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The ticket waits on the customer."""
    await _move(session, ticket, now, paused=True)


async def resume(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The customer answered."""
    await _move(session, ticket, now, paused=False)


async def retarget(session: AsyncSession, ticket: Ticket, now: datetime) -> None:
    """The ticket's priority or team changed, and with it what is promised, as if it had been from the start.

    A deadline that has passed stands. A metric that is promised only now gets its clock.
    """
    holding = await rules.load(session, [ticket])
    clocks = await _judged(session, ticket, now)
    kept = []
    promise = holding.promise(ticket)
    promised = promise.seconds if promise else {}
    for clock in clocks:
        if promise is not None and clock.metric in promised and movement.is_open(clock):
            movement.retime(clock, ticket, promise)
        if clock.metric in promised or not movement.is_open(clock):
            kept.append(clock)
    await repository.drop(session, [clock for clock in clocks if clock not in kept])
    kept += await opening.open_missing(session, {ticket.id: ticket}, holding, now)
    await watch.settle(session, kept, holding, now)


async def check(
    session: AsyncSession, ticket_id: str, metric: Metric, now: datetime, *, until_deadline: bool = False
) -> datetime | None:
    """Look at one clock, and do what is to be done by now.

    Args:
        until_deadline: the caller waits for the deadline, not for whatever comes first.

    Returns:
        The moment for which the caller has to wait; None when there is nothing more for him to do.
    """
    tickets = await repository.lock_tickets(session, [ticket_id], skip_locked=False)
    clock = await repository.latest_clock(session, ticket_id, metric) if tickets else None
    if clock is None or clock.fulfilled_at is not None:
        return None
    looked = await watch.look(session, tickets, [clock], now)
    if clock.next_at is None or clock not in session:
        return None
    if until_deadline:
        return clock.due_at if clock.breached_at is None else None
    # Having acted, it has staged what comes next; beyond the horizon, the scan does.
    return None if looked.acted or clock.next_at - now > HORIZON else clock.next_at


async def _move(session: AsyncSession, ticket: Ticket, now: datetime, *, paused: bool) -> None:
    holding = await rules.load(session, [ticket])
    promise = holding.promise(ticket)
    clocks = await _judged(session, ticket, now)
    step = deadlines.pause if paused else deadlines.resume
    for clock in clocks:
        run = step(movement.run_of(clock), now)
        if promise is not None and clock.metric in promise.seconds and movement.is_open(clock):
            movement.retime(clock, ticket, promise, run)
        else:  # broken, or promised no more: only the time stops
            movement.stand(clock, run)
    await watch.settle(session, clocks, holding, now)


async def _start_cycle(session: AsyncSession, ticket: Ticket, metric: Metric, now: datetime) -> None:
    holding = await rules.load(session, [ticket])
    promise = holding.promise(ticket)
    if promise is None:
        return
    last = await repository.latest_clock(session, ticket.id, metric)
    opened = _start(session, ticket, promise, {metric: last.cycle + 1 if last else 1}, now)
    await watch.settle(session, opened, holding, now)


def _start(
    session: AsyncSession, ticket: Ticket, promise: Promise, cycles: dict[Metric, int], now: datetime
) -> list[SlaClock]:
    clocks = [
        movement.start(ticket, metric, promise, now, cycle)
        for metric, cycle in cycles.items()
        if metric in promise.seconds
    ]
    session.add_all(clocks)
    return clocks


async def _judged(session: AsyncSession, ticket: Ticket, now: datetime) -> Sequence[SlaClock]:
    """The ticket's unfulfilled clocks, locked; deadlines that passed unseen are recorded first, since the
    change that follows would wipe out the evidence."""
    clocks = await repository.lock_unfulfilled(session, ticket.id)
    late = [clock for clock in clocks if movement.is_late(clock, now)]
    await watch.record_breaches(session, {ticket.id: ticket}, late)
    return clocks
