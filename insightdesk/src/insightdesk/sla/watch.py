"""Looking at clocks whose moment has come: warn, record the breach, take the next escalation step.

A look is made under the locks of the tickets and of their clocks, always in this order. It asks the rules
as they are now, so a change of policy or calendar holds even where the job that recomputes clocks has not
come to one yet. However many clocks a batch has, its statements are as many.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.email.kinds import NotificationKind
from insightdesk.sla import escalation, movement, repository, rules, staging
from insightdesk.sla.models import SlaClock
from insightdesk.sla.rules import Rules
from insightdesk.tickets import notices
from insightdesk.tickets.models import Ticket
from insightdesk.tickets.notices import Notice


@dataclass(frozen=True)
class Looked:
    """What a look at some clocks came to."""

    warned: int = 0
    breached: int = 0
    escalated: int = 0

    @property
    def acted(self) -> bool:
        """Whether anything was done."""
        return bool(self.warned or self.breached or self.escalated)

    def __add__(self, other: Looked) -> Looked:
        return Looked(
            self.warned + other.warned, self.breached + other.breached, self.escalated + other.escalated
        )


async def look(
    session: AsyncSession, tickets: Mapping[str, Ticket], clocks: Sequence[SlaClock], now: datetime
) -> Looked:
    """Do for each of these locked clocks what is to be done by now, and stage the next look at it.

    Args:
        tickets: the clocks' tickets by id, locked before the clocks were.
    """
    if not clocks:
        return Looked()
    holding = await rules.load(session, tickets.values())
    # All rows are written by one flush at the end, each with the same columns.
    with session.no_autoflush:
        kept = await follow_rules(session, tickets, clocks, holding)
        late = [clock for clock in kept if movement.is_late(clock, now)]
        warned = [clock for clock in kept if movement.is_to_warn(clock, now)]
        for clock in warned:
            clock.warned_at = now
        breached = await record_breaches(session, tickets, late)
        await _tell_warnings(session, tickets, warned)
        moved, taken = await escalation.take_steps(session, tickets, kept, holding, now)
        await settle(session, [*kept, *moved], holding, now)
    return Looked(len(warned), breached, taken)


async def follow_rules(
    session: AsyncSession, tickets: Mapping[str, Ticket], clocks: Sequence[SlaClock], holding: Rules
) -> list[SlaClock]:
    """Let open clocks follow the rules as they are now; what is promised no more is dropped.

    A deadline that had passed when the rules were changed stands.

    Returns:
        The clocks that are left.
    """
    kept, dropped = [], []
    for clock in clocks:
        ticket = tickets[clock.ticket_id]
        promise = holding.promise(ticket)
        if not movement.is_open(clock):
            kept.append(clock)
        elif promise is None or clock.metric not in promise.seconds:
            dropped.append(clock)
        else:
            if clock.paused_since is not None or clock.due_at >= promise.since:
                movement.retime(clock, ticket, promise)
            kept.append(clock)
    await repository.drop(session, dropped)
    return kept


async def settle(session: AsyncSession, clocks: Collection[SlaClock], holding: Rules, now: datetime) -> None:
    """Write the clocks, and stage the next look at those whose moment has changed."""
    for clock in clocks:
        movement.settle(clock, holding.steps_of(clock.organization_id))
    await session.flush()  # new clocks get their ids
    await staging.stage_checks(session, clocks, now)


async def record_breaches(
    session: AsyncSession, tickets: Mapping[str, Ticket], late: Sequence[SlaClock]
) -> int:
    """Record the breach of locked clocks, and tell assignees and administrators.

    Returns:
        How many had not been recorded before.
    """
    if not late:
        return 0
    for clock in late:
        clock.breached_at = clock.due_at
    new = await repository.insert_breaches(session, late)
    fresh = [clock for clock in late if clock.id in new]
    admins = await accounts.admin_ids(session, {clock.organization_id for clock in fresh})
    await notices.stage(
        session,
        [
            Notice(
                clock.ticket_id,
                "sla_breach",
                NotificationKind.SLA_BREACH,
                None,
                admins.get(clock.organization_id, set()) | _assignee(tickets[clock.ticket_id]),
            )
            for clock in fresh
        ],
    )
    return len(fresh)


async def _tell_warnings(
    session: AsyncSession, tickets: Mapping[str, Ticket], warned: Sequence[SlaClock]
) -> None:
    """Tell the assignee; where there is none his team, and where that has nobody the administrators."""
    if not warned:
        return
    alone = [tickets[clock.ticket_id] for clock in warned if tickets[clock.ticket_id].assignee_id is None]
    members = await teams.member_ids(session, {ticket.team_id for ticket in alone if ticket.team_id})
    admins = await accounts.admin_ids(session, {ticket.organization_id for ticket in alone})
    told = []
    for clock in warned:
        ticket = tickets[clock.ticket_id]
        recipients = (
            _assignee(ticket)
            or members.get(ticket.team_id or "", set())
            or admins.get(ticket.organization_id, set())
        )
        told.append(Notice(ticket.id, "sla_warning", NotificationKind.SLA_WARNING, None, recipients))
    await notices.stage(session, told)


def _assignee(ticket: Ticket) -> set[str]:
    return {ticket.assignee_id} if ticket.assignee_id else set()
