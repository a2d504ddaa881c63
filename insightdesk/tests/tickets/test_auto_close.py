"""Auto-close on the real database: what closes when, who is told, and what never closes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from desks import Desk
from queries import counted, staged
from sqlalchemy import event, insert, select, text

from insightdesk.accounts.models import Role
from insightdesk.database import database, new_id, transaction
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.auto_close import jobs, repository, service, warning
from insightdesk.tickets.auto_close.models import LateReply
from insightdesk.tickets.auto_close.service import REASON, Rules
from insightdesk.tickets.models import NO_AUTO_CLOSE, Ticket, TicketStatus
from insightdesk.tickets.schemas import MessageInput, TicketInput, TicketPatch
from toril import testing

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


async def resolved_ticket(desk: Desk, at: datetime, **more: object) -> Ticket:
    wanted = TicketInput(subject="Help", body="Please", customer_id=desk.customer.user_id, **more)
    async with transaction() as session:
        ticket = await tickets.create_ticket(session, desk.agent, wanted, at)
        return await tickets.update_ticket(
            session, desk.agent, ticket.id, TicketPatch(status=TicketStatus.RESOLVED), at
        )


async def resolved_tickets(desk: Desk, at: datetime, count: int, first: int = 1000) -> None:
    """Many at once, without the road that one ticket goes."""
    rows = [
        {
            "id": new_id(), "organization_id": desk.organization_id, "number": first + number, "subject": "s",
            "status": TicketStatus.RESOLVED, "priority": "normal", "customer_id": desk.customer.user_id,
            "created_at": at, "updated_at": at, "resolved_at": at,
        }
        for number in range(count)
    ]  # fmt: skip
    async with transaction() as session:
        await session.execute(insert(Ticket), rows)


async def set_rules(desk: Desk, after_days: int | None, late_reply: LateReply = LateReply.REOPEN) -> None:
    async with transaction() as session:
        await service.set_rules(session, desk.admin, Rules(after_days, late_reply))


async def state(ticket: Ticket) -> tuple[TicketStatus, str | None]:
    async with transaction() as session:
        row = await session.get_one(Ticket, ticket.id)
        return row.status, row.closed_reason


async def closed_count(desk: Desk) -> int:
    async with transaction() as session:
        rows = await session.scalars(
            select(Ticket.id).where(
                Ticket.organization_id == desk.organization_id, Ticket.closed_reason == REASON
            )
        )
        return len(rows.all())


async def test_a_ticket_resolved_for_seven_days_closes_and_its_customer_is_told(
    desk: Desk, now: datetime
) -> None:
    ticket = await resolved_ticket(desk, now, assignee_id=desk.agent.user_id)
    await service.scan(database(), now + 7 * DAY)
    assert await state(ticket) == (TicketStatus.RESOLVED, None)
    await service.scan(database(), now + 7 * DAY + timedelta(seconds=1))
    assert await state(ticket) == (TicketStatus.CLOSED, REASON)
    told = await staged("ticket-notification", ticketId=ticket.id, type="ticket_closed")
    assert [mail["recipientId"] for mail in told] == [desk.customer.user_id]
    [event] = await staged("ticket", ticketId=ticket.id, action="closed")
    assert event["recipientIds"] == sorted([desk.customer.user_id, desk.agent.user_id])


async def test_a_second_scan_tells_nobody_again(desk: Desk, now: datetime) -> None:
    ticket = await resolved_ticket(desk, now)
    await asyncio.gather(*(service.scan(database(), now + 8 * DAY) for _ in range(3)))
    await service.scan(database(), now + 9 * DAY)
    assert len(await staged("ticket-notification", ticketId=ticket.id, type="ticket_closed")) == 1


async def test_the_wait_is_the_organizations_and_null_means_never(
    desk: Desk, other_desk: Desk, now: datetime
) -> None:
    await set_rules(desk, 3)
    await set_rules(other_desk, None)
    soon, never = await resolved_ticket(desk, now), await resolved_ticket(other_desk, now)
    await service.scan(database(), now + 3 * DAY + HOUR)
    assert await state(soon) == (TicketStatus.CLOSED, REASON)
    await service.scan(database(), now + 300 * DAY)
    assert await state(never) == (TicketStatus.RESOLVED, None)


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe"])
async def test_days_are_of_24_hours_whatever_the_connections_zone(desk: Desk, zone: str) -> None:
    # Clocks change in New York on 2026-11-01 and in Lord Howe on 2026-10-04.
    at = datetime.fromisoformat(
        "2026-10-28T12:00:00+00:00" if "York" in zone else "2026-10-01T12:00:00+00:00"
    )
    ticket = await resolved_ticket(desk, at)
    async with transaction() as session:
        await session.execute(text(f"SET LOCAL TIME ZONE '{zone}'"))
        early = await repository.close_due(session, at + 7 * DAY, REASON, 100_000)
        late = await repository.close_due(session, at + 7 * DAY + timedelta(seconds=1), REASON, 100_000)
    assert ticket.id not in {touched.ticket_id for touched in early}
    assert ticket.id in {touched.ticket_id for touched in late}


async def test_the_tag_exempts(desk: Desk, now: datetime, api: httpx.AsyncClient) -> None:
    ticket = await resolved_ticket(desk, now)
    answer = await api.put(f"/api/tickets/{ticket.id}/tags/{NO_AUTO_CLOSE}", headers=desk.headers(Role.AGENT))
    assert answer.json() == {"success": True, "data": [NO_AUTO_CLOSE]}
    await service.scan(database(), now + 30 * DAY)
    async with transaction() as session:
        assert not await service.close(session, ticket.id, "spam", now)
    assert await state(ticket) == (TicketStatus.RESOLVED, None)
    await api.delete(f"/api/tickets/{ticket.id}/tags/{NO_AUTO_CLOSE}", headers=desk.headers(Role.AGENT))
    await service.scan(database(), now + 30 * DAY)
    assert await state(ticket) == (TicketStatus.CLOSED, REASON)


async def test_a_reopened_ticket_stays_open(desk: Desk, now: datetime) -> None:
    ticket = await resolved_ticket(desk, now)
    async with transaction() as session:
        await tickets.add_message(session, desk.customer, ticket.id, MessageInput(body="No"), now + 6 * DAY)
    await service.scan(database(), now + 8 * DAY)
    assert (await state(ticket))[0] is TicketStatus.OPEN


@pytest.mark.parametrize("first", ["the reply", "the scan"])
async def test_a_ticket_reopened_at_that_moment_stays_open(desk: Desk, now: datetime, first: str) -> None:
    ticket = await resolved_ticket(desk, now)
    late = now + 8 * DAY
    replied = asyncio.Event()

    async def reply() -> None:
        async with transaction() as session:
            await tickets.add_message(session, desk.customer, ticket.id, MessageInput(body="Still"), late)
            replied.set()
            await asyncio.sleep(0.2)  # the row stays locked while the scan comes by

    async def scan() -> None:
        if first == "the reply":
            await replied.wait()
        await service.scan(database(), late)
        async with transaction() as session:
            await service.close(session, ticket.id, REASON, late)

    if first == "the scan":
        await scan()
        await reply()
    else:
        await asyncio.gather(reply(), scan())
    assert (await state(ticket))[0] is TicketStatus.OPEN


async def test_the_101st_ticket_closes_in_the_same_scan(desk: Desk, now: datetime) -> None:
    await resolved_tickets(desk, now, 101)
    await service.scan(database(), now + 8 * DAY, batch=25)
    assert await closed_count(desk) == 101


async def test_statements_of_a_scan_do_not_grow_with_tickets(desk: Desk, now: datetime) -> None:
    await service.scan(database(), now + 8 * DAY)
    await resolved_tickets(desk, now, 3)
    async with counted() as few:
        await service.scan(database(), now + 8 * DAY)
    await resolved_tickets(desk, now, 200, first=5000)
    async with counted() as many:
        await service.scan(database(), now + 8 * DAY)
    assert len(many) == len(few)


async def test_the_customer_is_warned_once_two_days_before(desk: Desk, now: datetime) -> None:
    ticket = await resolved_ticket(desk, now)
    await service.scan(database(), now + 5 * DAY - HOUR)
    assert await staged("auto-close-warning", ticketId=ticket.id) == []
    for hours in (1, 2, 30):
        await service.scan(database(), now + 5 * DAY + hours * HOUR)
    assert len(await staged("auto-close-warning", ticketId=ticket.id)) == 1
    for _ in range(2):
        async with transaction() as session:
            await warning.send(session, ticket.id)
    async with transaction() as session:
        [mail] = await session.scalars(select(Delivery).where(Delivery.ticket_id == ticket.id))
    assert mail.recipient == desk.customer.email
    assert "closes" in mail.subject


async def test_resolved_anew_it_is_warned_anew(desk: Desk, now: datetime) -> None:
    ticket = await resolved_ticket(desk, now)
    await service.scan(database(), now + 6 * DAY)
    async with transaction() as session:
        await tickets.add_message(session, desk.customer, ticket.id, MessageInput(body="No"), now + 6 * DAY)
    async with transaction() as session:
        await tickets.update_ticket(
            session, desk.agent, ticket.id, TicketPatch(status=TicketStatus.RESOLVED), now + 7 * DAY
        )
    await service.scan(database(), now + 13 * DAY)
    assert len(await staged("auto-close-warning", ticketId=ticket.id)) == 2


async def test_a_warning_that_comes_too_late_is_not_sent(desk: Desk, now: datetime) -> None:
    ticket = await resolved_ticket(desk, now)
    async with transaction() as session:
        await service.close(session, ticket.id, "done", now)
    async with transaction() as session:
        await warning.send(session, ticket.id)
        await warning.send(session, "no such ticket")
        assert not (await session.scalars(select(Delivery).where(Delivery.ticket_id == ticket.id))).all()


async def test_a_wait_of_two_days_needs_no_warning(desk: Desk, now: datetime) -> None:
    await set_rules(desk, 2)
    ticket = await resolved_ticket(desk, now)
    await service.scan(database(), now + DAY)
    assert await staged("auto-close-warning", ticketId=ticket.id) == []


async def test_a_late_reply_reopens(desk: Desk, now: datetime) -> None:
    ticket = await resolved_ticket(desk, now)
    await service.scan(database(), now + 8 * DAY)
    async with transaction() as session:
        message = await tickets.add_message(
            session, desk.customer, ticket.id, MessageInput(body="Again"), now + 9 * DAY
        )
    assert message.ticket_id == ticket.id
    assert (await state(ticket))[0] is TicketStatus.OPEN


async def test_a_late_reply_starts_a_follow_up_where_it_is_wanted_so(
    desk: Desk, now: datetime, api: httpx.AsyncClient
) -> None:
    await set_rules(desk, 7, LateReply.FOLLOW_UP)
    ticket = await resolved_ticket(desk, now)
    await service.scan(database(), now + 8 * DAY)
    answer = await api.post(
        f"/api/tickets/{ticket.id}/messages", json={"body": "Again"}, headers=desk.headers(Role.CUSTOMER)
    )
    follow_up = answer.json()["data"]["ticketId"]
    assert await state(ticket) == (TicketStatus.CLOSED, REASON)
    shown = await api.get(f"/api/tickets/{follow_up}", headers=desk.headers(Role.CUSTOMER))
    data = shown.json()["data"]
    assert (data["followUpOf"], data["subject"], data["status"]) == (ticket.id, "Re: Help", "open")
    assert [message["body"] for message in data["messages"]] == ["Again"]


async def test_a_reply_to_a_ticket_that_is_only_resolved_reopens_it_in_any_case(
    desk: Desk, now: datetime
) -> None:
    await set_rules(desk, 7, LateReply.FOLLOW_UP)
    ticket = await resolved_ticket(desk, now)
    async with transaction() as session:
        await tickets.add_message(session, desk.customer, ticket.id, MessageInput(body="No"), now + DAY)
    assert (await state(ticket))[0] is TicketStatus.OPEN


async def test_the_briefs_job_closes_with_its_reason(desk: Desk, now: datetime, valkey_url: str) -> None:
    ticket, open_again = await resolved_ticket(desk, now), await resolved_ticket(desk, now)
    async with transaction() as session:
        await tickets.add_message(session, desk.customer, open_again.id, MessageInput(body="No"), now)
    async with testing.manual(jobs.app, url=valkey_url) as manual:
        queue = jobs.app.queue("ticket-actions")
        await queue.add("auto-close", {"ticketId": ticket.id, "reason": "spam"})
        await queue.add("auto-close", {"ticketId": open_again.id, "reason": "spam"})
        nameless = await queue.add("auto-close", {"ticketId": ticket.id}, attempts=3)
        done = await manual.drain()
        assert (done.completed, done.failed) == (2, 1)
        failed = await queue.get_job(nameless.id)
    assert failed is not None
    assert "reason" in str(failed.failed_reason)
    assert await state(ticket) == (TicketStatus.CLOSED, "spam")
    assert (await state(open_again))[0] is TicketStatus.OPEN


async def test_the_rules_route(desk: Desk, api: httpx.AsyncClient) -> None:
    path = "/api/settings/auto-close"
    shown = await api.get(path, headers=desk.headers(Role.AGENT))
    assert shown.json()["data"] == {"afterDays": 7, "lateReply": "reopen"}
    body = {"afterDays": 14, "lateReply": "follow_up"}
    assert (await api.put(path, json=body, headers=desk.headers(Role.AGENT))).status_code == 403
    assert (await api.put(path, json=body, headers=desk.headers(Role.ADMIN))).json()["data"] == body
    assert (await api.get(path, headers=desk.headers(Role.AGENT))).json()["data"] == body
    for wrong in (0, 366, "x", 1.5):
        answer = await api.put(path, json={**body, "afterDays": wrong}, headers=desk.headers(Role.ADMIN))
        assert answer.status_code == 422, wrong
    assert (await api.get(path, headers=desk.headers(Role.CUSTOMER))).status_code == 403


async def test_tags_are_for_staff_and_stay_within_bounds(
    desk: Desk, other_desk: Desk, now: datetime, api: httpx.AsyncClient
) -> None:
    ticket = await resolved_ticket(desk, now)
    path = f"/api/tickets/{ticket.id}/tags"
    assert (await api.put(f"{path}/x", headers=desk.headers(Role.CUSTOMER))).status_code == 403
    assert (await api.put(f"{path}/x", headers=other_desk.headers(Role.ADMIN))).status_code == 404
    assert (await api.put(f"{path}/No Good", headers=desk.headers(Role.AGENT))).status_code == 422
    for number in range(20):
        await api.put(f"{path}/tag-{number}", headers=desk.headers(Role.AGENT))
    assert (await api.put(f"{path}/tag-3", headers=desk.headers(Role.AGENT))).status_code == 200
    assert (await api.put(f"{path}/tag-20", headers=desk.headers(Role.AGENT))).status_code == 422
    found = await api.get("/api/tickets?tag=tag-7", headers=desk.headers(Role.AGENT))
    assert [item["id"] for item in found.json()["data"]["items"]] == [ticket.id]
    assert (await api.get("/api/tickets?tag=nothing", headers=desk.headers(Role.AGENT))).json()["data"][
        "total"
    ] == 0


async def test_a_batch_is_closed_by_its_places_whatever_the_planner_believes(
    desk: Desk, now: datetime
) -> None:
    """After a mass change the statistics know of no resolved ticket: a search for ids goes through all."""
    await resolved_tickets(desk, now - 8 * DAY, 3000)
    statements: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        statements.append((arguments[2], arguments[3]))

    engine = database().engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    async with transaction() as session:
        await repository.close_due(session, now, REASON, 500)
        await repository.mark_warned(session, now, service.NOTICE, 500)
    event.remove(engine, "before_cursor_execute", note)
    updates = [(query, values) for query, values in statements if query.startswith("UPDATE tickets")]
    assert len(updates) == 2
    for query, values in updates:
        async with transaction() as session:
            raw = (await (await session.connection()).get_raw_connection()).driver_connection
            assert raw is not None
            async with raw.cursor() as cursor:
                await cursor.execute(f"EXPLAIN {query}", values)
                plan = "\n".join(row[0] for row in await cursor.fetchall())
        assert "Tid Scan on tickets" in plan
        assert "ix_tickets_auto_close" in plan
