"""The brief's own producers, as Node's BullMQ adds their jobs, are served unchanged."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from desks import Desk
from sqlalchemy import select

import toril
from insightdesk.database import database, transaction
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.schemas import TicketInput
from insightdesk.worker import app
from toril import outbox

FOLDER = Path(__file__).parents[3] / "tests" / "node"
pytestmark = [pytest.mark.node, pytest.mark.usefixtures("quiet_database")]

# The brief's presets (section "Retry Configuration") and its enqueue functions (section "Email Jobs").
HIGH = {
    "attempts": 5,
    "backoff": {"type": "exponential", "delay": 30000},
    "priority": 1,
    "removeOnComplete": {"age": 3600},
    "removeOnFail": {"age": 86400},
}
WELCOME = {"attempts": 5, "backoff": {"type": "fixed", "delay": 60000}, "priority": 1}


@pytest.fixture
async def working(db: None, valkey_url: str) -> AsyncIterator[None]:
    relay = outbox.OutboxRelay(database().engine, url=valkey_url)
    relaying = asyncio.create_task(relay.run())
    async with app.worker_running({"email": 5}):
        yield
    relay.stop()
    await relaying
    await app.close()


async def add(valkey_url: str, *jobs: tuple[str, str, dict[str, Any], dict[str, Any]]) -> list[str]:
    """Adds the jobs with the npm package, and returns their ids."""
    if not shutil.which("node") or not (FOLDER / "node_modules" / "bullmq").is_dir():
        message = "Node or its packages are missing: cd tests/node && npm install"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    process = await asyncio.create_subprocess_exec(
        "node",
        "producer.mjs",
        str(urlsplit(valkey_url).port),
        json.dumps(jobs),
        cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    ids: list[str] = json.loads(output)
    return ids


async def mails(desk: Desk, count: int) -> list[Delivery]:
    deadline = time.monotonic() + 30
    while True:
        async with transaction() as session:
            query = select(Delivery).where(
                Delivery.organization_id == desk.organization_id, Delivery.sent_at.is_not(None)
            )
            found = list(await session.scalars(query.order_by(Delivery.template)))
        if len(found) >= count or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.05)


async def test_the_three_mail_jobs_of_the_brief(desk: Desk, working: None, valkey_url: str) -> None:
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
    await add(
        valkey_url,
        ("email", "send", send, HIGH),
        ("email", "welcome", welcome, WELCOME),
        *(("email", "ticket-notification", notice, {"attempts": 3}) for notice in notices),
    )
    found = await mails(desk, 8)
    assert sorted(
        (mail.template, mail.recipient) for mail in found if mail.template != "ticket_created"
    ) == sorted(
        [("generic", desk.agent.email), ("welcome", desk.agent.email)]
        + [
            (kind, person.email)
            for kind in ("assignment", "new_message", "status_change")
            for person in people
        ]
    )
    generic = next(mail for mail in found if mail.template == "generic")
    assert (generic.subject, "from Node" in generic.text) == ("Hello", True)


async def test_a_template_that_does_not_exist_fails_at_once(
    desk: Desk, working: None, valkey_url: str
) -> None:
    payload = {"to": desk.agent.email, "subject": "Hello", "template": "nope", "data": {}}
    (job_id,) = await add(valkey_url, ("email", "send", payload, HIGH))
    async with toril.Queue("email", url=valkey_url) as queue:
        job = await queue.get_job(job_id)
        assert job is not None
        with pytest.raises(toril.JobFailed, match="no mail template 'nope'"):
            await job.wait(timeout=10.0)
