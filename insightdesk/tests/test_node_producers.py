"""What Node's BullMQ adds as the brief's producers do is served, in each queue besides those of mail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from desks import Desk
from node_producers import HIGH, LOW, MEDIUM, REPORT, call, working
from sqlalchemy import select, text, update

from insightdesk.database import transaction
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.realtime.models import Notification
from insightdesk.reports.exports.models import Export, ExportState
from insightdesk.retention.models import ArchivedTicket
from insightdesk.sla.models import Metric, SlaBreach
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Ticket, TicketStatus
from insightdesk.tickets.schemas import TicketInput
from insightdesk.worker import app, queue_limits

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("quiet_database")]

DAY = timedelta(days=1)


@pytest.fixture
def monday(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The coming Monday at 09:30 UTC: the helpdesk's time, when digest and weekly report are due."""
    today = datetime.now(UTC).date()
    now = datetime.combine(today + timedelta(days=7 - today.weekday()), time(9, 30), UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    return now


@pytest.fixture
async def workers(db: None, valkey_url: str) -> AsyncIterator[None]:
    async with working(queue_limits()):
        yield


async def ticket_of(desk: Desk, at: datetime, **values: object) -> str:
    """A ticket of that moment, whose own jobs are lost: what happens to it is Node's doing."""
    wanted = TicketInput(
        subject="Printer", body="It burns", customer_id=desk.customer.user_id, assignee_id=desk.agent.user_id
    )
    async with transaction() as session:
        ticket = await tickets.create_ticket(session, desk.admin, wanted, at)
        await session.execute(
            text("DELETE FROM toril_outbox WHERE data->>'ticketId' = :id"), {"id": ticket.id}
        )
        if values:
            await session.execute(update(Ticket).where(Ticket.id == ticket.id).values(**values))
        return ticket.id


async def done(queue: str, *jobs: str) -> None:
    """Wait until these jobs have ended well."""
    for job_id in jobs:
        job = await app.queue(queue).get_job(job_id)
        assert job is not None
        await job.wait(timeout=20.0)


async def run_now(queue: str, *schedulers: tuple[str, str, dict[str, Any]]) -> None:
    """Let Node declare these schedulers (id, pattern, template), and run the first job of each now."""
    jobs = await call(
        *(
            (queue, "upsertJobScheduler", scheduler, {"pattern": pattern}, template)
            for scheduler, pattern, template in schedulers
        )
    )
    for job_id in jobs:
        job = await app.queue(queue).get_job(job_id)
        assert job is not None
        await job.promote()
    await done(queue, *jobs)


async def sent(desk: Desk, *templates: str) -> dict[str, str]:
    """The keys of the mails of these templates, with their recipients, once there are as many."""
    async with asyncio.timeout(20):
        while True:
            async with transaction() as session:
                query = select(Delivery).where(
                    Delivery.organization_id == desk.organization_id,
                    Delivery.template.in_(templates),
                    Delivery.sent_at.is_not(None),
                )
                found = (await session.scalars(query)).all()
            if len(found) >= len(templates):
                return {mail.idempotency_key: mail.recipient for mail in found}
            await asyncio.sleep(0.05)


async def breaches(ticket_id: str) -> set[Metric]:
    async with transaction() as session:
        return set(await session.scalars(select(SlaBreach.metric).where(SlaBreach.ticket_id == ticket_id)))


async def test_checks_and_the_scan(desk: Desk, workers: None) -> None:
    late = clock.now() - timedelta(hours=2)
    both = {Metric.FIRST_RESPONSE, Metric.RESOLUTION}
    ticket = await ticket_of(desk, late)
    jobs = await call(
        *(
            # `startAfter` a deadline that has passed.
            ("sla-check", "add", "check", {"ticketId": ticket, "checkType": kind}, {**HIGH, "delay": 0})
            for kind in ("first_response", "resolution")
        )
    )
    await done("sla-check", *jobs)
    assert await breaches(ticket) == both
    ticket = await ticket_of(desk, late)
    await run_now("sla-check", ("sla-scan", "*/5 * * * *", {"name": "scan"}))
    assert await breaches(ticket) == both


async def test_auto_close_of_one_and_of_all(desk: Desk, workers: None) -> None:
    now = clock.now()
    one, old, fresh = [
        await ticket_of(desk, at, status=TicketStatus.RESOLVED, resolved_at=at)
        for at in (now - DAY, now - 8 * DAY, now - DAY)
    ]
    data = {"ticketId": one, "reason": "spam"}
    await done(
        "ticket-actions",
        *await call(("ticket-actions", "add", "auto-close", data, MEDIUM)),
    )
    await run_now("ticket-actions", ("auto-close-daily", "0 2 * * *", {"name": "auto-close-scan"}))
    async with transaction() as session:
        rows = await session.execute(
            select(Ticket.id, Ticket.closed_reason).where(Ticket.id.in_([one, old, fresh]))
        )
        assert {row.id: row.closed_reason for row in rows} == {
            one: "spam",
            old: "auto_closed_after_resolution",
            fresh: None,
        }
    # The brief's auto-close tells the customer.
    assert set((await sent(desk, "ticket_closed")).values()) == {desk.customer.email}


async def test_notifications(desk: Desk, workers: None) -> None:
    ticket = await ticket_of(desk, clock.now())
    data = {
        "ticketId": ticket,
        "action": "assigned",
        "actorId": desk.admin.user_id,
        "recipientIds": [desk.agent.user_id, desk.admin.user_id],
    }
    await done(
        "notifications",
        *await call(("notifications", "add", "ticket", data, MEDIUM)),
    )
    async with transaction() as session:
        rows = await session.scalars(select(Notification).where(Notification.ticket_id == ticket))
        assert [(row.user_id, row.action) for row in rows] == [(desk.agent.user_id, "assigned")]


async def test_digests_reports_and_exports(desk: Desk, monday: datetime, workers: None) -> None:
    thursday, saturday = monday - 4 * DAY, monday - 2 * DAY
    for day in (thursday, saturday):
        await ticket_of(desk, day)
    organization = desk.organization_id
    digest = {"organizationId": organization, "date": f"{thursday:%Y-%m-%d}"}
    order = {
        "organizationId": organization,
        "reportType": "tickets",
        "filters": {},
        "requestedBy": desk.agent.user_id,
    }
    await done(
        "reports",
        *await call(
            ("reports", "add", "daily-digest", digest),
            ("reports", "add", "export", order, REPORT),
        ),
    )
    await run_now(
        "reports",
        ("daily-digest-schedule", "0 8 * * *", {"name": "daily-digest-scan"}),
        ("weekly-report-schedule", "0 9 * * 1", {"name": "weekly-report"}),
    )
    agent, admin = desk.agent, desk.admin
    found = await sent(desk, "report_ready", "daily_digest", "daily_digest", "weekly_report")
    async with transaction() as session:
        export = (await session.scalars(select(Export).where(Export.requested_by == agent.user_id))).one()
    assert (export.state, export.rows_done) == (ExportState.DONE, 2)
    assert found == {
        f"export-ready:{export.id}": agent.email,
        f"daily-digest:{agent.user_id}:{thursday:%Y-%m-%d}": agent.email,
        f"daily-digest:{agent.user_id}:{monday - DAY:%Y-%m-%d}": agent.email,
        f"weekly-report:{admin.user_id}:{monday - 7 * DAY:%Y-%m-%d}": admin.email,
    }


async def test_the_archive(desk: Desk, workers: None) -> None:
    at = clock.now() - 400 * DAY
    ticket = await ticket_of(desk, at, status=TicketStatus.CLOSED, resolved_at=at, closed_at=at)
    template = {"name": "archive", "data": {"action": "archive"}, "opts": LOW}
    await run_now("cleanup", ("cleanup-old-data", "0 3 * * *", template))
    async with transaction() as session:
        archived = await session.scalars(
            select(ArchivedTicket.id).where(ArchivedTicket.organization_id == desk.organization_id)
        )
        assert archived.all() == [ticket]
