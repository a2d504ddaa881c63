"""What other features ask of mail."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.email import repository
from insightdesk.email.composing import stage
from insightdesk.email.jobs import deliver_mail
from insightdesk.email.registry import find
from insightdesk.jobs import LOW
from toril import outbox

__all__ = ["organizations_of_deliveries", "queue_mail", "templates_of_deliveries"]


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
        job = deliver_mail.options(job_id=f"deliver-{staged.delivery_id}")
        if find(template).bulk:
            job = job.options(attempts=LOW.attempts, backoff=LOW.backoff, priority=LOW.priority)
        await outbox.enqueue(session, deliver_mail.queue, job.new_job(delivery_id=staged.delivery_id))


async def organizations_of_deliveries(session: AsyncSession, ids: Collection[str]) -> dict[str, set[str]]:
    """The organization of each of these deliveries that exists; for no person's eyes."""
    found = await repository.owners(session, ids) if ids else []
    return {delivery: {organization} for delivery, organization, _ in found}


async def templates_of_deliveries(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """The template of each of these deliveries that exists."""
    found = await repository.owners(session, ids) if ids else []
    return {delivery: template for delivery, _, template in found}
