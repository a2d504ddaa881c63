"""What follows a breach that nobody mends: steps at so many minutes after it, each taken once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.email.kinds import NotificationKind
from insightdesk.kit.errors import Invalid
from insightdesk.sla import movement, repository
from insightdesk.sla.changes import rules_changed
from insightdesk.sla.models import EscalationAction, SlaClock, SlaEscalation, SlaEscalationStep
from insightdesk.sla.rules import Rules
from insightdesk.tickets import notices
from insightdesk.tickets.models import Priority, Ticket
from insightdesk.tickets.notices import Notice

MOST = 10
"""Steps that an organization may have."""


@dataclass(frozen=True)
class Step:
    """One step as administrators see and write it.

    Attributes:
        user_id: to whom `reassign` gives the ticket.
        team_id: whom `tell_team` tells.
    """

    after_minutes: float
    action: EscalationAction
    user_id: str | None = None
    team_id: str | None = None


async def list_steps(session: AsyncSession, organization_id: str) -> list[Step]:
    """The organization's steps in order of time; none by default."""
    rows = await session.scalars(
        select(SlaEscalationStep)
        .where(SlaEscalationStep.organization_id == organization_id)
        .order_by(SlaEscalationStep.after_minutes, SlaEscalationStep.id)
    )
    return [Step(row.after_minutes, row.action, row.user_id, row.team_id) for row in rows]


async def set_steps(session: AsyncSession, organization_id: str, steps: Sequence[Step]) -> None:
    """Escalate in this way from now on; what was taken is not taken again.

    Raises:
        Invalid: A step names nobody, or somebody who is not staff of the organization, or stands twice.
    """
    if len({(step.after_minutes, step.action, step.team_id) for step in steps}) < len(steps):
        raise Invalid("steps: a step stands there twice")
    staff = await accounts.staff_ids(session, organization_id)
    for step in steps:
        if (step.action is EscalationAction.REASSIGN) != (step.user_id is not None):
            raise Invalid("steps: userId goes with the action reassign, and with no other")
        if (step.action is EscalationAction.TELL_TEAM) != (step.team_id is not None):
            raise Invalid("steps: teamId goes with the action tell_team, and with no other")
        if step.user_id is not None and step.user_id not in staff:
            raise Invalid("steps: userId: only active staff can be given tickets")
    known = {team.id for team in await teams.list_teams(session, organization_id)}
    if {step.team_id for step in steps if step.team_id} - known:
        raise Invalid("steps: teamId: no such team in this organization")
    await session.execute(
        delete(SlaEscalationStep).where(SlaEscalationStep.organization_id == organization_id)
    )
    session.add_all(
        SlaEscalationStep(
            organization_id=organization_id,
            after_minutes=step.after_minutes,
            action=step.action,
            user_id=step.user_id,
            team_id=step.team_id,
        )
        for step in steps
    )
    await session.flush()
    await rules_changed(session, organization_id)


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Give no more tickets to a person, and forget which she was given; returns how many records changed."""
    steps = await session.scalars(
        delete(SlaEscalationStep)
        .where(SlaEscalationStep.organization_id == organization_id, SlaEscalationStep.user_id == user_id)
        .returning(SlaEscalationStep.id)
    )
    gone = len(steps.all())
    if gone:
        await rules_changed(session, organization_id)
    taken = await session.scalars(
        update(SlaEscalation)
        .where(SlaEscalation.organization_id == organization_id, SlaEscalation.user_id == user_id)
        .values(user_id=None)
        .returning(SlaEscalation.id)
    )
    return gone + len(taken.all())


async def take_steps(
    session: AsyncSession,
    tickets: Mapping[str, Ticket],
    clocks: Sequence[SlaClock],
    holding: Rules,
    now: datetime,
) -> tuple[list[SlaClock], int]:
    """Take the steps whose time has come, for locked clocks of locked tickets.

    Returns:
        Other clocks of the tickets that moved with them, and how many steps were taken.
    """
    due = []
    for clock in clocks:
        steps = movement.steps_due(clock, holding.steps_of(clock.organization_id), now)
        if steps:
            clock.escalated_minutes = steps[-1].after_minutes
            due += [(clock, step) for step in steps]
    if not due:
        return [], 0
    fresh = await repository.insert_escalations(session, due, now)
    taken = [(clock, step) for clock, step in due if (clock.id, step.id) in fresh]
    told = await _reassign(session, tickets, taken)
    raised = _raise_priorities(tickets, taken)
    told += [
        Notice(ticket.id, "updated", None, None, {ticket.assignee_id} if ticket.assignee_id else ())
        for ticket in raised
    ]
    told += await _tell_teams(session, tickets, taken)
    changed = {clock.ticket_id for clock, step in taken if step.action is not EscalationAction.TELL_TEAM}
    for ticket_id in changed:
        tickets[ticket_id].updated_at = now
    repository.write_alike([tickets[ticket_id] for ticket_id in changed])
    await notices.stage(session, told)
    known = {clock.id: clock for clock in clocks}
    moved = []
    for clock in await repository.lock_open(session, [ticket.id for ticket in raised]):
        # A clock of this very look may be open too: the session has one object for each row.
        promise = holding.promise(tickets[clock.ticket_id])
        if promise is not None and clock.metric in promise.seconds and movement.is_open(clock):
            movement.retime(clock, tickets[clock.ticket_id], promise)
            if clock.id not in known:
                moved.append(clock)
    return moved, len(taken)


async def _reassign(
    session: AsyncSession, tickets: Mapping[str, Ticket], taken: Sequence[tuple[SlaClock, SlaEscalationStep]]
) -> list[Notice]:
    wanted = {step.user_id for _, step in taken if step.user_id is not None}
    able = await accounts.active_staff(session, wanted) if wanted else set()
    told = []
    for clock, step in taken:
        ticket = tickets[clock.ticket_id]
        if step.user_id in able and ticket.assignee_id != step.user_id:
            ticket.assignee_id = step.user_id
            told.append(Notice(ticket.id, "assigned", NotificationKind.ASSIGNMENT, None, {step.user_id}))
    return told


def _raise_priorities(
    tickets: Mapping[str, Ticket], taken: Sequence[tuple[SlaClock, SlaEscalationStep]]
) -> list[Ticket]:
    order = list(Priority)
    raised = {}
    for clock, step in taken:
        ticket = tickets[clock.ticket_id]
        if step.action is EscalationAction.RAISE_PRIORITY and ticket.priority is not order[-1]:
            ticket.priority = order[order.index(ticket.priority) + 1]
            raised[ticket.id] = ticket
    return list(raised.values())


async def _tell_teams(
    session: AsyncSession, tickets: Mapping[str, Ticket], taken: Sequence[tuple[SlaClock, SlaEscalationStep]]
) -> list[Notice]:
    telling = [(clock, step.team_id, step) for clock, step in taken if step.team_id is not None]
    if not telling:
        return []
    members = await teams.member_ids(session, {team_id for _, team_id, _ in telling})
    admins = await accounts.admin_ids(session, {clock.organization_id for clock, _, _ in telling})
    told = []
    for clock, team_id, step in telling:
        recipients = members.get(team_id, set())
        if step.after_minutes == 0:  # these are being told of the breach itself
            recipients = recipients - admins.get(clock.organization_id, set())
            recipients = recipients - {tickets[clock.ticket_id].assignee_id or ""}
        told.append(Notice(clock.ticket_id, "sla_escalated", NotificationKind.SLA_BREACH, None, recipients))
    return told
