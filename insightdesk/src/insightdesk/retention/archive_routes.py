"""REST of the archive: read alone, for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.pagination import Page, PageQuery
from insightdesk.kit.schema import Schema
from insightdesk.retention import archive

router = APIRouter(prefix="/api/archive/tickets", tags=["retention"])


class ArchivedView(Schema):
    """A ticket that left the desk."""

    id: str
    number: int
    subject: str
    customer_id: str
    closed_at: datetime
    archived_at: datetime


class ArchivedDetail(ArchivedView):
    """With all that was said on it, as it stood when it left."""

    document: dict[str, Any]


@router.get("")
async def list_archived(
    principal: CurrentPrincipal,
    page: PageQuery,
    number: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Envelope[Page[ArchivedView]]:
    """Archived tickets, those closed last first."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found, total = await archive.tickets(session, principal.organization_id, page, number)
        items = [ArchivedView.model_validate(ticket) for ticket in found]
    return ok(Page(items=items, total=total, page=page.page, page_size=page.page_size))


@router.get("/{ticket_id}")
async def get_archived(ticket_id: str, principal: CurrentPrincipal) -> Envelope[ArchivedDetail]:
    """One archived ticket with its messages."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        return ok(
            ArchivedDetail.model_validate(await archive.ticket(session, principal.organization_id, ticket_id))
        )
