"""The whole road with real workers: ticket, clock, check at the deadline, breach, outbox, mails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from desks import Desk
from sqlalchemy import select, text

import toril
from insightdesk.accounts.models import Role
from insightdesk.admin import health
from insightdesk.database import database, transaction
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.schedules import SCHEDULES
from insightdesk.sla import service as sla
from insightdesk.sla.models import Metric, SlaBreach
from insightdesk.tickets.models import Priority
from insightdesk.worker import app, queue_limits
from toril import outbox

pytestmark = pytest.mark.usefixtures("quiet_database")


async def eventually(look: Callable[[], Awaitable[bool]], limit: float = 20.0) -> None:
    """Wait until ``look`` is satisfied, at most ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not await look():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.1)


@pytest.fixture
async def working(db: None, valkey_url: str) -> AsyncIterator[None]:
    """Workers and the outbox's relay, in the background."""
    relay = outbox.OutboxRelay(database().engine, url=valkey_url)
    relaying = asyncio.create_task(relay.run())
    async with app.worker_running(queue_limits()):
        yield
    relay.stop()
    await relaying
    await app.close()


async def short_promise(desk: Desk, minutes: float) -> None:
    async with transaction() as session:
        await sla.set_target(
            session,
            desk.organization_id,
            Priority.URGENT,
            first_response_minutes=minutes,
            resolution_minutes=60.0,
        )


async def breached(ticket_id: str) -> list[Metric]:
    async with transaction() as session:
        rows = await session.scalars(select(SlaBreach.metric).where(SlaBreach.ticket_id == ticket_id))
        return list(rows)


async def breach_mails(ticket_id: str) -> set[str]:
    async with transaction() as session:
        rows = await session.scalars(
            select(Delivery.recipient).where(
                Delivery.ticket_id == ticket_id,
                Delivery.state == DeliveryState.SENT,
                Delivery.subject.like("SLA breached%"),
            )
        )
        return set(rows)


async def test_a_ticket_nobody_answers_breaches_and_is_mailed(
    api: httpx.AsyncClient, desk: Desk, working: None
) -> None:
    await short_promise(desk, 0.02)
    body = {"subject": "Fire", "body": "!", "priority": "urgent", "assigneeId": desk.agent.user_id,
            "customerId": desk.customer.user_id}  # fmt: skip
    response = await api.post("/api/tickets", json=body, headers=desk.headers(Role.ADMIN))
    ticket_id = response.json()["data"]["id"]

    async def mailed() -> bool:
        return await breach_mails(ticket_id) == {desk.admin.email, desk.agent.email}

    await eventually(mailed)
    assert await breached(ticket_id) == [Metric.FIRST_RESPONSE]
    listed = await api.get("/admin/emails", params={"to": desk.agent.email}, headers=desk.headers(Role.ADMIN))
    newest = listed.json()["data"]["items"][0]
    assert newest["subject"] == "SLA breached: Fire"
    detail = await api.get(f"/admin/emails/{newest['id']}", headers=desk.headers(Role.ADMIN))
    assert "Fire" in detail.json()["data"]["text"]


async def test_a_foreign_producers_check_is_served_and_put_off_to_the_deadline(
    api: httpx.AsyncClient, desk: Desk, working: None, valkey_url: str
) -> None:
    await short_promise(desk, 0.02)
    body = {"subject": "Slow", "body": "...", "priority": "urgent"}
    response = await api.post("/api/tickets", json=body, headers=desk.headers(Role.CUSTOMER))
    ticket_id = response.json()["data"]["id"]
    async with toril.Queue("sla-check", url=valkey_url) as queue:
        job = await queue.add("check", {"ticketId": ticket_id, "checkType": "first_response"})
        await job.wait(timeout=15.0)
    assert await breached(ticket_id) == [Metric.FIRST_RESPONSE]


async def test_a_moved_deadline_replaces_the_check_that_waits(
    api: httpx.AsyncClient, desk: Desk, working: None, valkey_url: str
) -> None:
    body = {"subject": "Later", "body": "..."}
    response = await api.post("/api/tickets", json=body, headers=desk.headers(Role.CUSTOMER))
    ticket = response.json()["data"]["id"]

    async def checks() -> dict[str, list[int]]:
        """Versions of the clocks whose check waits, by metric."""
        jobs: list[toril.Job] = []
        async with toril.Queue("sla-check", url=valkey_url) as queue:
            # Other tests' checks wait there too.
            for start in range(0, (await queue.get_job_counts())["delayed"], 1000):
                jobs += await queue.get_jobs(toril.JobState.DELAYED, start, start + 999)
        found: dict[str, list[int]] = {}
        for job in jobs:
            if isinstance(job.data, dict) and job.data.get("ticketId") == ticket:
                found.setdefault(str(job.data["checkType"]), []).append(int(job.id.rpartition("-")[2]))
        return found

    async def waits(version: int) -> bool:
        return await checks() == {"first_response": [version], "resolution": [version]}

    await eventually(lambda: waits(1))
    await api.patch(f"/api/tickets/{ticket}", json={"priority": "urgent"}, headers=desk.headers(Role.AGENT))
    await eventually(lambda: waits(2))


async def test_tickets_are_taken_while_valkey_is_down(
    api: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "app", toril.Toril("valkey://127.0.0.1:9/0"))
    started = time.monotonic()
    stats = await api.get("/admin/jobs/stats", headers=desk.headers(Role.ADMIN))
    assert stats.status_code == 503
    assert stats.json()["success"] is False
    ready = await api.get("/ready", headers=desk.headers(Role.ADMIN))
    assert "valkey cannot be reached" in ready.json()["error"]
    assert time.monotonic() - started < 6
    response = await api.post(
        "/api/tickets", json={"subject": "Down", "body": "?"}, headers=desk.headers(Role.CUSTOMER)
    )
    assert response.status_code == 201
    async with transaction() as session:
        kept = await session.scalar(
            text("SELECT count(*) FROM toril_outbox WHERE data->>'ticketId' = :id"),
            {"id": response.json()["data"]["id"]},
        )
    assert kept == 3


async def test_stats_have_every_queue_under_its_key(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    response = await api.get("/admin/jobs/stats", headers=desk.headers(Role.ADMIN))
    assert set(response.json()["data"]) == {
        "email", "emailWelcome", "emailTicketNotification", "slaCheck", "ticketActions", "reports",
        "notifications", "cleanup",
    }  # fmt: skip


def test_every_schedule_reaches_a_handler() -> None:
    handled = {(definition.queue, definition.name) for definition in app.definitions}
    assert set(app.schedules) == {schedule.id for schedule in SCHEDULES}
    assert {(queue, job.name) for _, queue, job in app.schedules.values()} <= handled
    assert {queue for _, queue, _ in app.schedules.values()} <= set(queue_limits())
