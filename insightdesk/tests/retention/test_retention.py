"""Archive and purge on the real database: what goes when, what stays, and in bounded batches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from desks import Desk
from queries import counted
from sqlalchemy import func, insert, select, text, update

from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import AuditEntry, Role
from insightdesk.database import Base, database, new_id, transaction
from insightdesk.email.models import Delivery
from insightdesk.email.service import queue_mail
from insightdesk.kit import clock
from insightdesk.realtime.models import Notification
from insightdesk.reports.local_runs.models import LocalRun
from insightdesk.retention import jobs, service
from insightdesk.retention.limits import KEPT, OUTBOX_LIMIT, Limits
from insightdesk.retention.models import ArchivedTicket
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Message, Ticket, TicketStatus
from insightdesk.tickets.schemas import MessageInput, TicketInput, TicketPatch
from toril import testing

DAY = timedelta(days=1)
PATH = "/api/settings/retention"


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


async def closed_ticket(desk: Desk, at: datetime) -> Ticket:
    wanted = TicketInput(subject="Help", body="Please", customer_id=desk.customer.user_id,
                         assignee_id=desk.agent.user_id)  # fmt: skip
    async with transaction() as session:
        ticket = await tickets.create_ticket(session, desk.admin, wanted, at)
        await tickets.add_message(session, desk.agent, ticket.id, MessageInput(body="Done"), at)
        await tickets.update_ticket(
            session, desk.agent, ticket.id, TicketPatch(status=TicketStatus.CLOSED), at
        )
        return ticket


async def closed_tickets(desk: Desk, at: datetime, count: int, first: int) -> None:
    rows = [
        {
            "id": new_id(), "organization_id": desk.organization_id, "number": first + number, "subject": "s",
            "status": TicketStatus.CLOSED, "priority": "normal", "customer_id": desk.customer.user_id,
            "created_at": at, "updated_at": at, "resolved_at": at, "closed_at": at,
        }
        for number in range(count)
    ]  # fmt: skip
    async with transaction() as session:
        await session.execute(insert(Ticket), rows)


async def set_limits(desk: Desk, **days: int) -> None:
    async with transaction() as session:
        await service.set_limits(session, desk.admin, Limits(**days))


async def count(model: type[Base], desk: Desk) -> int:
    async with transaction() as session:
        organization = model.__table__.c.organization_id
        query = select(func.count()).select_from(model).where(organization == desk.organization_id)
        return await session.scalar(query) or 0


async def archived(desk: Desk) -> list[ArchivedTicket]:
    async with transaction() as session:
        rows = await session.scalars(
            select(ArchivedTicket).where(ArchivedTicket.organization_id == desk.organization_id)
        )
        return list(rows)


async def test_a_ticket_closed_for_a_year_leaves_the_desk_for_the_archive(desk: Desk, now: datetime) -> None:
    ticket = await closed_ticket(desk, now)
    await service.run(database(), now + 365 * DAY)
    assert await archived(desk) == []
    await service.run(database(), now + 365 * DAY + timedelta(seconds=1))
    [kept] = await archived(desk)
    assert (kept.id, kept.number, kept.subject, kept.closed_at) == (ticket.id, ticket.number, "Help", now)
    document: dict[str, Any] = kept.document
    assert [message["body"] for message in document["messages"]] == ["Please", "Done"]
    assert document["participants"] == sorted([desk.customer.user_id, desk.agent.user_id])
    assert (document["status"], document["priority"]) == ("closed", "normal")
    for model in (Ticket, Message):
        assert await count(model, desk) == 0


async def test_the_archive_is_purged_after_its_own_limit(desk: Desk, now: datetime) -> None:
    await closed_ticket(desk, now)
    await service.run(database(), now + 400 * DAY)
    await service.run(database(), now + 1095 * DAY)
    assert len(await archived(desk)) == 1
    await service.run(database(), now + 1095 * DAY + timedelta(seconds=1))
    assert await archived(desk) == []


async def test_limits_are_the_organizations(desk: Desk, other_desk: Desk, now: datetime) -> None:
    await set_limits(desk, archive_after_days=10, purge_after_days=20)
    await closed_ticket(desk, now)
    await closed_ticket(other_desk, now)
    await service.run(database(), now + 11 * DAY)
    assert (len(await archived(desk)), len(await archived(other_desk))) == (1, 0)
    await service.run(database(), now + 21 * DAY)
    assert await archived(desk) == []


async def test_only_closed_tickets_are_archived(desk: Desk, now: datetime) -> None:
    ticket = await closed_ticket(desk, now)
    async with transaction() as session:
        await tickets.update_ticket(
            session, desk.agent, ticket.id, TicketPatch(status=TicketStatus.OPEN), now + 364 * DAY
        )
    await service.run(database(), now + 500 * DAY)
    assert await archived(desk) == []
    assert await count(Ticket, desk) == 1


async def test_a_follow_up_outlives_what_it_follows(desk: Desk, now: datetime) -> None:
    first = await closed_ticket(desk, now)
    second = await closed_ticket(desk, now + 300 * DAY)
    async with transaction() as session:
        await session.execute(update(Ticket).where(Ticket.id == second.id).values(follow_up_of=first.id))
    await service.run(database(), now + 400 * DAY)
    assert [kept.id for kept in await archived(desk)] == [first.id]
    async with transaction() as session:
        assert (await session.get_one(Ticket, second.id)).follow_up_of is None


async def test_mails_notifications_and_the_audit_log_have_limits_too(desk: Desk, now: datetime) -> None:
    async with transaction() as session:
        await queue_mail(
            session, organization_id=desk.organization_id, recipient=desk.agent.email, template="generic",
            data={"subject": "s", "body": "b"}, key="old",
        )  # fmt: skip
        accounts.audit(session, desk.admin, "something", "kind", "id")
        session.add(
            LocalRun(organization_id=desk.organization_id, schedule="s", day=now.date(), begun_at=now)
        )
    ticket = await closed_ticket(desk, now)
    async with transaction() as session:
        session.add(
            Notification(
                organization_id=desk.organization_id, user_id=desk.agent.user_id, ticket_id=ticket.id,
                action="closed", created_at=now,
            )
        )  # fmt: skip
    limits = Limits()
    for models, days in (
        ((Notification, LocalRun), limits.notification_days),
        ((Delivery,), limits.delivery_days),
        ((AuditEntry,), limits.audit_days),
    ):
        await service.run(database(), now + days * DAY - timedelta(hours=1))
        assert all([await count(model, desk) for model in models]), days
        await service.run(database(), clock.now() + days * DAY + timedelta(hours=1))
        assert not any([await count(model, desk) for model in models]), days


async def test_jobs_that_no_relay_takes_go_after_a_month_and_it_is_told(
    desk: Desk, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    await closed_ticket(desk, now)
    done = await service.run(database(), clock.now() + OUTBOX_LIMIT + DAY)
    assert done["outbox jobs purged"] > 0
    assert "were never enqueued" in capsys.readouterr().out
    async with transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM toril_outbox")) == 0


async def test_batches_go_on_until_nothing_is_left(desk: Desk, now: datetime) -> None:
    await closed_tickets(desk, now, 25, first=1000)
    done = await service.run(database(), now + 366 * DAY, batch=10)
    assert done["tickets archived"] >= 25
    assert len(await archived(desk)) == 25


async def test_statements_do_not_grow_with_rows(desk: Desk, now: datetime) -> None:
    await service.run(database(), now + 366 * DAY)
    await closed_tickets(desk, now, 2, first=1000)
    async with counted() as few:
        await service.run(database(), now + 366 * DAY)
    await closed_tickets(desk, now, 200, first=2000)
    async with counted() as many:
        await service.run(database(), now + 366 * DAY)
    assert len(many) == len(few)


def test_everything_that_is_kept_has_a_limit_that_an_organization_knows() -> None:
    assert {kept.limit for kept in KEPT if isinstance(kept.limit, str)} < set(Limits.__dataclass_fields__)


async def test_the_briefs_job_archives(desk: Desk, now: datetime, valkey_url: str) -> None:
    await closed_ticket(desk, now - 366 * DAY)
    async with testing.manual(jobs.app, url=valkey_url) as manual:
        queue = jobs.app.queue("cleanup")
        await queue.add("archive", {"action": "archive"})
        unknown = await queue.add("archive", {"action": "format the disk"}, attempts=3)
        done = await manual.drain()
        assert (done.completed, done.failed) == (1, 1)
        failed = await queue.get_job(unknown.id)
    assert failed is not None
    assert "action" in str(failed.failed_reason)
    assert len(await archived(desk)) == 1


async def test_the_limits_route(desk: Desk, api: httpx.AsyncClient) -> None:
    shown = await api.get(PATH, headers=desk.headers(Role.ADMIN))
    body = shown.json()["data"]
    assert body == {
        "archiveAfterDays": 365, "purgeAfterDays": 1095, "deliveryDays": 180, "notificationDays": 90,
        "auditDays": 730,
    }  # fmt: skip
    changed = {**body, "auditDays": 30}
    assert (await api.put(PATH, json=changed, headers=desk.headers(Role.ADMIN))).json()["data"] == changed
    assert (await api.get(PATH, headers=desk.headers(Role.ADMIN))).json()["data"] == changed
    assert (await api.get(PATH, headers=desk.headers(Role.AGENT))).status_code == 403
    for wrong in ({"auditDays": 0}, {"purgeAfterDays": 1}, {"deliveryDays": 36_501}, {"auditDays": "x"}):
        answer = await api.put(PATH, json={**body, **wrong}, headers=desk.headers(Role.ADMIN))
        assert answer.status_code == 422, wrong


async def test_the_archive_is_read_by_its_own_staff(
    desk: Desk, other_desk: Desk, now: datetime, api: httpx.AsyncClient
) -> None:
    ticket = await closed_ticket(desk, now)
    await service.run(database(), now + 366 * DAY)
    path = "/api/archive/tickets"
    listed = (await api.get(path, headers=desk.headers(Role.AGENT))).json()["data"]
    assert [(item["id"], item["subject"]) for item in listed["items"]] == [(ticket.id, "Help")]
    found = await api.get(f"{path}?number={ticket.number + 1}", headers=desk.headers(Role.AGENT))
    assert found.json()["data"]["total"] == 0
    shown = (await api.get(f"{path}/{ticket.id}", headers=desk.headers(Role.AGENT))).json()["data"]
    assert [message["body"] for message in shown["document"]["messages"]] == ["Please", "Done"]
    assert (await api.get(path, headers=other_desk.headers(Role.AGENT))).json()["data"]["total"] == 0
    for who, role in ((other_desk, Role.ADMIN), (desk, Role.CUSTOMER)):
        refused = await api.get(f"{path}/{ticket.id}", headers=who.headers(role))
        assert refused.status_code in (403, 404)
