"""What the brief's three e-mail jobs do: store one delivery under the job's key, then hand it over."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parseaddr

import toril
from insightdesk.database import transaction
from insightdesk.email import repository
from insightdesk.email.composing import stage
from insightdesk.email.delivery import deliver
from insightdesk.email.kinds import NotificationKind
from insightdesk.email.registry import UnknownTemplate
from insightdesk.email.rendering import InvalidData
from insightdesk.settings import get_settings

__all__ = ["send_generic", "send_notification", "send_welcome"]


async def send_generic(
    key: str,
    to: str,
    subject: str,
    template: str,
    data: Mapping[str, toril.Json],
    organization_id: str | None = None,
) -> None:
    """Sends a mail that a producer chose: any template of the registry, with its data.

    The template `generic` is worded by its data: `body` (or `html`, which is sanitised), and a list of
    whatever else there is. Without an organization, it is the one that knows the address.
    """
    await _send(key, organization_id, to, template, {**data, "subject": subject})


async def send_welcome(key: str, user_id: str, email: str, name: str) -> None:
    """Greets a new user at the address that the job carries."""
    async with transaction() as session:
        user = await repository.user_with_address(session, user_id, email)
    organization_id = user.organization_id if user else None
    known = user.id if user else None
    await _send(key, organization_id, email, "welcome", {"name": name}, user_id=known)


async def _send(
    key: str,
    organization_id: str | None,
    to: str,
    template: str,
    data: Mapping[str, toril.Json],
    *,
    user_id: str | None = None,
) -> None:
    async with transaction() as session:
        if organization_id is None:
            organization_id = await repository.organization_of_address(session, parseaddr(to)[1] or to)
        elif not await repository.organization_exists(session, organization_id):
            raise toril.Fail(f"there is no organization {organization_id[:100]!r}")
        if organization_id is None:
            raise toril.Fail(f"no organization knows the address {to[:100]!r}")
        try:
            staged = await stage(
                session,
                organization_id=organization_id,
                recipient=to,
                template=template,
                data=data,
                key=key,
                user_id=user_id,
            )
        except (UnknownTemplate, InvalidData) as error:
            raise toril.Fail(str(error)) from error
    await deliver(staged.delivery_id)


async def send_notification(key: str, ticket_id: str, recipient_id: str, kind: NotificationKind) -> None:
    """Tells one person what happened to a ticket."""
    async with transaction() as session:
        facts = await repository.ticket_facts(session, ticket_id, recipient_id)
        if facts is None:
            raise toril.Fail("the ticket or its recipient does not exist (in one organization)")
        ticket, recipient = facts.ticket, facts.recipient
        if not recipient.active:
            return
        values: dict[str, toril.Json] = {
            "recipient": {"name": recipient.name},
            "ticket": {
                "number": ticket.number,
                "subject": ticket.subject,
                "status": ticket.status.value,
                "priority": ticket.priority.value,
                "url": f"{get_settings().base_url}/?ticket={ticket.id}",
            },
        }
        if kind is NotificationKind.NEW_MESSAGE:
            found = await repository.last_message(
                session, ticket_id, not_by=recipient_id, internal=recipient.role.is_staff
            )
            values["messages"] = [{"author": found[1], "body": found[0].body}] if found else []
        if kind in (NotificationKind.SLA_WARNING, NotificationKind.SLA_BREACH):
            clock = await repository.newest_clock(
                session, ticket_id, breached=kind is NotificationKind.SLA_BREACH
            )
            values["sla"] = {
                "metric": clock.metric.value.replace("_", " ") if clock else "next step",
                "due": f"{clock.due_at:%Y-%m-%d %H:%M:%S} UTC" if clock else None,
            }
        staged = await stage(
            session,
            organization_id=ticket.organization_id,
            recipient=recipient.email,
            template=kind.value,
            data=values,
            key=key,
            user_id=recipient.id,
            ticket_id=ticket.id,
        )
    await deliver(staged.delivery_id)
