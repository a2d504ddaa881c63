"""REST of exports."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import Response

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.pagination import Page, PageQuery
from insightdesk.reports.exports import exporting, service
from insightdesk.reports.exports.models import Export
from insightdesk.reports.exports.schemas import ExportInput, ExportView
from insightdesk.reports.storage.routes import send_file
from insightdesk.settings import get_settings

router = APIRouter(prefix="/api/reports/exports", tags=["reports"])


def _view(export: Export, now: datetime) -> ExportView:
    path = exporting.link(export, now)
    url = f"{get_settings().base_url}{path}" if path else None
    return ExportView.model_validate(export).model_copy(update={"download_url": url})


@router.post("", status_code=202)
async def create_export(body: ExportInput, principal: CurrentPrincipal) -> Envelope[ExportView]:
    """Ask for an export; for staff. It is made in the background, and a mail tells when it is ready."""
    now = clock.now()
    async with transaction() as session:
        export = await service.request_export(session, principal, body, now)
    return ok(_view(export, now))


@router.get("")
async def list_exports(principal: CurrentPrincipal, page: PageQuery) -> Envelope[Page[ExportView]]:
    """Your exports, newest first; an administrator sees all of the organization."""
    now = clock.now()
    async with transaction() as session:
        exports, total = await service.list_exports(session, principal, page)
    views = [_view(export, now) for export in exports]
    return ok(Page(items=views, total=total, page=page.page, page_size=page.page_size))


@router.get("/{export_id}")
async def get_export(export_id: str, principal: CurrentPrincipal) -> Envelope[ExportView]:
    """One export, and how far it is."""
    async with transaction() as session:
        export = await service.get_export(session, principal, export_id)
    return ok(_view(export, clock.now()))


@router.get("/{export_id}/download", response_class=Response)
async def download_export(export_id: str, principal: CurrentPrincipal) -> Response:
    """The file of a finished export."""
    async with transaction() as session:
        export = await service.download(session, principal, export_id, clock.now())
    return await send_file(export.storage_key, export.file_name)
