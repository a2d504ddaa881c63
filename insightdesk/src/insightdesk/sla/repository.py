"""Queries on policies, clocks and breaches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import new_id
from insightdesk.sla.models import Metric, SlaBreach, SlaClock, SlaPolicy, SlaTarget
from insightdesk.tickets.models import Priority, Ticket


async def target(
    session: AsyncSession, organization_id: str, team_id: str | None, priority: Priority
) -> SlaTarget | None:
    """What a team's tickets of a priority are promised: by its own policy, else by the general one."""
    return await session.scalar(
        select(SlaTarget)
        .join(SlaPolicy, SlaPolicy.id == SlaTarget.policy_id)
        .where(
            SlaPolicy.organization_id == organization_id,
            or_(SlaPolicy.team_id == team_id, SlaPolicy.team_id.is_(None)),
            SlaTarget.priority == priority,
        )
        .order_by(SlaPolicy.team_id.is_(None))
        .limit(1)
    )


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


async def lock_clock(session: AsyncSession, ticket_id: str, metric: Metric) -> SlaClock | None:
    """The latest cycle of a ticket's clock, locked, as it is now."""
    return await session.scalar(
        select(SlaClock)
        .where(SlaClock.ticket_id == ticket_id, SlaClock.metric == metric)
        .order_by(SlaClock.cycle.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _running() -> Select[SlaClock]:
    """Clocks that may still breach: the condition of the partial index, word for word."""
    return select(SlaClock).where(
        SlaClock.fulfilled_at.is_(None), SlaClock.breached_at.is_(None), SlaClock.paused_since.is_(None)
    )


async def lock_overdue(session: AsyncSession, now: datetime, limit: int) -> Sequence[SlaClock]:
    """The longest overdue clocks. What another transaction holds is left to it: it judges by itself."""
    return (
        await session.scalars(
            _running()
            .where(SlaClock.due_at < now)
            .order_by(SlaClock.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
    ).all()


async def lock_unstaged(
    session: AsyncSession, now: datetime, until: datetime, limit: int
) -> Sequence[SlaClock]:
    """Clocks due by ``until`` whose check has not been handed to the queue."""
    return (
        await session.scalars(
            _running()
            .where(SlaClock.due_at >= now, SlaClock.due_at <= until)
            .where(SlaClock.staged_version < SlaClock.version)
            .order_by(SlaClock.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
    ).all()


async def insert_breaches(session: AsyncSession, late: Sequence[SlaClock]) -> set[str]:
    """Record that these clocks' deadlines passed; returns the clocks that were not recorded before."""
    statement = insert(SlaBreach).on_conflict_do_nothing(index_elements=["ticket_id", "metric", "cycle"])
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
    result = await session.scalars(statement.returning(SlaBreach.clock_id), rows)
    return set(result)


async def assignees(session: AsyncSession, ticket_ids: Collection[str]) -> dict[str, str | None]:
    """Who works on each of these tickets."""
    rows = await session.execute(select(Ticket.id, Ticket.assignee_id).where(Ticket.id.in_(ticket_ids)))
    return {row.id: row.assignee_id for row in rows}
