"""What the tests of exports do again and again."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import datetime, timedelta

import httpx
from desks import Desk

from insightdesk.accounts.models import Role
from insightdesk.database import new_id, transaction
from insightdesk.kit import clock
from insightdesk.reports.exports.models import Export, ExportState
from insightdesk.tickets.models import Message, Priority, Ticket, TicketStatus, Visibility

ENDED = (ExportState.DONE, ExportState.FAILED)


async def add_tickets(
    desk: Desk, count: int, *, subject: str = "Printer {0}", created_at: datetime | None = None
) -> None:
    """Tickets with the numbers 1, 2, …, each with one message; odd ones are urgent, every fifth is solved."""
    start = created_at or clock.now() - timedelta(days=30)
    tickets, messages = [], []
    for number in range(1, count + 1):
        at = start + timedelta(minutes=number)
        ticket = Ticket(
            id=new_id(),
            organization_id=desk.organization_id,
            number=number,
            subject=subject.format(number),
            status=TicketStatus.OPEN if number % 5 else TicketStatus.RESOLVED,
            priority=Priority.URGENT if number % 2 else Priority.NORMAL,
            customer_id=desk.customer.user_id,
            assignee_id=None if number % 3 else desk.agent.user_id,
            created_at=at,
            updated_at=at,
            resolved_at=None if number % 5 else at,
        )
        tickets.append(ticket)
        messages.append(
            Message(
                organization_id=desk.organization_id,
                ticket_id=ticket.id,
                author_id=desk.customer.user_id,
                body=f"It is {subject.format(number)}.",
                visibility=Visibility.PUBLIC,
                created_at=at,
            )
        )
    async with transaction() as session:
        session.add_all(tickets)
        await session.flush()
        session.add_all(messages)


async def ask(
    api: httpx.AsyncClient, desk: Desk, role: Role = Role.AGENT, **wanted: object
) -> httpx.Response:
    """Ask for an export."""
    body = {"reportType": "tickets", **wanted}
    return await api.post("/api/reports/exports", json=body, headers=desk.headers(role))


async def view(
    api: httpx.AsyncClient, desk: Desk, export_id: str, role: Role = Role.AGENT
) -> dict[str, object]:
    """The export as the API shows it."""
    answer = await api.get(f"/api/reports/exports/{export_id}", headers=desk.headers(role))
    data: dict[str, object] = answer.json()["data"]
    return data


async def ended(
    api: httpx.AsyncClient, desk: Desk, export_id: str, role: Role = Role.AGENT
) -> dict[str, object]:
    """Wait until the export is done or has failed."""
    async with asyncio.timeout(20):
        while (found := await view(api, desk, export_id, role))["state"] not in ENDED:
            await asyncio.sleep(0.05)
    return found


async def made(api: httpx.AsyncClient, desk: Desk, role: Role = Role.AGENT, **wanted: object) -> bytes:
    """Ask for an export and fetch its file by its link."""
    answer = await ask(api, desk, role, **wanted)
    assert answer.status_code == 202, answer.text
    found = await ended(api, desk, answer.json()["data"]["id"], role)
    assert found["state"] == "done", found
    url = str(found["downloadUrl"])
    download = await api.get(url[url.index("/files/") :])
    assert download.status_code == 200
    return download.content


def rows_of(content: bytes) -> list[dict[str, str]]:
    """A CSV's rows by the names of its columns."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def stored_export(export_id: str) -> Export:
    """The export's row."""
    async with transaction() as session:
        return await session.get_one(Export, export_id)
