"""The brief's own producers, as Node's BullMQ adds their jobs, are served unchanged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from desks import Desk
from node_producers import EMAIL, call, working
from sqlalchemy import select

import toril
from insightdesk.database import transaction
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.schemas import TicketInput
from insightdesk.worker import app, queue_limits

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("quiet_database")]

# The enqueue functions of the brief (section "Email Jobs"), their wishes of pg-boss in BullMQ's words.
WELCOME = {"attempts": 5, "backoff": {"type": "fixed", "delay": 60_000}, "priority": 1}
NOTICE = {"attempts": 3, "backoff": {"type": "fixed", "delay": 30_000}}


@pytest.fixture
async def workers(db: None, valkey_url: str) -> AsyncIterator[None]:
    async with working({name: limit for name, limit in queue_limits().items() if name.startswith("email")}):
        yield


async def mails(desk: Desk, count: int) -> list[Delivery]:
    """What was sent besides the news of new tickets, as soon as it is as much as this."""
    deadline = time.monotonic() + 30
    while True:
        async with transaction() as session:
            query = select(Delivery).where(
                Delivery.organization_id == desk.organization_id,
                Delivery.sent_at.is_not(None),
                Delivery.template != "ticket_created",
            )
            found = list(await session.scalars(query.order_by(Delivery.template)))
        if len(found) >= count or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.05)


async def test_the_three_mail_jobs_of_the_brief(desk: Desk, workers: None) -> None:
    async with transaction() as session:
        wanted = TicketInput(subject="Printer", body="It burns")
        ticket = await tickets.create_ticket(session, desk.customer, wanted, clock.now())
    people = (desk.agent, desk.customer)
    send = {"to": desk.agent.email, "subject": "Hello", "template": "generic", "data": {"body": "from Node"}}
    welcome = {"userId": desk.agent.user_id, "email": desk.agent.email, "name": "Ann"}
    notices = [
        {"ticketId": ticket.id, "recipientId": person.user_id, "type": type_}
        for person in people
        for type_ in ("new_message", "status_change", "assignment")
    ]
    await call(
        ("email", "add", "send", send, EMAIL),
        ("email", "add", "welcome", welcome, WELCOME),
        *(("email", "add", "ticket-notification", notice, NOTICE) for notice in notices),
    )
    found = await mails(desk, 8)
    assert sorted((mail.template, mail.recipient) for mail in found) == sorted(
        [("generic", desk.agent.email), ("welcome", desk.agent.email)]
        + [
            (kind, person.email)
            for kind in ("assignment", "new_message", "status_change")
            for person in people
        ]
    )
    generic = next(mail for mail in found if mail.template == "generic")
    assert (generic.subject, "from Node" in generic.text) == ("Hello", True)


async def test_the_queues_of_the_brief_for_each_kind_of_mail(desk: Desk, workers: None) -> None:
    """`email-welcome` and `email-ticket-notification`, whose jobs the brief does not name."""
    async with transaction() as session:
        wanted = TicketInput(subject="Printer", body="It burns")
        ticket = await tickets.create_ticket(session, desk.customer, wanted, clock.now())
    calls: list[tuple[Any, ...]] = []
    for name, person in (("welcome", desk.agent), ("email-welcome", desk.customer)):
        data = {"userId": person.user_id, "email": person.email, "name": "Ann"}
        calls.append(("email-welcome", "add", name, data, WELCOME))
    for name, person in (
        ("ticket-notification", desk.agent),
        ("email-ticket-notification", desk.customer),
        ("email-ticket-notification", desk.customer),
    ):
        notice = {"ticketId": ticket.id, "recipientId": person.user_id, "type": "new_message"}
        once = {"id": "-".join(notice.values()), "ttl": 300_000}
        calls.append(("email-ticket-notification", "add", name, notice, {**NOTICE, "deduplication": once}))
    await call(*calls)
    found = await mails(desk, 4)
    assert sorted((mail.template, mail.recipient) for mail in found) == sorted(
        (template, person.email)
        for template in ("new_message", "welcome")
        for person in (desk.agent, desk.customer)
    )


async def test_a_template_that_does_not_exist_fails_at_once(desk: Desk, workers: None) -> None:
    payload = {"to": desk.agent.email, "subject": "Hello", "template": "nope", "data": {}}
    (job_id,) = await call(("email", "add", "send", payload, EMAIL))
    job = await app.queue("email").get_job(job_id)
    assert job is not None
    with pytest.raises(toril.JobFailed, match="no mail template 'nope'"):
        await job.wait(timeout=10.0)
