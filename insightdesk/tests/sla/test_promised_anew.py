"""What is promised only now gets its clock with the change of the policy, not with the ticket's next one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from desks import Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promises import MINUTE, breaches, clocks, open_ticket, patch, say
from queries import counted
from sqlalchemy import insert, text

from insightdesk.database import database, new_id, transaction
from insightdesk.kit import clock
from insightdesk.sla import repository, service
from insightdesk.sla.jobs import recompute_sla
from insightdesk.sla.models import Metric
from insightdesk.sla.scan import recompute, scan
from insightdesk.tickets.models import Priority, Ticket, TicketStatus

Promised = tuple[float | None, float | None]
"""Minutes to the first response and to resolution."""

Deeds = list[tuple[int, str]]
"""Minutes after the one before, and what is done then."""

NOTHING: Promised = (None, None)


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


async def promise(desk: Desk, minutes: Promised) -> None:
    async with transaction() as session:
        await service.set_target(
            session,
            desk.organization_id,
            Priority.NORMAL,
            first_response_minutes=minutes[0],
            resolution_minutes=minutes[1],
        )


async def history(desk: Desk, at: datetime, deeds: Deeds) -> Ticket:
    """A ticket of that moment, and what was done to it since."""
    ticket = await open_ticket(desk, at)
    for minutes, deed in deeds:
        at += minutes * MINUTE
        if deed in ("staff", "customer"):
            await say(desk, ticket, at, staff=deed == "staff")
        else:
            await patch(desk, ticket, at, status=deed)
    return ticket


async def change_of_the_ticket(ticket: Ticket, now: datetime) -> None:
    """What a change of its priority or team does."""
    async with transaction() as session:
        locked = await repository.lock_tickets(session, [ticket.id], skip_locked=False)
        await service.retarget(session, locked[ticket.id], now)


async def started(ticket: Ticket, anew: set[Metric]) -> dict[Metric, tuple[object, ...]]:
    """The clocks of what is promised anew: all that follows from a start, and nothing of whose they are."""
    return {
        metric: (
            each.cycle, each.target_seconds, each.started_at, each.pauses, each.warn_at, each.due_at,
            each.paused_since, each.remaining_seconds, each.fulfilled_at, each.next_at, each.version,
            each.staged_version,
        )
        for metric, each in (await clocks(ticket)).items()
        if metric in anew
    }  # fmt: skip


MINUTES = st.none() | st.sampled_from([5.0, 90.0, 3000.0])
DEEDS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(["staff", "customer", "pending", "open", "resolved"])),
    max_size=4,
)


@given(before=st.tuples(MINUTES, MINUTES), after=st.tuples(MINUTES, MINUTES), deeds=DEEDS)
@settings(
    max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_metric_promised_only_now_gets_the_clock_that_a_change_of_the_ticket_would_start(
    desk: Desk, other_desk: Desk, before: Promised, after: Promised, deeds: Deeds
) -> None:
    now = clock.now().replace(microsecond=0)
    tickets = []
    for each in (desk, other_desk):
        await promise(each, before)
        tickets.append(await history(each, now - timedelta(hours=6), deeds))
        await promise(each, after)
    by_job, by_change = tickets
    anew = {
        metric
        for metric, was, then in zip((Metric.FIRST_RESPONSE, Metric.RESOLUTION), before, after, strict=True)
        if was is None and then is not None
    }
    await recompute(database(), desk.organization_id, now, batch=2)
    await change_of_the_ticket(by_change, now)
    assert await started(by_job, anew) == await started(by_change, anew)
    if not any(deed in ("resolved", "staff") for _, deed in deeds):
        assert set(await started(by_job, anew)) == anew
    # Once: another run starts nothing more.
    async with transaction() as session:
        had = [each.id for each in await repository.clocks(session, [by_job.id])]
    await recompute(database(), desk.organization_id, now)
    async with transaction() as session:
        assert [each.id for each in await repository.clocks(session, [by_job.id])] == had


async def test_a_promise_of_today_is_watched_without_the_ticket_being_touched(
    desk: Desk, now: datetime
) -> None:
    await promise(desk, NOTHING)
    ticket = await open_ticket(desk, now)
    assert await clocks(ticket) == {}
    await promise(desk, (10.0, 60.0))
    assert await recompute_sla(desk.organization_id) == {"moved": 2}
    assert {metric: each.due_at for metric, each in (await clocks(ticket)).items()} == {
        Metric.FIRST_RESPONSE: now + 10 * MINUTE,
        Metric.RESOLUTION: now + 60 * MINUTE,
    }
    await scan(database(), now + 11 * MINUTE)
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now + 10 * MINUTE)]


async def test_starting_clocks_makes_no_more_statements_for_many_tickets_than_for_few(
    desk: Desk, now: datetime
) -> None:
    await promise(desk, NOTHING)
    sent = []
    for count in (2, 200):
        await promise(desk, NOTHING)
        async with transaction() as session:
            await session.execute(
                text("DELETE FROM tickets WHERE organization_id = :id"), {"id": desk.organization_id}
            )
            await session.execute(
                insert(Ticket),
                [
                    {
                        "id": new_id(), "organization_id": desk.organization_id, "number": number,
                        "subject": "s", "status": TicketStatus.OPEN, "priority": Priority.NORMAL,
                        "customer_id": desk.customer.user_id, "created_at": now, "updated_at": now,
                    }
                    for number in range(count)
                ],
            )  # fmt: skip
        await promise(desk, (10.0, 60.0))
        async with counted() as statements:
            assert await recompute(database(), desk.organization_id, now) == 2 * count
        sent.append(len(statements))
    assert sent[0] == sent[1]
