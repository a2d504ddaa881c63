"""Addresses to which an organization sends nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import new_id
from insightdesk.email.models import Suppression, SuppressionReason
from insightdesk.kit.errors import NotFound
from insightdesk.kit.pagination import PageRequest

__all__ = ["bare_address", "listed", "release", "suppress", "suppression"]


def bare_address(recipient: str) -> str:
    """The address alone, without a name, in lower case."""
    return (parseaddr(recipient)[1] or recipient).strip().lower()


async def suppression(session: AsyncSession, organization_id: str, recipient: str) -> Suppression | None:
    """Why the organization sends nothing to the recipient; None if it does."""
    query = select(Suppression).where(
        Suppression.organization_id == organization_id, Suppression.address == bare_address(recipient)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def suppress(
    session: AsyncSession, organization_id: str, recipient: str, reason: SuppressionReason, detail: str = ""
) -> None:
    """Sends nothing more to the recipient; the first reason stands."""
    await session.execute(
        insert(Suppression)
        .values(
            id=new_id(),
            organization_id=organization_id,
            address=bare_address(recipient),
            reason=reason,
            detail=detail[:500],
        )
        .on_conflict_do_nothing(index_elements=[Suppression.organization_id, Suppression.address])
    )


async def release(session: AsyncSession, organization_id: str, suppression_id: str) -> str:
    """Takes an address off the list and returns it. Raises NotFound."""
    address = (
        await session.execute(
            delete(Suppression)
            .where(Suppression.organization_id == organization_id, Suppression.id == suppression_id)
            .returning(Suppression.address)
        )
    ).scalar_one_or_none()
    if address is None:
        raise NotFound("no such address on the suppression list")
    return address


async def listed(
    session: AsyncSession, organization_id: str, page: PageRequest
) -> tuple[Sequence[Suppression], int]:
    """A page of the list, newest first, and how long the whole is."""
    owned = Suppression.organization_id == organization_id
    total = await session.scalar(select(func.count()).select_from(Suppression).where(owned))
    rows = await session.scalars(
        select(Suppression)
        .where(owned)
        .order_by(Suppression.created_at.desc(), Suppression.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return rows.all(), total or 0
