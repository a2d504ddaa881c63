"""The desk of the story: who is there, what is promised, and what each of them does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta

from desks import make_desk
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from story import FIRST_RESPONSE_NIGHT, FIRST_RESPONSE_NORMAL, Story

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.accounts.models import Organization, Role, Team, User
from insightdesk.accounts.service import Principal
from insightdesk.database import new_id, transaction
from insightdesk.reports.exports import service as exports
from insightdesk.reports.exports.schemas import ExportInput
from insightdesk.sla import calendars, escalation, policies
from insightdesk.sla.calendar import Opening
from insightdesk.sla.calendars import Calendar
from insightdesk.sla.escalation import Step
from insightdesk.sla.models import EscalationAction
from insightdesk.sla.policies import Policy, Target
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import NO_AUTO_CLOSE, Priority, Ticket, TicketStatus
from insightdesk.tickets.schemas import MessageInput, TicketInput, TicketPatch

ASKED, NORMAL, NIGHT = "How do I ...?", "It is broken", "It is down"
RESOLVED, EXEMPT, OLD = "Solved on Monday", "Kept", "Of last year"


async def settle(story: Story) -> None:
    """An organization in the story's zone, with what happened before the first day."""
    desk = await make_desk()
    async with transaction() as session:
        await session.execute(
            update(Organization).values(time_zone=story.zone, created_at=story.start - timedelta(days=400))
        )
        lead = await accounts.create_user(
            session, desk.organization_id, "lead@x.example", "The lead", Role.AGENT, welcome=False
        )
        leads = await teams.create_team(session, desk.organization_id, "Leads", [lead.id])
        night = await teams.create_team(session, desk.organization_id, "Night", [desk.agent.user_id])
        await _promise(session, desk.organization_id, story, night.id)
        steps = [
            Step(0.0, EscalationAction.TELL_TEAM, team_id=leads.id),
            Step(30.0, EscalationAction.REASSIGN, user_id=lead.id),
        ]
        await escalation.set_steps(session, desk.organization_id, steps)
        yesterday = story.start - timedelta(hours=9)
        await _open(session, "admin", "Of yesterday", Priority.LOW, yesterday, assignee="agent")
        for subject in (RESOLVED, EXEMPT):
            await _resolve(
                session, await _open(session, "admin", subject, Priority.LOW, story.resolved), story
            )
        (await _ticket(session, EXEMPT)).tags = [NO_AUTO_CLOSE]
        await _open(session, "admin", OLD, Priority.LOW, story.resolved)
        await session.execute(
            update(Ticket)
            .where(Ticket.subject == OLD)
            .values(status=TicketStatus.CLOSED, closed_at=story.start - timedelta(days=366))
        )
        # What this caused was sent at its time, before the story begins.
        await session.execute(text("DELETE FROM toril_outbox"))


async def _promise(session: AsyncSession, organization_id: str, story: Story, night: str) -> None:
    hours = [Opening(day, 9 * 60, 18 * 60) for day in range(5)]
    office = await calendars.create_calendar(session, organization_id, Calendar("Office", story.zone, hours))
    [general] = await policies.list_policies(session, organization_id)
    normal = [Target(Priority.NORMAL, FIRST_RESPONSE_NORMAL)]
    await policies.change_policy(
        session, organization_id, Policy(general.id, general.name, None, normal, office)
    )
    high = [Target(Priority.HIGH, FIRST_RESPONSE_NIGHT)]
    await policies.create_policy(session, organization_id, Policy(new_id(), "Night", night, high))


async def _person(session: AsyncSession, name: str) -> Principal:
    return Principal.of((await session.scalars(select(User).where(User.email.startswith(f"{name}@")))).one())


async def _ticket(session: AsyncSession, subject: str) -> Ticket:
    return (await session.scalars(select(Ticket).where(Ticket.subject == subject))).one()


async def _open(
    session: AsyncSession,
    actor: str,
    subject: str,
    priority: Priority,
    now: datetime,
    *,
    assignee: str | None = None,
    team: str | None = None,
) -> Ticket:
    customer = await _person(session, "customer")
    wanted = TicketInput(
        subject=subject,
        body="Please help",
        priority=priority,
        customer_id=customer.user_id,
        assignee_id=(await _person(session, assignee)).user_id if assignee else None,
        team_id=(await session.scalars(select(Team.id).where(Team.name == team))).one() if team else None,
    )
    return await tickets.create_ticket(session, await _person(session, actor), wanted, now)


async def _resolve(session: AsyncSession, ticket: Ticket, story: Story) -> None:
    agent = await _person(session, "agent")
    patch = TicketPatch(status=TicketStatus.RESOLVED)
    await tickets.update_ticket(session, agent, ticket.id, patch, story.resolved)


async def _asks(session: AsyncSession, now: datetime) -> None:
    await _open(session, "customer", ASKED, Priority.LOW, now)


async def _agent_answers(session: AsyncSession, now: datetime) -> None:
    await _say(session, "agent", now)


async def _customer_answers(session: AsyncSession, now: datetime) -> None:
    await _say(session, "customer", now)


async def _say(session: AsyncSession, who: str, now: datetime) -> None:
    ticket, author = await _ticket(session, ASKED), await _person(session, who)
    await tickets.add_message(session, author, ticket.id, MessageInput(body=f"{who}, {now}"), now)


async def _resolves(session: AsyncSession, now: datetime) -> None:
    ticket, agent = await _ticket(session, ASKED), await _person(session, "agent")
    patch = TicketPatch(status=TicketStatus.RESOLVED)
    await tickets.update_ticket(session, agent, ticket.id, patch, now)


async def _exports(session: AsyncSession, now: datetime) -> None:
    wanted = ExportInput.model_validate({"reportType": "tickets", "format": "csv"})
    await exports.request_export(session, await _person(session, "agent"), wanted, now)


async def _opens_normal(session: AsyncSession, now: datetime) -> None:
    await _open(session, "admin", NORMAL, Priority.NORMAL, now, assignee="agent")


async def _opens_for_the_night(session: AsyncSession, now: datetime) -> None:
    await _open(session, "admin", NIGHT, Priority.HIGH, now, assignee="agent", team="Night")


async def _asks_again(session: AsyncSession, now: datetime) -> None:
    await _open(session, "customer", "And another thing", Priority.LOW, now)


DEEDS: dict[str, Callable[[AsyncSession, datetime], Coroutine[None, None, None]]] = {
    "the customer asks": _asks,
    "the agent answers": _agent_answers,
    "the customer answers": _customer_answers,
    "the agent resolves": _resolves,
    "the agent exports": _exports,
    "the administrator opens a normal ticket": _opens_normal,
    "the administrator opens a ticket for the night": _opens_for_the_night,
    "the customer asks again": _asks_again,
}


async def do(deed: str, now: datetime) -> None:
    """Let somebody do something, in one transaction, as a request would."""
    async with transaction() as session:
        await DEEDS[deed](session, now)
