"""The mails of an organization, for its administrators."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.service import Principal
from insightdesk.email.models import Delivery
from insightdesk.email.privacy import for_reader
from insightdesk.kit.errors import NotFound
from insightdesk.kit.pagination import PageRequest


async def list_deliveries(
    session: AsyncSession, organization_id: str, page: PageRequest, *, recipient: str | None
) -> tuple[Sequence[Delivery], int]:
    """A page of mails, newest first, and how many there are in all."""
    conditions = [Delivery.organization_id == organization_id]
    if recipient is not None:
        conditions.append(func.lower(Delivery.recipient) == recipient.lower())
    total = await session.scalar(select(func.count()).select_from(Delivery).where(*conditions))
    rows = await session.scalars(
        select(Delivery)
        .where(*conditions)
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return rows.all(), total or 0


async def get_delivery(session: AsyncSession, reader: Principal, delivery_id: str) -> Delivery:
    """One mail of the reader's organization."""
    delivery = await session.scalar(
        select(Delivery).where(Delivery.id == delivery_id, Delivery.organization_id == reader.organization_id)
    )
    if delivery is None:
        raise NotFound("e-mail not found")
    return for_reader(session, delivery, reader.user_id)
