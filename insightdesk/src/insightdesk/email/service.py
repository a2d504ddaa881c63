"""What other features ask of mail."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox
from insightdesk.email import repository
from insightdesk.email.composing import stage
from insightdesk.email.jobs import deliver_mail, delivery_job
from insightdesk.email.kinds import Channel
from insightdesk.email.models import DeliveryState
from insightdesk.email.preferences import opted_out
from insightdesk.email.providers import configured_providers
from insightdesk.email.recovery import recover
from insightdesk.email.registry import find
from insightdesk.email.states import ProviderStatus, statuses
from insightdesk.email.suppressions import bare_address
from insightdesk.kit.errors import Invalid, NotFound
from insightdesk.settings import get_settings

__all__ = [
    "Channel",
    "erase_person",
    "opted_out",
    "organizations_of_deliveries",
    "organizations_of_windows",
    "provider_statuses",
    "queue_again",
    "queue_mail",
    "recover",
    "templates_of_deliveries",
]


async def queue_mail(
    session: AsyncSession,
    *,
    organization_id: str,
    recipient: str,
    template: str,
    data: Mapping[str, toril.Json],
    key: str,
    user_id: str | None = None,
    ticket_id: str | None = None,
) -> None:
    """Stages one mail in the caller's transaction; it leaves if that commits.

    Args:
        recipient: one address, with or without a name before it.
        template: a name of the registry.
        data: what the template needs; see the registry's sample.
        key: what makes the mail one: a second call with the same key of the organization does nothing.
        user_id: whose preferences and quiet hours count.
        ticket_id: the ticket whose thread the mail joins.

    Raises:
        UnknownTemplate: the registry has no such template.
        InvalidData: the data do not fit it.
    """
    staged = await stage(
        session,
        organization_id=organization_id,
        recipient=recipient,
        template=template,
        data=data,
        key=key,
        user_id=user_id,
        ticket_id=ticket_id,
    )
    if staged.new:
        job = delivery_job(staged.delivery_id, bulk=find(template).bulk)
        await outbox.enqueue(session, deliver_mail.queue, job)


async def queue_again(session: AsyncSession, organization_id: str, delivery_id: str, now: datetime) -> None:
    """Takes a failed mail up once more.

    Raises:
        NotFound: the organization has no such mail.
        Invalid: the mail has not failed.
    """
    delivery = await repository.lock(session, delivery_id)
    if delivery is None or delivery.organization_id != organization_id:
        raise NotFound("e-mail not found")
    if delivery.state is not DeliveryState.FAILED:
        raise Invalid(f"the mail is {delivery.state.value}; only one that failed is taken up again")
    bulk = find(delivery.template).bulk
    again = delivery_job(delivery_id, bulk=bulk, again=f"{now.timestamp():.0f}")
    await outbox.enqueue(session, deliver_mail.queue, again)


async def provider_statuses(session: AsyncSession) -> list[ProviderStatus]:
    """How the configured providers stand, in the order in which they are tried."""
    return await statuses(session, configured_providers(get_settings()))


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Removes a person from the organization's mails, their windows, her wishes and the suppression list.

    Returns:
        How many records were removed.
    """
    return await repository.erase_person(session, organization_id, user_id, bare_address(email))


async def organizations_of_deliveries(session: AsyncSession, ids: Collection[str]) -> dict[str, set[str]]:
    """The organization of each of these deliveries that exists; for no person's eyes."""
    found = await repository.owners(session, ids) if ids else []
    return {delivery: {organization} for delivery, organization, _ in found}


async def organizations_of_windows(session: AsyncSession, ids: Collection[str]) -> dict[str, set[str]]:
    """The organization of each of these windows of gathered mail that exists; for no person's eyes."""
    found = await repository.window_owners(session, ids) if ids else []
    return {window: {organization} for window, organization in found}


async def templates_of_deliveries(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """The template of each of these deliveries that exists."""
    found = await repository.owners(session, ids) if ids else []
    return {delivery: template for delivery, _, template in found}
