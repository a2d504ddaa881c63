"""What follows a breach: steps after 0, 30 and 120 minutes, each taken once."""

from __future__ import annotations

import asyncio
from datetime import datetime

import httpx
import pytest
from desks import Desk
from promises import MINUTE, breaches, clocks, open_ticket, patch, say, staged, told, told_of_breach
from sqlalchemy import func, select

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.accounts.models import Role
from insightdesk.database import database, new_id, transaction
from insightdesk.email.kinds import NotificationKind
from insightdesk.kit import clock
from insightdesk.sla import escalation, service
from insightdesk.sla.escalation import Step
from insightdesk.sla.models import EscalationAction, Metric, SlaClock, SlaEscalation
from insightdesk.sla.scan import scan
from insightdesk.tickets.models import Priority, Ticket, TicketStatus


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


async def new_agent(desk: Desk) -> str:
    async with transaction() as session:
        user = await accounts.create_user(
            session, desk.organization_id, f"{new_id()}@x.example", "Lead", Role.AGENT, welcome=False
        )
        return user.id


async def set_steps(desk: Desk, *steps: Step) -> None:
    async with transaction() as session:
        await escalation.set_steps(session, desk.organization_id, steps)


async def reload(ticket: Ticket) -> Ticket:
    async with transaction() as session:
        return await session.get_one(Ticket, ticket.id)


async def taken(ticket: Ticket) -> list[tuple[float, EscalationAction]]:
    async with transaction() as session:
        rows = await session.execute(
            select(SlaEscalation.after_minutes, SlaEscalation.action)
            .join(SlaClock, SlaClock.id == SlaEscalation.clock_id)
            .where(SlaClock.ticket_id == ticket.id)
            .order_by(SlaEscalation.after_minutes, SlaEscalation.action)
        )
        return [(minutes, action) for minutes, action in rows]


async def test_steps_reassign_raise_the_priority_and_tell_a_team_each_once(desk: Desk, now: datetime) -> None:
    lead, helper = await new_agent(desk), await new_agent(desk)
    async with transaction() as session:
        team = await teams.create_team(session, desk.organization_id, "Crisis", [helper, desk.admin.user_id])
    await set_steps(
        desk,
        Step(0, EscalationAction.TELL_TEAM, team_id=team.id),
        Step(30, EscalationAction.REASSIGN, user_id=lead),
        Step(30, EscalationAction.RAISE_PRIORITY),
        Step(120, EscalationAction.TELL_TEAM, team_id=team.id),
    )
    ticket = await open_ticket(desk, now)
    await scan(database(), now + 11 * MINUTE)
    # The administrator is told of the breach, and not again as one of the team.
    assert await told_of_breach(ticket) == sorted([desk.admin.user_id, desk.agent.user_id, helper])
    await scan(database(), now + 39 * MINUTE)
    assert (await reload(ticket)).assignee_id == desk.agent.user_id
    before = (await clocks(ticket))[Metric.RESOLUTION]
    assert before.due_at == now + 60 * MINUTE
    for minute in (41, 42):
        await scan(database(), now + minute * MINUTE)
    raised = await reload(ticket)
    assert (raised.assignee_id, raised.priority) == (lead, Priority.HIGH)
    assert await told(ticket, NotificationKind.ASSIGNMENT) == sorted([desk.agent.user_id, lead])
    await scan(database(), now + 131 * MINUTE)
    assert await taken(ticket) == [
        (0, EscalationAction.TELL_TEAM),
        (30, EscalationAction.RAISE_PRIORITY),
        (30, EscalationAction.REASSIGN),
        (120, EscalationAction.TELL_TEAM),
    ]
    assert (await told_of_breach(ticket)).count(helper) == 2
    assert (await clocks(ticket))[Metric.FIRST_RESPONSE].next_at is None


async def test_a_raised_priority_moves_the_other_deadlines(desk: Desk, now: datetime) -> None:
    async with transaction() as session:
        await service.set_target(
            session, desk.organization_id, Priority.HIGH, first_response_minutes=5, resolution_minutes=20
        )
    await set_steps(desk, Step(0, EscalationAction.RAISE_PRIORITY))
    ticket = await open_ticket(desk, now)
    await scan(database(), now + 11 * MINUTE)
    resolution = (await clocks(ticket))[Metric.RESOLUTION]
    assert (resolution.due_at, resolution.breached_at) == (now + 20 * MINUTE, None)
    await scan(database(), now + 21 * MINUTE)
    assert {found[0] for found in await breaches(ticket)} == {Metric.FIRST_RESPONSE, Metric.RESOLUTION}


async def test_an_answer_ends_the_escalation_and_pending_holds_it(desk: Desk, now: datetime) -> None:
    await set_steps(desk, Step(30, EscalationAction.RAISE_PRIORITY))
    answered, waiting = await open_ticket(desk, now), await open_ticket(desk, now)
    await scan(database(), now + 11 * MINUTE)
    await say(desk, answered, now + 12 * MINUTE, staff=True)
    await patch(desk, waiting, now + 12 * MINUTE, status="pending")
    await scan(database(), now + 45 * MINUTE)
    assert [(await reload(ticket)).priority for ticket in (answered, waiting)] == [Priority.NORMAL] * 2
    await patch(desk, waiting, now + 50 * MINUTE, status="open")
    await scan(database(), now + 51 * MINUTE)
    assert (await reload(waiting)).priority is Priority.HIGH


async def test_two_scans_and_two_checks_at_once_take_each_step_once(desk: Desk, now: datetime) -> None:
    await set_steps(desk, Step(0, EscalationAction.RAISE_PRIORITY))
    ticket = await open_ticket(desk, now)
    late = now + 11 * MINUTE

    async def check() -> None:
        async with transaction() as session:
            await service.check(session, ticket.id, Metric.FIRST_RESPONSE, late)

    await asyncio.gather(check(), check(), scan(database(), late), scan(database(), late))
    assert (await reload(ticket)).priority is Priority.HIGH
    async with transaction() as session:
        rows = select(func.count()).select_from(SlaEscalation).join(SlaClock).where(
            SlaClock.ticket_id == ticket.id
        )  # fmt: skip
        assert await session.scalar(rows) == 1
    assert await told_of_breach(ticket) == sorted([desk.admin.user_id, desk.agent.user_id])


async def test_a_breach_seen_by_a_reply_escalates_from_its_deadline(desk: Desk, now: datetime) -> None:
    await set_steps(desk, Step(30, EscalationAction.RAISE_PRIORITY))
    ticket = await open_ticket(desk, now)
    # A change sees the breach ten minutes late; the step counts from the deadline all the same.
    await patch(desk, ticket, now + 20 * MINUTE, status="pending")
    await patch(desk, ticket, now + 21 * MINUTE, status="open")
    assert (await clocks(ticket))[Metric.FIRST_RESPONSE].next_at == now + 40 * MINUTE
    await scan(database(), now + 41 * MINUTE)
    assert (await reload(ticket)).priority is Priority.HIGH


async def test_a_person_who_has_left_is_given_nothing(desk: Desk, now: datetime) -> None:
    lead = await new_agent(desk)
    await set_steps(desk, Step(0, EscalationAction.REASSIGN, user_id=lead))
    async with transaction() as session:
        user = await accounts.find_user(session, desk.organization_id, lead)
        assert user is not None
        user.active = False
    ticket = await open_ticket(desk, now)
    await scan(database(), now + 11 * MINUTE)
    assert (await reload(ticket)).assignee_id == desk.agent.user_id


async def test_a_ticket_solved_at_that_moment_is_left_alone(desk: Desk, now: datetime) -> None:
    await set_steps(desk, Step(0, EscalationAction.RAISE_PRIORITY))
    ticket = await open_ticket(desk, now)
    await asyncio.gather(
        patch(desk, ticket, now + 61 * MINUTE, status="resolved"), scan(database(), now + 61 * MINUTE)
    )
    await scan(database(), now + 62 * MINUTE)
    assert (await reload(ticket)).status is TicketStatus.RESOLVED
    assert sorted(found[0] for found in await breaches(ticket)) == [Metric.FIRST_RESPONSE, Metric.RESOLUTION]
    assert len(await told_of_breach(ticket)) == 4
    assert all(found.next_at is None for found in (await clocks(ticket)).values())


async def test_steps_over_rest(api: httpx.AsyncClient, desk: Desk, other_desk: Desk) -> None:
    admin, path = desk.headers(Role.ADMIN), "/api/sla/escalation"
    assert (await api.get(path, headers=desk.headers(Role.AGENT))).json()["data"] == []
    steps = [
        {"afterMinutes": 30, "action": "reassign", "userId": desk.agent.user_id, "teamId": None},
        {"afterMinutes": 120, "action": "raise_priority", "userId": None, "teamId": None},
    ]
    assert (await api.put(path, json={"steps": steps}, headers=admin)).status_code == 200
    assert (await api.get(path, headers=desk.headers(Role.AGENT))).json()["data"] == steps
    assert (await api.get(path, headers=other_desk.headers(Role.ADMIN))).json()["data"] == []
    assert (await api.put(path, json={"steps": []}, headers=desk.headers(Role.AGENT))).status_code == 403
    for wrong, why in (
        ({"afterMinutes": 0, "action": "reassign"}, "userId goes with"),
        ({"afterMinutes": 0, "action": "reassign", "userId": other_desk.agent.user_id}, "active staff"),
        ({"afterMinutes": 0, "action": "reassign", "userId": desk.customer.user_id}, "active staff"),
        ({"afterMinutes": 0, "action": "tell_team"}, "teamId goes with"),
        ({"afterMinutes": 0, "action": "tell_team", "teamId": new_id()}, "no such team"),
        ({"afterMinutes": -1, "action": "raise_priority"}, "afterMinutes"),
        ({"afterMinutes": 0, "action": "shout"}, "action"),
    ):
        answer = await api.put(path, json={"steps": [wrong]}, headers=admin)
        assert answer.status_code == 422
        assert why in answer.json()["error"]
    twice = {"steps": [{"afterMinutes": 1, "action": "raise_priority"}] * 2}
    assert (await api.put(path, json=twice, headers=admin)).status_code == 422
    assert (await api.get(path, headers=admin)).json()["data"] == steps


async def test_a_changed_list_of_steps_reaches_broken_promises(desk: Desk, now: datetime) -> None:
    from insightdesk.sla.scan import recompute

    ticket = await open_ticket(desk, now)
    await scan(database(), now + 11 * MINUTE)
    assert (await clocks(ticket))[Metric.FIRST_RESPONSE].next_at is None
    await set_steps(desk, Step(60, EscalationAction.RAISE_PRIORITY))
    assert await recompute(database(), desk.organization_id, now + 12 * MINUTE) == 1
    assert (await clocks(ticket))[Metric.FIRST_RESPONSE].next_at == now + 70 * MINUTE
    checks = [job for job in await staged(ticket, "check") if job["checkType"] == "first_response"]
    assert len(checks) == 2
    await scan(database(), now + 75 * MINUTE)
    assert await taken(ticket) == [(60, EscalationAction.RAISE_PRIORITY)]


async def test_nothing_is_given_to_a_person_who_was_erased(desk: Desk, now: datetime) -> None:
    lead = await new_agent(desk)
    raising = Step(10, EscalationAction.RAISE_PRIORITY)
    await set_steps(desk, Step(0, EscalationAction.REASSIGN, user_id=lead), raising)
    ticket = await open_ticket(desk, now)
    await scan(database(), now + 11 * MINUTE)
    assert (await reload(ticket)).assignee_id == lead
    async with transaction() as session:
        erased = await escalation.erase_person(session, desk.organization_id, lead, "lead@x.example")
    assert erased == 2  # the step, and that it was taken
    async with transaction() as session:
        assert await escalation.list_steps(session, desk.organization_id) == [raising]
        named = select(func.count()).select_from(SlaEscalation).where(SlaEscalation.user_id == lead)
        assert await session.scalar(named) == 0
    assert len(await taken(ticket)) == 1
