"""Reading the archive, and what is left of a person in it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from insightdesk.kit.errors import NotFound
from insightdesk.kit.pagination import PageRequest
from insightdesk.retention.models import ArchivedTicket
from insightdesk.retention.person import ERASED

_SAID = text(
    """
    UPDATE archived_tickets SET document = jsonb_set(document, '{messages}', (
        SELECT jsonb_agg(CASE WHEN m->>'author_id' = :user_id
            THEN jsonb_set(m, '{body}', to_jsonb(CAST(:erased AS text))) ELSE m END ORDER BY place)
        FROM jsonb_array_elements(document->'messages') WITH ORDINALITY AS said (m, place)))
    WHERE organization_id = :organization_id
        AND document->'messages' @> jsonb_build_array(jsonb_build_object('author_id', CAST(:user_id AS text)))
    RETURNING id
    """
)


async def tickets(
    session: AsyncSession, organization_id: str, page: PageRequest, number: int | None
) -> tuple[Sequence[ArchivedTicket], int]:
    """A page of archived tickets, those closed last first, and how many there are."""
    conditions = [ArchivedTicket.organization_id == organization_id]
    if number is not None:
        conditions.append(ArchivedTicket.number == number)
    total = await session.scalar(select(func.count()).select_from(ArchivedTicket).where(*conditions))
    rows = await session.scalars(
        select(ArchivedTicket)
        .options(defer(ArchivedTicket.document))
        .where(*conditions)
        .order_by(ArchivedTicket.closed_at.desc(), ArchivedTicket.id.desc())
        .offset(page.offset)
        .limit(page.page_size)
    )
    return rows.all(), total or 0


async def ticket(session: AsyncSession, organization_id: str, ticket_id: str) -> ArchivedTicket:
    """One archived ticket of the organization.

    Raises:
        NotFound: There is none of this id.
    """
    found = await session.scalar(
        select(ArchivedTicket).where(
            ArchivedTicket.id == ticket_id, ArchivedTicket.organization_id == organization_id
        )
    )
    if found is None:
        raise NotFound("there is no such archived ticket")
    return found


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Purge the archived tickets that were hers, and take out what she wrote on others.

    Returns:
        How many archived tickets were purged or changed.
    """
    purged = await session.execute(
        delete(ArchivedTicket)
        .where(ArchivedTicket.organization_id == organization_id, ArchivedTicket.customer_id == user_id)
        .returning(ArchivedTicket.id)
    )
    said = await session.execute(
        _SAID, {"organization_id": organization_id, "user_id": user_id, "erased": ERASED}
    )
    return len(purged.all()) + len(said.all())
