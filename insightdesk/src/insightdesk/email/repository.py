"""Deliveries in the database, and the facts that a mail about a ticket tells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization, User
from insightdesk.database import new_id
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.rendering import RenderedMail
from insightdesk.sla.models import SlaClock
from insightdesk.tickets.models import Message, Ticket, Visibility

__all__ = [
    "Staged",
    "TicketFacts",
    "claim",
    "delivery_of_key",
    "finish",
    "last_message",
    "newest_clock",
    "organization_exists",
    "organization_name",
    "organization_of_address",
    "owners",
    "store",
    "ticket_facts",
    "user_with_address",
]


@dataclass(frozen=True)
class Staged:
    """A delivery that is stored; `new` unless its key had one already."""

    delivery_id: str
    new: bool


@dataclass(frozen=True)
class TicketFacts:
    """A ticket and the person who is to be told of it, of the same organization."""

    ticket: Ticket
    recipient: User


async def ticket_facts(session: AsyncSession, ticket_id: str, recipient_id: str) -> TicketFacts | None:
    """Both, or None when one is gone or they belong to different organizations."""
    row = (
        await session.execute(
            select(Ticket, User)
            .join(User, User.organization_id == Ticket.organization_id)
            .where(Ticket.id == ticket_id, User.id == recipient_id)
        )
    ).one_or_none()
    return None if row is None else TicketFacts(ticket=row[0], recipient=row[1])


async def last_message(
    session: AsyncSession, ticket_id: str, *, not_by: str, internal: bool
) -> tuple[Message, str] | None:
    """The newest message that somebody else wrote, with its author's name; internal notes only for staff."""
    query = (
        select(Message, User.name)
        .join(User, User.id == Message.author_id)
        .where(Message.ticket_id == ticket_id, Message.author_id != not_by)
        .order_by(Message.created_at.desc(), Message.id.desc())
        .limit(1)
    )
    if not internal:
        query = query.where(Message.visibility == Visibility.PUBLIC)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def newest_clock(session: AsyncSession, ticket_id: str, *, breached: bool) -> SlaClock | None:
    """The clock that a warning or breach mail speaks of: the one that was breached or warned last."""
    moment = SlaClock.breached_at if breached else SlaClock.warned_at
    query = select(SlaClock).where(SlaClock.ticket_id == ticket_id, moment.is_not(None))
    return (await session.execute(query.order_by(moment.desc()).limit(1))).scalar_one_or_none()


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
    user_id: str | None = None,
    ticket_id: str | None = None,
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


async def claim(session: AsyncSession, delivery_id: str) -> tuple[Delivery, DeliveryState] | None:
    """Locks the delivery and, if it is free, marks it as being sent.

    Returns:
        The delivery and the state in which it was found; None when it is gone.
    """
    found = (
        await session.execute(select(Delivery).where(Delivery.id == delivery_id).with_for_update())
    ).scalar_one_or_none()
    if found is None:
        return None
    state = found.state
    if state in (DeliveryState.QUEUED, DeliveryState.FAILED, DeliveryState.SENDING):
        found.state = DeliveryState.SENDING
        found.attempts += 1
    return found, state


async def finish(
    session: AsyncSession, delivery_id: str, state: DeliveryState, error: str | None = None
) -> None:
    """Records how a try ended. A mail that was sent stays sent."""
    await session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state != DeliveryState.SENT)
        .values(state=state, error=error, sent_at=datetime.now(UTC) if state is DeliveryState.SENT else None)
    )


async def owners(session: AsyncSession, delivery_ids: Collection[str]) -> Sequence[tuple[str, str, str]]:
    """(delivery, organization, template) for each of the deliveries that exists."""
    query = select(Delivery.id, Delivery.organization_id, Delivery.template).where(
        Delivery.id.in_(delivery_ids)
    )
    return [(found, organization, template) for found, organization, template in await session.execute(query)]
