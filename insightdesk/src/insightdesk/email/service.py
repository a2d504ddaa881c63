"""One delivery row a job, and at most one mail a delivery.

`queued -> sending -> sent | refused | failed`. A failed delivery is taken up again by the job's next try.
A delivery found in `sending` was left there by a crash or by a connection lost in mid-send. Where the
provider cannot tell whether it took the mail (SMTP), it is not sent again: it becomes `failed`, for a
person to decide. The local provider only stores, so there it is safe to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parseaddr

import jinja2
import structlog

import toril
from insightdesk.database import transaction
from insightdesk.email import repository
from insightdesk.email.kinds import SUBJECTS, NotificationKind
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import (
    OutgoingMail,
    PermanentRefusal,
    TransientFailure,
    provider_from_url,
)
from insightdesk.email.rendering import TEMPLATES, render
from insightdesk.settings import get_settings

__all__ = ["send_generic", "send_notification", "send_welcome"]

_log = structlog.get_logger(__name__)


async def send_generic(key: str, to: str, subject: str, template: str, data: Mapping[str, object]) -> None:
    """Sends a mail that a producer worded itself.

    `template` is `generic` or `welcome`; `data` may hold `body`, everything else in it is listed below.
    """
    name = template if template in TEMPLATES else "generic"
    values: dict[str, object] = dict(data)
    if name == "generic":
        body = values.pop("body", values.pop("text", ""))
        values = {"body": str(body), "facts": [(label, str(value)) for label, value in values.items()]}
    try:
        mail = render(name, subject, values)
    except jinja2.TemplateError as error:
        raise toril.Fail(f"the data do not fit the template {name!r}: {error}") from error
    async with transaction() as session:
        organization_id = await repository.organization_of_address(session, parseaddr(to)[1] or to)
        if organization_id is None:
            raise toril.Fail(f"no organization knows the address {to[:100]!r}")
        await repository.store(
            session,
            key,
            organization_id=organization_id,
            recipient=to,
            template=name,
            mail=mail,
            domain=_domain(),
        )
    await _deliver(key)


async def send_welcome(key: str, user_id: str, email: str, name: str) -> None:
    """Greets a new user at the address that the job carries."""
    mail = render("welcome", "Welcome to InsightDesk!", {"name": name})
    async with transaction() as session:
        organization_id = await repository.organization_of_address(session, email)
        if organization_id is None:
            raise toril.Fail(f"no organization knows the address {email[:100]!r}")
        await repository.store(
            session,
            key,
            organization_id=organization_id,
            recipient=email,
            template="welcome",
            mail=mail,
            domain=_domain(),
        )
    _log.debug("welcome", user_id=user_id)
    await _deliver(key)


async def send_notification(key: str, ticket_id: str, recipient_id: str, kind: NotificationKind) -> None:
    """Tells one person what happened to a ticket."""
    async with transaction() as session:
        facts = await repository.ticket_facts(session, ticket_id, recipient_id)
        if facts is None:
            raise toril.Fail("the ticket or its recipient does not exist (in one organization)")
        ticket, recipient = facts.ticket, facts.recipient
        if not recipient.active:
            return
        values: dict[str, object] = {
            "recipient": {"name": recipient.name},
            "ticket": {
                "subject": ticket.subject,
                "status": ticket.status.value,
                "priority": ticket.priority.value,
            },
        }
        if kind is NotificationKind.NEW_MESSAGE:
            found = await repository.last_message(
                session, ticket_id, not_by=recipient_id, internal=recipient.role.is_staff
            )
            values["message"] = (
                {"author": found[1], "body": found[0].body} if found else {"author": "", "body": ""}
            )
        if kind in (NotificationKind.SLA_WARNING, NotificationKind.SLA_BREACH):
            clock = await repository.newest_clock(
                session, ticket_id, breached=kind is NotificationKind.SLA_BREACH
            )
            values["sla"] = {
                "metric": clock.metric.value.replace("_", " ") if clock else "next step",
                "due": f"{clock.due_at:%Y-%m-%d %H:%M:%S} UTC" if clock else None,
            }
        await repository.store(
            session,
            key,
            organization_id=ticket.organization_id,
            recipient=recipient.email,
            template=kind.value,
            mail=render(kind.value, SUBJECTS[kind].format(subject=ticket.subject), values),
            domain=_domain(),
            user_id=recipient.id,
            ticket_id=ticket.id,
        )
    await _deliver(key)


async def _deliver(key: str) -> None:
    settings = get_settings()
    provider = provider_from_url(settings.email_url)
    async with transaction() as session:
        delivery, found = await repository.claim(session, key)
        if delivery is None or found is DeliveryState.SENT or found is DeliveryState.SUPPRESSED:
            return
        if found is DeliveryState.REFUSED:
            raise toril.Fail(f"refused before: {delivery.error}")
    if found is DeliveryState.SENDING and provider.name != "local":
        reason = "a try was cut off while the mail was being sent; it is not sent again blindly"
        await _finish(delivery, DeliveryState.FAILED, reason)
        raise toril.Fail(reason)
    try:
        await provider.send(_outgoing(delivery, settings.email_from))
    except PermanentRefusal as refusal:
        await _finish(delivery, DeliveryState.REFUSED, str(refusal))
        raise toril.Fail(f"refused for good: {refusal}") from refusal
    except TransientFailure as failure:
        await _finish(delivery, DeliveryState.FAILED, str(failure))
        raise
    await _finish(delivery, DeliveryState.SENT)
    _log.info("mail sent", delivery=delivery.id, template=delivery.template, provider=provider.name)


async def _finish(delivery: Delivery, state: DeliveryState, error: str | None = None) -> None:
    async with transaction() as session:
        await repository.finish(session, delivery.id, state, error)


def _outgoing(delivery: Delivery, sender: str) -> OutgoingMail:
    thread = None if delivery.ticket_id is None else f"ticket-{delivery.ticket_id}@{_domain()}"
    return OutgoingMail(
        message_id=delivery.message_id or f"{delivery.id}@{_domain()}",
        sender=sender,
        to=delivery.recipient,
        subject=delivery.subject,
        html=delivery.html,
        text=delivery.text,
        thread_id=thread,
    )


def _domain() -> str:
    """The domain of our own sender, for message ids."""
    return parseaddr(get_settings().email_from)[1].rpartition("@")[2] or "localhost"
