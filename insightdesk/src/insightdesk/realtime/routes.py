"""REST of the inbox: what a screen that was away has missed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.pagination import PageQuery
from insightdesk.realtime import service
from insightdesk.realtime.schemas import InboxView, NotificationView, ReadInput, ReadView

router = APIRouter(prefix="/api/notifications", tags=["notifications"])


@router.get("")
async def list_notifications(
    principal: CurrentPrincipal,
    page: PageQuery,
    unread_only: Annotated[bool, Query(alias="unreadOnly")] = False,
) -> Envelope[InboxView]:
    """Your inbox, newest first."""
    async with transaction() as session:
        found = await service.inbox(session, principal, page, unread_only=unread_only)
    return ok(
        InboxView(
            items=[NotificationView.model_validate(entry) for entry in found.entries],
            total=found.total,
            page=page.page,
            page_size=page.page_size,
            unread=found.unread,
        )
    )


@router.post("/read")
async def mark_all_read(body: ReadInput, principal: CurrentPrincipal) -> Envelope[ReadView]:
    """Mark everything as read that came until a moment."""
    async with transaction() as session:
        marked = await service.mark_all_read(session, principal, body.until, clock.now())
    return ok(ReadView(marked=marked))


@router.post("/{notification_id}/read")
async def mark_read(notification_id: str, principal: CurrentPrincipal) -> Envelope[None]:
    """Mark one entry as read."""
    async with transaction() as session:
        await service.mark_read(session, principal, notification_id, clock.now())
    return ok(None)
