"""How many mails run at a time: five, and ten notifications of tickets beside them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from desks import Desk
from scripted import use

from insightdesk.database import new_id, transaction
from insightdesk.email.providers import HandingOver, OutgoingMail
from insightdesk.kit import clock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.schemas import TicketInput
from insightdesk.worker import app, queue_limits


@dataclass
class Slow:
    """A provider that keeps every mail until it may go on."""

    name: str = field(default_factory=lambda: f"slow:{new_id()}")
    remembers: None = None
    rate: None = None
    timeout: float = 30.0
    holding: list[str] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, mail: OutgoingMail, handing_over: HandingOver) -> str | None:
        await handing_over()
        self.holding.append(mail.to)
        await self.go_on.wait()
        return None

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.holding) < count:
                await asyncio.sleep(0.02)


async def test_five_mails_and_ten_notifications_run_at_a_time(
    desk: Desk, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Slow()
    use(monkeypatch, provider)
    async with transaction() as session:
        wanted = TicketInput(subject="Printer", body="It burns")
        ids = [
            (await tickets.create_ticket(session, desk.customer, wanted, clock.now())).id for _ in range(12)
        ]
    to = desk.admin.email
    generic = {"to": to, "subject": "Hello", "template": "generic", "data": {"body": "?"}}
    limits = {name: limit for name, limit in queue_limits().items() if name.startswith("email")}
    with app.redirected(app.url, prefix=f"slots-{new_id()}"):
        for ticket in ids:
            notice = {"ticketId": ticket, "recipientId": desk.agent.user_id, "type": "assignment"}
            await app.queue("email-ticket-notification").add("ticket-notification", notice)
            await app.queue("email").add("send", generic)
        async with app.worker_running(limits):
            await provider.until(15)
            # What waits is waiting for a slot: its kind has all that it may have, and no more.
            waiting = {name: (await app.queue(name).get_job_counts())["waiting"] for name in limits}
            assert waiting == {"email": 7, "email-ticket-notification": 2, "email-welcome": 0}
            assert sorted(provider.holding) == sorted(5 * [to] + 10 * [desk.agent.email])
            provider.go_on.set()
            await provider.until(24)
        await app.close()
