"""The pages of what is kept of the past: the archive, erasures, and addresses that get no mail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from insightdesk.accounts import people
from insightdesk.accounts.access import CurrentAdmin
from insightdesk.database import transaction
from insightdesk.email import suppressions
from insightdesk.kit.pagination import PageRequest
from insightdesk.pages.admin.frame import PageNumber, admin_page, page_count
from insightdesk.pages.rendering import html
from insightdesk.pages.view import PageRoute
from insightdesk.retention import archive, erasure

__all__ = ["router"]

router = APIRouter(prefix="/ui/admin", include_in_schema=False, route_class=PageRoute)

_ROWS = 50  # of one page
_RECEIPTS = 100  # that are shown


@router.get("/archive")
async def archive_page(
    admin: CurrentAdmin,
    number: Annotated[str, Query(max_length=9, pattern=r"^\d*$")] = "",
    page: PageNumber = 1,
) -> HTMLResponse:
    """Tickets that left the desk, those closed last first."""
    wanted = int(number) if number else None
    async with transaction() as session:
        found, total = await archive.tickets(session, admin.organization_id, PageRequest(page, _ROWS), wanted)
    return admin_page(
        "archive.html",
        admin,
        "archive",
        tickets=found,
        number=number,
        page=page,
        pages=page_count(total, _ROWS),
    )


@router.get("/archive/{ticket_id}")
async def archived_page(ticket_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """One of them, with all that was said on it."""
    async with transaction() as session:
        found = await archive.ticket(session, admin.organization_id, ticket_id)
        messages = found.document["messages"]
        authors = {message["author_id"] for message in messages}
        names = await people.names(session, admin.organization_id, authors | {found.customer_id})
    return admin_page("archived.html", admin, "archive", ticket=found, messages=messages, names=names)


@router.get("/erasures")
async def erasures_page(admin: CurrentAdmin) -> HTMLResponse:
    """Receipts of erasures, newest first."""
    async with transaction() as session:
        found = await erasure.receipts(session, admin.organization_id, _RECEIPTS)
        asked = {receipt.requested_by for receipt in found if receipt.requested_by}
        names = await people.names(session, admin.organization_id, asked)
    return admin_page("erasures.html", admin, "erasures", receipts=found, names=names)


@router.get("/erasures/{receipt_id}")
async def receipt_page(receipt_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """One receipt, which follows what is still being done."""
    return admin_page("receipt.html", admin, "erasures", **await _receipt(receipt_id, admin.organization_id))


@router.get("/erasures/{receipt_id}/live")
async def receipt_live(receipt_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """The part of it that changes."""
    return html("admin/_receipt.html", **await _receipt(receipt_id, admin.organization_id))


async def _receipt(receipt_id: str, organization_id: str) -> dict[str, object]:
    async with transaction() as session:
        receipt = await erasure.receipt(session, organization_id, receipt_id)
        asked = {receipt.requested_by} if receipt.requested_by else set()
        names = await people.names(session, organization_id, asked)
    return {"receipt": receipt, "names": names}


@router.get("/suppressions")
async def suppressions_page(admin: CurrentAdmin, page: PageNumber = 1) -> HTMLResponse:
    """Addresses to which nothing is sent."""
    async with transaction() as session:
        found, total = await suppressions.listed(session, admin.organization_id, PageRequest(page, _ROWS))
    return admin_page(
        "suppressions.html",
        admin,
        "suppressions",
        suppressions=found,
        page=page,
        pages=page_count(total, _ROWS),
    )
