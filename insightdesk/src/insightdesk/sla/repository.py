"""Queries on clocks, breaches and escalations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from insightdesk.accounts.models import Role, User
from insightdesk.database import new_id
from insightdesk.sla.models import Metric, SlaBreach, SlaClock, SlaEscalation, SlaEscalationStep
from insightdesk.tickets.models import UNSOLVED, Message, Ticket, Visibility


async def clocks(session: AsyncSession, ticket_ids: Collection[str]) -> Sequence[SlaClock]:
    """The clocks of these tickets, oldest cycle first."""
    return (
        await session.scalars(
            select(SlaClock)
            .where(SlaClock.ticket_id.in_(ticket_ids))
            .order_by(SlaClock.ticket_id, SlaClock.metric, SlaClock.cycle)
        )
    ).all()


async def breaches(session: AsyncSession, organization_id: str, limit: int) -> Sequence[SlaBreach]:
    """The organization's latest breaches."""
    return (
        await session.scalars(
            select(SlaBreach)
            .where(SlaBreach.organization_id == organization_id)
            .order_by(SlaBreach.breached_at.desc(), SlaBreach.id.desc())
            .limit(limit)
        )
    ).all()


async def lock_unfulfilled(session: AsyncSession, ticket_id: str) -> Sequence[SlaClock]:
    """The clocks of a ticket that still promise something, locked, as they are now."""
    return (
        await session.scalars(
            select(SlaClock)
            .where(SlaClock.ticket_id == ticket_id, SlaClock.fulfilled_at.is_(None))
            .order_by(SlaClock.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).all()


async def latest_clock(session: AsyncSession, ticket_id: str, metric: Metric) -> SlaClock | None:
    """The latest cycle of a ticket's clock, locked, as it is now."""
    return await session.scalar(
        select(SlaClock)
        .where(SlaClock.ticket_id == ticket_id, SlaClock.metric == metric)
        .order_by(SlaClock.cycle.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def lock_tickets(
    session: AsyncSession, ticket_ids: Collection[str], *, skip_locked: bool
) -> dict[str, Ticket]:
    """Tickets as they are now, locked in one order so that nobody waits in a circle."""
    rows = await session.scalars(
        select(Ticket)
        .where(Ticket.id.in_(ticket_ids))
        .order_by(Ticket.id)
        .with_for_update(key_share=True, skip_locked=skip_locked)
        .execution_options(populate_existing=True)
    )
    return {ticket.id: ticket for ticket in rows}


async def due(
    session: AsyncSession, now: datetime, after: tuple[datetime, str] | None, limit: int
) -> list[tuple[datetime, str, str]]:
    """(moment, clock, ticket) of clocks that somebody should have looked at, the longest overdue first;
    not locked. ``after``: moment and clock of the last one that was had."""
    query = select(SlaClock.next_at, SlaClock.id, SlaClock.ticket_id).where(
        SlaClock.next_at.is_not(None), SlaClock.next_at < now
    )
    if after is not None:
        query = query.where(tuple_(SlaClock.next_at, SlaClock.id) > after)
    rows = await session.execute(query.order_by(SlaClock.next_at, SlaClock.id).limit(limit))
    return [(moment, clock_id, ticket_id) for moment, clock_id, ticket_id in rows if moment is not None]


async def open_ones(
    session: AsyncSession, organization_id: str, after: str, limit: int
) -> list[tuple[str, str]]:
    """(clock, ticket) of the organization's unfulfilled clocks with ids beyond ``after``; not locked."""
    rows = await session.execute(
        select(SlaClock.id, SlaClock.ticket_id)
        .where(
            SlaClock.organization_id == organization_id,
            SlaClock.fulfilled_at.is_(None),
            SlaClock.id > after,
        )
        .order_by(SlaClock.id)
        .limit(limit)
    )
    return [(clock_id, ticket_id) for clock_id, ticket_id in rows]


async def lock_clocks(
    session: AsyncSession, clock_ids: Collection[str], tickets: Collection[str]
) -> Sequence[SlaClock]:
    """Those of the clocks that belong to the tickets and are unfulfilled, as they are now."""
    return (
        await session.scalars(
            select(SlaClock)
            .where(
                SlaClock.id.in_(clock_ids), SlaClock.ticket_id.in_(tickets), SlaClock.fulfilled_at.is_(None)
            )
            .order_by(SlaClock.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).all()


async def lock_open(session: AsyncSession, ticket_ids: Collection[str]) -> Sequence[SlaClock]:
    """The clocks of these tickets that are neither kept nor broken, locked.

    Rows that the session holds already keep what was set on them and is not written yet.
    """
    if not ticket_ids:
        return []
    return (
        await session.scalars(
            select(SlaClock)
            .where(
                SlaClock.ticket_id.in_(ticket_ids),
                SlaClock.fulfilled_at.is_(None),
                SlaClock.breached_at.is_(None),
            )
            .order_by(SlaClock.id)
            .with_for_update()
        )
    ).all()


async def lock_unstaged(session: AsyncSession, until: datetime, limit: int) -> Sequence[SlaClock]:
    """Clocks to be looked at by ``until`` whose check has not been handed to the queue."""
    return (
        await session.scalars(
            select(SlaClock)
            .where(
                SlaClock.next_at.is_not(None),
                SlaClock.next_at <= until,
                SlaClock.staged_version < SlaClock.version,
            )
            .order_by(SlaClock.next_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
    ).all()


async def drop(session: AsyncSession, clocks: Sequence[SlaClock]) -> None:
    """Forget clocks that measure what nobody promises."""
    if not clocks:
        return
    for clock in clocks:
        session.expunge(clock)
    await session.execute(delete(SlaClock).where(SlaClock.id.in_([clock.id for clock in clocks])))


def write_alike(tickets: Sequence[Ticket]) -> None:
    """Write the same columns of each of these tickets, so that one statement writes them all."""
    for ticket in tickets:
        for name in ("assignee_id", "priority", "updated_at"):
            flag_modified(ticket, name)


async def insert_breaches(session: AsyncSession, late: Sequence[SlaClock]) -> set[str]:
    """Record that these clocks' deadlines passed; returns the clocks that were not recorded before."""
    rows = [
        {
            "id": new_id(),
            "organization_id": clock.organization_id,
            "ticket_id": clock.ticket_id,
            "clock_id": clock.id,
            "metric": clock.metric,
            "cycle": clock.cycle,
            "breached_at": clock.breached_at,
        }
        for clock in late
    ]
    statement = (
        insert(SlaBreach)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["ticket_id", "metric", "cycle"])
        .returning(SlaBreach.clock_id)
    )
    return set(await session.scalars(statement))


async def insert_escalations(
    session: AsyncSession, due: Sequence[tuple[SlaClock, SlaEscalationStep]], now: datetime
) -> set[tuple[str, str]]:
    """Note that these steps are taken; returns (clock, step) of those that were not before."""
    ids = {new_id(): (clock, step) for clock, step in due}
    rows = [
        {
            "id": row_id,
            "organization_id": clock.organization_id,
            "clock_id": clock.id,
            "after_minutes": step.after_minutes,
            "action": step.action,
            "user_id": step.user_id,
            "team_id": step.team_id,
            "taken_at": now,
        }
        for row_id, (clock, step) in ids.items()
    ]
    statement = (
        insert(SlaEscalation)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["clock_id", "after_minutes", "action", "team_id"])
        .returning(SlaEscalation.id)
    )
    fresh = await session.scalars(statement)
    return {(ids[row_id][0].id, ids[row_id][1].id) for row_id in fresh}


async def answered(session: AsyncSession, ticket_ids: Collection[str]) -> set[str]:
    """Those of these tickets to whose customer staff have said something since they were opened."""
    rows = await session.scalars(
        select(Ticket.id).where(
            Ticket.id.in_(ticket_ids),
            select(Message.id)
            .join(User, User.id == Message.author_id)
            .where(
                Message.ticket_id == Ticket.id,
                Message.visibility == Visibility.PUBLIC,
                Message.author_id != Ticket.customer_id,
                Message.created_at > Ticket.created_at,
                User.role != Role.CUSTOMER,
            )
            .exists(),
        )
    )
    return set(rows)


async def metrics_had(session: AsyncSession, ticket_ids: Collection[str]) -> dict[str, set[Metric]]:
    """The metrics of which these tickets have or had a clock; tickets without any are left out."""
    rows = await session.execute(
        select(SlaClock.ticket_id, SlaClock.metric).where(SlaClock.ticket_id.in_(ticket_ids))
    )
    found: dict[str, set[Metric]] = {}
    for ticket_id, metric in rows:
        found.setdefault(ticket_id, set()).add(metric)
    return found


async def lacking(
    session: AsyncSession,
    organization_id: str,
    metrics: Collection[Metric],
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[tuple[datetime, str]]:
    """(creation, ticket) of the organization's unsolved tickets that have no clock of one of these metrics,
    the oldest first; not locked. ``after``: the last one that was had."""
    without = [
        ~select(SlaClock.id).where(SlaClock.ticket_id == Ticket.id, SlaClock.metric == metric).exists()
        for metric in metrics
    ]
    query = select(Ticket.created_at, Ticket.id).where(
        Ticket.organization_id == organization_id, UNSOLVED, or_(*without)
    )
    if after is not None:
        query = query.where(tuple_(Ticket.created_at, Ticket.id) > after)
    rows = await session.execute(query.order_by(Ticket.created_at, Ticket.id).limit(limit))
    return [(created_at, ticket_id) for created_at, ticket_id in rows]
