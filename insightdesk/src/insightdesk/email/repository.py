"""Deliveries in the database, and whose they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization, User
from insightdesk.database import Owned, new_id
from insightdesk.email.models import (
    UNSENT,
    Delivery,
    DeliveryState,
    MailNotice,
    MailPreference,
    MailWindow,
    QuietHours,
    Suppression,
)
from insightdesk.email.rendering import RenderedMail

__all__ = [
    "Staged",
    "delivery_of_key",
    "erase_person",
    "hand_over",
    "lock",
    "note_looked_for",
    "open_windows",
    "organization_exists",
    "organization_name",
    "organization_of_address",
    "owners",
    "settle",
    "settle_sent",
    "store",
    "unsent",
    "user_with_address",
    "window_owners",
]


@dataclass(frozen=True)
class Staged:
    """A delivery that is stored; `new` unless its key had one already."""

    delivery_id: str
    new: bool


async def organization_of_address(session: AsyncSession, address: str) -> str | None:
    """The organization that knows the address; where nobody does, the only one there is."""
    known = (
        await session.execute(
            select(User.organization_id)
            .where(User.email == address.lower())
            .order_by(User.created_at)
            .limit(1)
        )
    ).scalar_one_or_none()
    if known is not None:
        return known
    two = (await session.execute(select(Organization.id).limit(2))).scalars().all()
    return two[0] if len(two) == 1 else None


async def organization_exists(session: AsyncSession, organization_id: str) -> bool:
    """Whether there is such a tenant."""
    found = await session.execute(select(Organization.id).where(Organization.id == organization_id))
    return found.scalar_one_or_none() is not None


async def user_with_address(session: AsyncSession, user_id: str, address: str) -> User | None:
    """The user, if this is his address."""
    return (
        await session.execute(select(User).where(User.id == user_id, User.email == address.lower()))
    ).scalar_one_or_none()


async def organization_name(session: AsyncSession, organization_id: str) -> str:
    """The name that its mails carry."""
    return (
        await session.execute(select(Organization.name).where(Organization.id == organization_id))
    ).scalar_one()


async def delivery_of_key(session: AsyncSession, organization_id: str, key: str) -> str | None:
    """The id of the organization's delivery with this key."""
    return (
        await session.execute(
            select(Delivery.id).where(
                Delivery.organization_id == organization_id, Delivery.idempotency_key == key
            )
        )
    ).scalar_one_or_none()


async def store(
    session: AsyncSession,
    key: str,
    *,
    organization_id: str,
    recipient: str,
    template: str,
    mail: RenderedMail,
    domain: str,
    user_id: str | None,
    ticket_id: str | None,
    unsubscribe_url: str | None,
    now: datetime,
) -> Staged:
    """Queues a delivery unless the organization has one under the key; the first rendering stands."""
    delivery_id = new_id()
    stored = await session.execute(
        insert(Delivery)
        .values(
            id=delivery_id,
            organization_id=organization_id,
            user_id=user_id,
            ticket_id=ticket_id,
            recipient=recipient,
            template=template,
            subject=mail.subject,
            html=mail.html,
            text=mail.text,
            state=DeliveryState.QUEUED,
            idempotency_key=key,
            message_id=f"{delivery_id}@{domain}",
            attempts=0,
            unsubscribe_url=unsubscribe_url,
            created_at=now,
            looked_for_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Delivery.organization_id, Delivery.idempotency_key])
        .returning(Delivery.id)
    )
    if stored.scalar_one_or_none() is not None:
        return Staged(delivery_id, new=True)
    existing = await delivery_of_key(session, organization_id, key)
    if existing is None:
        raise LookupError(f"the delivery with key {key!r} was removed while it was stored")
    return Staged(existing, new=False)


async def lock(session: AsyncSession, delivery_id: str) -> Delivery | None:
    """The delivery, locked until the transaction ends; None when it is gone."""
    return (
        await session.execute(select(Delivery).where(Delivery.id == delivery_id).with_for_update())
    ).scalar_one_or_none()


async def hand_over(
    session: AsyncSession, delivery_id: str, attempt: int, now: datetime, *, again: bool
) -> bool:
    """Notes that from now on the mail's fate is open; False if the try is not the newest any more.

    Where it is open already, the first such moment stands, and `again` counts one more send.
    """
    changed = await session.execute(
        update(Delivery)
        .where(
            Delivery.id == delivery_id,
            Delivery.attempts == attempt,
            Delivery.state == DeliveryState.SENDING,
        )
        .values(
            handed_over_at=func.coalesce(Delivery.handed_over_at, now),
            extra_sends=Delivery.extra_sends + (1 if again else 0),
        )
        .returning(Delivery.id)
    )
    return changed.scalar_one_or_none() is not None


async def settle(
    session: AsyncSession,
    delivery_id: str,
    attempt: int,
    state: DeliveryState,
    error: str,
    *,
    fate_open: bool,
) -> None:
    """Records how a try ended that did not send the mail; only the newest try may."""
    values: dict[str, object] = {"state": state, "error": error[:1000]}
    if not fate_open:
        values["handed_over_at"] = None
    await session.execute(
        update(Delivery)
        .where(
            Delivery.id == delivery_id,
            Delivery.attempts == attempt,
            Delivery.state == DeliveryState.SENDING,
        )
        .values(values)
    )


async def settle_sent(
    session: AsyncSession, delivery_id: str, now: datetime, provider_message_id: str | None
) -> None:
    """Records that a mail was sent, whichever try did it."""
    await session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state != DeliveryState.SENT)
        .values(
            state=DeliveryState.SENT,
            error=None,
            sent_at=now,
            handed_over_at=None,
            provider_message_id=provider_message_id,
        )
    )


async def unsent(session: AsyncSession, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
    """(delivery, template) of those that are to be sent and whose job nobody has looked for since ``before``,
    the longest ago first; not locked."""
    query = (
        select(Delivery.id, Delivery.template)
        .where(UNSENT, Delivery.looked_for_at < before)
        .order_by(Delivery.looked_for_at, Delivery.id)
        .limit(limit)
    )
    return [(found, template) for found, template in await session.execute(query)]


async def note_looked_for(session: AsyncSession, delivery_ids: Collection[str], now: datetime) -> None:
    """Note that somebody has looked for the jobs of these."""
    await session.execute(update(Delivery).where(Delivery.id.in_(delivery_ids)).values(looked_for_at=now))


async def open_windows(
    session: AsyncSession, before: datetime, after: str, limit: int
) -> Sequence[tuple[str, datetime]]:
    """(window, when it was to close) of those that should have closed by ``before`` and keep something still,
    with ids beyond ``after``."""
    untold = select(MailNotice.window_id).where(MailNotice.told_at.is_(None), MailNotice.window_id > after)
    query = (
        select(MailWindow.id, MailWindow.closes_at)
        .where(MailWindow.id.in_(untold), MailWindow.closes_at < before)
        .order_by(MailWindow.id)
        .limit(limit)
    )
    rows = await session.execute(query)
    return [(window, closes_at) for window, closes_at in rows if closes_at is not None]


async def owners(session: AsyncSession, delivery_ids: Collection[str]) -> Sequence[tuple[str, str, str]]:
    """(delivery, organization, template) for each of the deliveries that exists."""
    query = select(Delivery.id, Delivery.organization_id, Delivery.template).where(
        Delivery.id.in_(delivery_ids)
    )
    return [(found, organization, template) for found, organization, template in await session.execute(query)]


async def window_owners(session: AsyncSession, window_ids: Collection[str]) -> Sequence[tuple[str, str]]:
    """(window, organization) for each of the windows that exists."""
    query = select(MailWindow.id, MailWindow.organization_id).where(MailWindow.id.in_(window_ids))
    return [(found, organization) for found, organization in await session.execute(query)]


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, address: str) -> int:
    """Deletes all that is kept of the person here; returns how many rows that were."""
    conditions: list[tuple[type[Owned], ColumnElement[bool]]] = [
        # "Ann <ann@example.com>" holds the address too.
        (
            Delivery,
            or_(
                Delivery.user_id == user_id,
                func.lower(Delivery.recipient) == address,
                func.lower(Delivery.recipient).contains(f"<{address}>", autoescape=True),
            ),
        ),
        (Suppression, Suppression.address == address),
        (MailPreference, MailPreference.user_id == user_id),
        (QuietHours, QuietHours.user_id == user_id),
        (MailWindow, MailWindow.user_id == user_id),
    ]
    erased = 0
    for table, condition in conditions:
        rows = await session.execute(
            delete(table).where(table.organization_id == organization_id, condition).returning(table.id)
        )
        erased += len(rows.scalars().all())
    return erased
