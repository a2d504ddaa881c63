"""The page on which staff asks for exports, sees how far they are, and fetches them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.pagination import PageRequest
from insightdesk.pages import view
from insightdesk.pages.rendering import html
from insightdesk.pages.view import PageRoute
from insightdesk.reports.exports import service
from insightdesk.reports.exports.models import ExportFormat, ReportType
from insightdesk.tickets.models import Priority, TicketStatus

__all__ = ["router"]

router = APIRouter(prefix="/ui/exports", include_in_schema=False, route_class=PageRoute)

_SHOWN = PageRequest(1, 30)


@router.get("")
async def page(principal: CurrentPrincipal) -> HTMLResponse:
    """The form and the list."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        staff = await accounts.list_staff(session, principal.organization_id)
        shown = await _list(session, principal)
    return view.page(
        "exports.html",
        principal,
        "/ui/exports",
        reports=list(ReportType),
        formats=list(ExportFormat),
        statuses=list(TicketStatus),
        priorities=list(Priority),
        staff=staff,
        **shown,
    )


@router.get("/list")
async def listed(principal: CurrentPrincipal) -> HTMLResponse:
    """The list alone, which the page fetches again and again."""
    async with transaction() as session:
        return html("_exports.html", **await _list(session, principal))


async def _list(session: AsyncSession, principal: Principal) -> dict[str, object]:
    exports, _ = await service.list_exports(session, principal, _SHOWN)
    return {"exports": exports, "now": clock.now()}
