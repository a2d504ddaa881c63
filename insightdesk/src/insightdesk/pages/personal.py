"""What concerns the reader himself: the inbox behind the bell, and the page for a forgotten password."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.database import transaction
from insightdesk.kit.pagination import PageRequest
from insightdesk.pages.rendering import html
from insightdesk.realtime import service as realtime

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_ENTRIES = PageRequest(page=1, page_size=50)


@router.get("/reset")
async def reset() -> HTMLResponse:
    """Asks for the address; or for a password, where a link's token stands behind the `#`, which only the
    script sees."""
    return html("reset.html")


@router.get("/ui/inbox")
async def inbox(principal: CurrentPrincipal) -> HTMLResponse:
    """The newest notifications."""
    async with transaction() as session:
        found = await realtime.inbox(session, principal, _ENTRIES, unread_only=False)
    return html("inbox.html", inbox=found)
