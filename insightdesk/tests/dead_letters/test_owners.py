"""Whose a job is, by each thing that a payload may refer to."""

from __future__ import annotations

import httpx
from desks import Desk
from queries import counted

from insightdesk.accounts.models import Role
from insightdesk.database import new_id, transaction
from insightdesk.dead_letters.owners import organizations_of
from insightdesk.email.models import MailWindow


async def test_each_reference_tells_and_all_must_agree(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    answer = await api.post(
        "/api/tickets", json={"subject": "Ours", "body": "!"}, headers=desk.headers(Role.CUSTOMER)
    )
    ticket, window = answer.json()["data"]["id"], new_id()
    async with transaction() as session:
        session.add(
            MailWindow(
                id=window,
                organization_id=desk.organization_id,
                ticket_id=ticket,
                user_id=desk.agent.user_id,
                kind="new_message",
            )
        )
    own = [
        {"organizationId": desk.organization_id}, {"ticketId": ticket}, {"windowId": window},
        {"recipientIds": [desk.agent.user_id, desk.admin.user_id]}, {"to": desk.customer.email.upper()},
    ]  # fmt: skip
    nobodys = [
        None, [], "text", {}, {"ticketId": "none"}, {"ticketId": 7}, {"to": "nobody@example.com"},
        {"ticketId": ticket, "userId": other_desk.agent.user_id},
        {"organizationId": "none", "ticketId": ticket},
    ]  # fmt: skip
    async with counted() as statements, transaction() as session:
        found = await organizations_of(session, [*own, *nobodys] * 3)
    assert found == [*[desk.organization_id] * len(own), *[None] * len(nobodys)] * 3
    assert len(statements) <= 6
