"""The clocks' rules on the real database: what moves them, what breaks them, and that it is told once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from desks import Desk
from promises import (
    MINUTE,
    breaches,
    clocks,
    open_ticket,
    patch,
    say,
    set_next_response,
    staged,
    told,
    told_of_breach,
)

from insightdesk.accounts import teams
from insightdesk.database import database, transaction
from insightdesk.email.kinds import NotificationKind
from insightdesk.kit import clock
from insightdesk.sla import repository, service, staging
from insightdesk.sla.models import Metric
from insightdesk.sla.scan import scan
from insightdesk.tickets.models import Priority, Ticket, TicketStatus


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


async def test_deadlines_follow_the_priority(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    found = await clocks(ticket)
    assert found[Metric.FIRST_RESPONSE].due_at == now + 10 * MINUTE
    assert found[Metric.RESOLUTION].due_at == now + 60 * MINUTE
    assert len(await staged(ticket, "check")) == 2


async def test_a_change_of_priority_moves_the_deadline_and_stages_another_check(
    desk: Desk, now: datetime
) -> None:
    ticket = await open_ticket(desk, now)
    before = (await clocks(ticket))[Metric.RESOLUTION]
    await patch(desk, ticket, now + 2 * MINUTE, priority="urgent")
    after = (await clocks(ticket))[Metric.RESOLUTION]
    assert after.due_at == now + 6 * MINUTE
    assert after.version == before.version + 1
    assert staging.check_id(before.id, before.version) != staging.check_id(after.id, after.version)
    assert len(await staged(ticket, "check")) == 4


async def test_pending_pauses_and_the_customers_word_resumes(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    await patch(desk, ticket, now + 4 * MINUTE, status="pending")
    assert (await clocks(ticket))[Metric.RESOLUTION].paused_since == now + 4 * MINUTE
    await scan(database(), now + 500 * MINUTE)
    assert await breaches(ticket) == []
    await say(desk, ticket, now + 600 * MINUTE, staff=False)
    resumed = (await clocks(ticket))[Metric.RESOLUTION]
    assert resumed.paused_since is None
    assert resumed.due_at == now + 656 * MINUTE


async def test_a_reply_in_time_keeps_the_promise(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    await say(desk, ticket, now + 10 * MINUTE, staff=True)
    await scan(database(), now + 30 * MINUTE)
    assert await breaches(ticket) == []
    assert (await clocks(ticket))[Metric.FIRST_RESPONSE].fulfilled_at == now + 10 * MINUTE


async def test_a_late_reply_before_any_scan_is_a_breach_at_the_deadline(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    await say(desk, ticket, now + 11 * MINUTE, staff=True)
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now + 10 * MINUTE)]
    assert await told_of_breach(ticket) == sorted([desk.admin.user_id, desk.agent.user_id])
    await scan(database(), now + 30 * MINUTE)
    assert len(await breaches(ticket)) == 1


async def test_raising_the_priority_does_not_hide_a_broken_promise(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now, Priority.URGENT)
    await patch(desk, ticket, now + 2 * MINUTE, priority="normal")
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now + MINUTE)]


async def test_two_checks_and_a_scan_at_once_record_one_breach(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now, Priority.URGENT)
    late = now + 2 * MINUTE

    async def check() -> None:
        async with transaction() as session:
            await service.check(session, ticket.id, Metric.FIRST_RESPONSE, late)

    await asyncio.gather(check(), check(), scan(database(), late), scan(database(), late))
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now + MINUTE)]
    assert await told_of_breach(ticket) == sorted([desk.admin.user_id, desk.agent.user_id])


async def test_an_assignee_who_is_an_administrator_is_told_once(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now, Priority.URGENT)
    await patch(desk, ticket, now, assignee_id=desk.admin.user_id)
    await scan(database(), now + 2 * MINUTE)
    assert await told_of_breach(ticket) == [desk.admin.user_id]


async def test_an_early_check_says_how_long_to_wait(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)

    async def check(at: datetime, *, until_deadline: bool = False) -> datetime | None:
        async with transaction() as session:
            return await service.check(
                session, ticket.id, Metric.FIRST_RESPONSE, at, until_deadline=until_deadline
            )

    assert await check(now + 5 * MINUTE) == now + 7.5 * MINUTE
    assert await check(now + 5 * MINUTE, until_deadline=True) == now + 10 * MINUTE
    # Having warned, our own check has staged the next one; a foreign producer's goes on to the deadline.
    assert await check(now + 8 * MINUTE) is None
    assert await check(now + 10 * MINUTE) == now + 10 * MINUTE
    assert await check(now + 10 * MINUTE, until_deadline=True) == now + 10 * MINUTE
    assert await breaches(ticket) == []
    assert await check(now + 10 * MINUTE + timedelta(milliseconds=1)) is None
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now + 10 * MINUTE)]
    async with transaction() as session:
        assert await service.check(session, "nothing", Metric.RESOLUTION, now) is None


async def test_three_quarters_used_warn_the_assignee_once(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    await scan(database(), now + 7 * MINUTE)
    assert await told(ticket, NotificationKind.SLA_WARNING) == []
    await scan(database(), now + 8 * MINUTE)
    await scan(database(), now + 9 * MINUTE)
    assert await told(ticket, NotificationKind.SLA_WARNING) == [desk.agent.user_id]
    clock = (await clocks(ticket))[Metric.FIRST_RESPONSE]
    assert (clock.warn_at, clock.warned_at) == (now + 7.5 * MINUTE, now + 8 * MINUTE)
    assert clock.next_at == clock.due_at


async def test_a_ticket_without_assignee_warns_its_team_or_else_the_administrators(
    desk: Desk, now: datetime
) -> None:
    async with transaction() as session:
        team = await teams.create_team(session, desk.organization_id, "Billing", [desk.agent.user_id])
    of_team, of_nobody = await open_ticket(desk, now), await open_ticket(desk, now)
    await patch(desk, of_team, now, assignee_id=None, team_id=team.id)
    await patch(desk, of_nobody, now, assignee_id=None)
    await scan(database(), now + 8 * MINUTE)
    assert await told(of_team, NotificationKind.SLA_WARNING) == [desk.agent.user_id]
    assert await told(of_nobody, NotificationKind.SLA_WARNING) == [desk.admin.user_id]


async def test_each_further_word_of_the_customer_waits_for_an_answer(desk: Desk, now: datetime) -> None:
    await set_next_response(desk, 20)
    ticket = await open_ticket(desk, now)
    await say(desk, ticket, now + MINUTE, staff=False)
    assert Metric.NEXT_RESPONSE not in await clocks(ticket)  # the first response is awaited still
    await say(desk, ticket, now + 2 * MINUTE, staff=True)
    await say(desk, ticket, now + 3 * MINUTE, staff=False)
    await say(desk, ticket, now + 4 * MINUTE, staff=False)
    waiting = (await clocks(ticket))[Metric.NEXT_RESPONSE]
    assert (waiting.cycle, waiting.started_at, waiting.due_at) == (1, now + 3 * MINUTE, now + 23 * MINUTE)
    await say(desk, ticket, now + 23 * MINUTE, staff=True)
    await say(desk, ticket, now + 30 * MINUTE, staff=False)
    again = (await clocks(ticket))[Metric.NEXT_RESPONSE]
    assert (again.cycle, again.due_at) == (2, now + 50 * MINUTE)
    await scan(database(), now + 51 * MINUTE)
    assert await breaches(ticket) == [(Metric.NEXT_RESPONSE, 2, now + 50 * MINUTE)]


async def test_a_metric_promised_only_to_another_priority_gets_its_clock_with_it(
    desk: Desk, now: datetime
) -> None:
    ticket = await open_ticket(desk, now, Priority.HIGH)
    assert await clocks(ticket) == {}
    await patch(desk, ticket, now + MINUTE, status="pending")
    await patch(desk, ticket, now + 3 * MINUTE, priority="normal")
    found = await clocks(ticket)
    assert {clock.remaining_seconds for clock in found.values()} == {7 * 60, 57 * 60}
    await patch(desk, ticket, now + 5 * MINUTE, priority="high")
    assert await clocks(ticket) == {}
    await say(desk, ticket, now + 6 * MINUTE, staff=True)
    await patch(desk, ticket, now + 7 * MINUTE, priority="normal")
    assert set(await clocks(ticket)) == {Metric.RESOLUTION}


async def test_a_broken_promise_stops_with_the_ticket_and_is_not_broken_again(
    desk: Desk, now: datetime
) -> None:
    ticket = await open_ticket(desk, now, Priority.URGENT)
    await scan(database(), now + 2 * MINUTE)
    await patch(desk, ticket, now + 3 * MINUTE, status="pending")
    await patch(desk, ticket, now + 30 * MINUTE, status="open")
    await scan(database(), now + 32 * MINUTE)
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now + MINUTE)]
    assert (await clocks(ticket))[Metric.RESOLUTION].due_at == now + 33 * MINUTE


async def test_far_deadlines_wait_for_the_scan(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now, Priority.LOW)
    assert await staged(ticket, "check") == []
    await scan(database(), now + timedelta(hours=30))
    assert [job["checkType"] for job in await staged(ticket, "check")] == ["first_response"]
    await scan(database(), now + timedelta(hours=31))
    assert len(await staged(ticket, "check")) == 1


async def test_the_scan_goes_on_until_nothing_is_left(desk: Desk, now: datetime) -> None:
    opened = [await open_ticket(desk, now, Priority.URGENT) for _ in range(7)]
    await scan(database(), now + 2 * MINUTE, batch=2)
    assert [len(await breaches(ticket)) for ticket in opened] == [1] * 7


async def test_reopening_starts_another_cycle(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    await patch(desk, ticket, now + 5 * MINUTE, status="resolved")
    await say(desk, ticket, now + 90 * MINUTE, staff=False)
    async with transaction() as session:
        row = await session.get_one(Ticket, ticket.id)
        assert row.status is TicketStatus.OPEN
        assert row.resolved_at is None
        found = await repository.clocks(session, [ticket.id])
    resolution = [clock for clock in found if clock.metric is Metric.RESOLUTION]
    assert [clock.cycle for clock in resolution] == [1, 2]
    assert resolution[1].due_at == now + 150 * MINUTE
    await scan(database(), now + 200 * MINUTE)
    assert await breaches(ticket) == [(Metric.RESOLUTION, 2, now + 150 * MINUTE)]


async def test_nobody_is_told_of_his_own_act(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now)
    await say(desk, ticket, now, staff=True)
    await say(desk, ticket, now, staff=False)
    mails = await staged(ticket, "ticket-notification")
    recipients = [mail["recipientId"] for mail in mails if mail["type"] == "new_message"]
    assert recipients == [desk.customer.user_id, desk.agent.user_id]
