"""One delivery row a mail, and at most one mail a delivery.

`queued -> sending -> sent | refused | failed`. A failed delivery is taken up again by the job's next try.
A delivery found in `sending` was left there by a crash or by a connection lost in mid-send. Where the
provider cannot tell whether it took the mail (SMTP), it is not sent again: it becomes `failed`, for a
person to decide. The local provider only stores, so there it is safe to go on.
"""

from __future__ import annotations

import structlog

import toril
from insightdesk.database import transaction
from insightdesk.email import repository
from insightdesk.email.composing import mail_domain
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import (
    OutgoingMail,
    PermanentRefusal,
    TransientFailure,
    provider_from_url,
)
from insightdesk.settings import get_settings

__all__ = ["deliver"]

_log = structlog.get_logger(__name__)


async def deliver(delivery_id: str) -> None:
    """Hands one stored mail to the provider, unless that was done before.

    Raises:
        toril.Fail: it will never be taken, or its fate is for a person to decide.
        TransientFailure: it was not taken this time.
    """
    settings = get_settings()
    provider = provider_from_url(settings.email_url)
    async with transaction() as session:
        claimed = await repository.claim(session, delivery_id)
    if claimed is None:
        raise toril.Fail("there is no such delivery")
    delivery, found = claimed
    if found in (DeliveryState.SENT, DeliveryState.SUPPRESSED):
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
    thread = None if delivery.ticket_id is None else f"ticket-{delivery.ticket_id}@{mail_domain()}"
    return OutgoingMail(
        message_id=delivery.message_id,
        sender=sender,
        to=delivery.recipient,
        subject=delivery.subject,
        html=delivery.html,
        text=delivery.text,
        thread_id=thread,
    )
