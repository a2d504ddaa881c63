"""REST for administrators, and the two probes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from insightdesk.accounts.access import CurrentAdmin
from insightdesk.admin import deliveries, health
from insightdesk.admin.schemas import DeliveryDetail, DeliveryView
from insightdesk.database import database, transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.pagination import Page, PageQuery
from insightdesk.tenancy import everyone

router = APIRouter(tags=["admin"])


@router.get("/health")
async def healthy() -> dict[str, str]:
    """The process lives; nothing is told about what is behind it."""
    return {"status": "ok"}


@router.get("/ready")
async def ready() -> Response:
    """Whether every part is there; 503 and which is not, if one is missing."""
    with everyone():
        parts = await health.readiness(database())
    wrong = [f"{name} {state}" for name, state in parts.items() if state != "ok"]
    if wrong:
        return JSONResponse({"success": False, "error": "; ".join(wrong), "data": parts}, 503)
    return JSONResponse({"success": True, "data": parts})


@router.get("/admin/jobs/stats")
async def job_stats(admin: CurrentAdmin) -> Envelope[dict[str, dict[str, int]]]:
    """How many jobs each queue has in each state."""
    return ok(await health.queue_stats())


@router.get("/admin/emails")
async def list_emails(
    admin: CurrentAdmin, page: PageQuery, to: Annotated[str | None, Query(max_length=320)] = None
) -> Envelope[Page[DeliveryView]]:
    """The organization's mails, newest first."""
    async with transaction() as session:
        found, total = await deliveries.list_deliveries(session, admin.organization_id, page, recipient=to)
        items = [DeliveryView.model_validate(delivery) for delivery in found]
    return ok(Page(items=items, total=total, page=page.page, page_size=page.page_size))


@router.get("/admin/emails/{delivery_id}")
async def get_email(delivery_id: str, admin: CurrentAdmin) -> Envelope[DeliveryDetail]:
    """One mail with its bodies."""
    async with transaction() as session:
        delivery = await deliveries.get_delivery(session, admin.organization_id, delivery_id)
        return ok(DeliveryDetail.model_validate(delivery))
