"""REST for administrators, and the two probes."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import AwareDatetime
from sqlalchemy.exc import SQLAlchemyError

from insightdesk.accounts.access import CurrentAdmin, authenticate, session_token
from insightdesk.accounts.models import Role
from insightdesk.admin import audit, deliveries, health
from insightdesk.admin.audit import AuditFilter
from insightdesk.admin.schemas import AuditView, DeliveryDetail, DeliveryView
from insightdesk.database import database, transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.errors import Unauthorized, Unavailable
from insightdesk.kit.pagination import Page, PageQuery
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone

router = APIRouter(tags=["admin"])


@router.get("/health")
async def healthy() -> dict[str, str]:
    """The process lives; nothing is told about what is behind it."""
    return {"status": "healthy"}


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Whether every part is there, else 503. Administrators are told of each part; others only whether."""
    with everyone():
        parts = await health.readiness(database())
        told = await _is_admin(request)
    wrong = [f"{name} {part.state}" for name, part in parts.items() if part.state != health.OK]
    data: dict[str, object] = {"status": "not ready" if wrong else "ready"}
    if told:
        data["parts"] = {name: {"state": part.state, **part.details} for name, part in parts.items()}
    if wrong:
        error = "; ".join(wrong) if told else "not ready"
        return JSONResponse({"success": False, "error": error, "data": data}, Unavailable.status)
    return JSONResponse({"success": True, "data": data})


async def _is_admin(request: Request) -> bool:
    """Whether the request proves an administrator; where that cannot be known, it does not."""
    try:
        principal = await authenticate(request.headers.get("authorization"), session_token(request))
    except (Unauthorized, SQLAlchemyError, OSError):
        return False
    return principal.role is Role.ADMIN


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """What Prometheus is told, of all organizations together, if it bears the installation's token."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    wanted = get_settings().metrics_token.get_secret_value()
    if not wanted or not secrets.compare_digest(given.encode(), wanted.encode()):
        raise Unauthorized("metrics need the token that INSIGHTDESK_METRICS_TOKEN names")
    with everyone():
        text = await request.app.state.metrics.exposition()
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


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
        delivery = await deliveries.get_delivery(session, admin, delivery_id)
        return ok(DeliveryDetail.model_validate(delivery))


@router.get("/admin/audit")
async def list_audit(
    admin: CurrentAdmin,
    page: PageQuery,
    actor: Annotated[str | None, Query(max_length=100)] = None,
    action: Annotated[str | None, Query(max_length=100)] = None,
    subject: Annotated[str | None, Query(max_length=200)] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Envelope[Page[AuditView]]:
    """Who changed what, the newest first. `action` may be the first part of one, e.g. `dead_letter`."""
    wanted = AuditFilter(actor, action, subject, since, until)
    async with transaction() as session:
        rows, total = await audit.list_entries(session, admin.organization_id, wanted, page)
        items = [AuditView.of(row) for row in rows]
    return ok(Page(items=items, total=total, page=page.page, page_size=page.page_size))
