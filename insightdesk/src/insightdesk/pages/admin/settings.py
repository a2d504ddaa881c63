"""The page of what holds for the whole organization, and that of its tags."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin
from insightdesk.database import transaction
from insightdesk.kit.local_time import zone_names
from insightdesk.pages.admin.frame import admin_page
from insightdesk.pages.view import PageRoute
from insightdesk.retention import service as retention
from insightdesk.tickets import tags
from insightdesk.tickets.auto_close import service as auto_close
from insightdesk.tickets.auto_close.models import MAX_AFTER_DAYS, LateReply
from insightdesk.tickets.models import NO_AUTO_CLOSE

__all__ = ["router"]

router = APIRouter(prefix="/ui/admin", include_in_schema=False, route_class=PageRoute)

_TICKETS = 200  # of a tag, on its page


@router.get("/settings")
async def settings_page(admin: CurrentAdmin) -> HTMLResponse:
    """Name and zone, auto-close, and for how long things are kept."""
    async with transaction() as session:
        organization = await accounts.get_organization(session, admin.organization_id)
        rules = await auto_close.rules(session, admin.organization_id)
        limits = await retention.limits(session, admin.organization_id)
    return admin_page(
        "settings.html",
        admin,
        "settings",
        organization=organization,
        zones=zone_names(),
        rules=rules,
        longest=MAX_AFTER_DAYS,
        replies=list(LateReply),
        limits=limits,
    )


@router.get("/tags")
async def tags_page(admin: CurrentAdmin) -> HTMLResponse:
    """The tags on tickets that are not solved yet."""
    async with transaction() as session:
        found = await tags.in_use(session, admin.organization_id)
    return admin_page("tags.html", admin, "tags", tags=found, no_auto_close=NO_AUTO_CLOSE)


@router.get("/tags/{tag}")
async def tag_page(tag: str, admin: CurrentAdmin) -> Response:
    """The tickets of one tag; all tags, where no ticket has this one any more."""
    async with transaction() as session:
        found = await tags.unsolved(session, admin.organization_id, tag, _TICKETS)
    if not found:
        return RedirectResponse("/ui/admin/tags", 303)
    return admin_page("tag.html", admin, "tags", word=tag, tickets=found, most=_TICKETS)
