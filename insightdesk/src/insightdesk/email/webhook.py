"""Resend's calls about bounces and complaints, signed in Svix' manner.

Sources: https://resend.com/docs/webhooks and https://docs.svix.com/receiving/verifying-payloads/how-manual.
The signed text is `id.timestamp.body`; a call older or newer than five minutes is refused, and so is a copy
of one that was served. The provider's own repetition of a call has its id and another time: it is answered
well and changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.email.models import Delivery, SuppressionReason, WebhookCall
from insightdesk.email.suppressions import bare_address, suppress
from insightdesk.kit.errors import Invalid, Unauthorized

__all__ = ["WINDOW", "Call", "receive", "verify"]

WINDOW = timedelta(minutes=5)
_log = structlog.get_logger(__name__)
_REASONS = {"email.bounced": SuppressionReason.BOUNCE, "email.complained": SuppressionReason.COMPLAINT}


@dataclass(frozen=True)
class Call:
    """A call whose signature is right."""

    id: str
    timestamp: int
    body: bytes


class _Bounce(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Data(msgspec.Struct):
    email_id: str
    to: list[str] = []
    bounce: _Bounce | None = None


class _Event(msgspec.Struct):
    type: str
    data: _Data


class _Kind(msgspec.Struct):
    type: str


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Call:
    """Makes sure that a call is the provider's, and fresh.

    Raises:
        Unauthorized: a header is missing, the time is off, or no signature is right; compared in constant
            time.
    """
    id_, stamp, signatures = (headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature"))
    if not id_ or not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12 or len(id_) > 200:
        raise Unauthorized("the call is not signed")
    expected = _signature(secret, id_, stamp, body)
    given = [part.partition(",") for part in signatures.split(" ")]
    # All are compared, so that the time tells nothing.
    right = [
        hmac.compare_digest(value.encode("utf-8", "replace"), expected)
        for version, _, value in given
        if version == "v1"
    ]
    if not any(right):
        raise Unauthorized("the call's signature is wrong")
    if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise Unauthorized("the call is too old")
    return Call(id_, int(stamp), body)


def _signature(secret: str, id_: str, stamp: str, body: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise Unauthorized("the webhook's secret cannot be read") from error
    text = b".".join([id_.encode("utf-8", "replace"), stamp.encode(), body])
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest())


async def receive(session: AsyncSession, call: Call, now: datetime) -> bool:
    """Puts the address of a permanent bounce or a complaint on its organization's list.

    Returns:
        False if the provider has only repeated what was served before.

    Raises:
        Unauthorized: it is a copy of a call that was served.
        Invalid: the body is none of the provider's.
    """
    await session.execute(delete(WebhookCall).where(WebhookCall.received_at < now - 2 * WINDOW))
    new = await session.execute(
        insert(WebhookCall)
        .values(id=call.id, timestamp=call.timestamp, received_at=now)
        .on_conflict_do_nothing()
        .returning(WebhookCall.id)
    )
    if new.scalar_one_or_none() is None:
        served = await session.get_one(WebhookCall, call.id, with_for_update=True)
        if call.timestamp <= served.timestamp:
            raise Unauthorized("this call was served before")
        served.timestamp = call.timestamp
        return False
    event = _read(call.body)
    if event is not None:
        await _suppress(session, event)
    return True


def _read(body: bytes) -> _Event | None:
    """The event, if it is of a kind that we act on."""
    try:
        if msgspec.json.decode(body, type=_Kind).type not in _REASONS:
            return None
        return msgspec.json.decode(body, type=_Event)
    except msgspec.DecodeError as error:
        raise Invalid(f"the body cannot be read: {error}") from error


async def _suppress(session: AsyncSession, event: _Event) -> None:
    if event.type == "email.bounced" and (event.data.bounce is None or event.data.bounce.type != "Permanent"):
        return
    query = select(Delivery).where(Delivery.provider_message_id == event.data.email_id)
    found = (await session.scalars(query)).all()
    if not found:
        _log.warning("a bounce of no mail of ours", email_id=event.data.email_id[:100], type=event.type)
    named = {bare_address(address) for address in event.data.to}
    for delivery in found:
        if bare_address(delivery.recipient) in named:
            detail = event.data.bounce.message if event.data.bounce else ""
            await suppress(
                session, delivery.organization_id, delivery.recipient, _REASONS[event.type], detail
            )
