"""REST of retention and erasure, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from insightdesk.accounts.access import CurrentAdmin
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.retention import erasure, service
from insightdesk.retention.limits import Limits
from insightdesk.retention.schemas import ErasureInput, LimitsInput, LimitsView, ReceiptView

router = APIRouter(tags=["retention"])


@router.get("/api/settings/retention")
async def get_limits(admin: CurrentAdmin) -> Envelope[LimitsView]:
    """For how many days things are kept."""
    async with transaction() as session:
        return ok(LimitsView.model_validate(await service.limits(session, admin.organization_id)))


@router.put("/api/settings/retention")
async def set_limits(body: LimitsInput, admin: CurrentAdmin) -> Envelope[LimitsView]:
    """Set for how many days things are kept."""
    wanted = Limits(**body.model_dump())
    async with transaction() as session:
        await service.set_limits(session, admin, wanted)
    return ok(LimitsView.model_validate(wanted))


@router.post("/admin/erasures", status_code=202)
async def erase(body: ErasureInput, admin: CurrentAdmin) -> Envelope[ReceiptView]:
    """Erase a person of the organization. The database is done when this answers; the queues follow."""
    async with transaction() as session:
        receipt = await erasure.erase(session, admin.organization_id, body.user_id, clock.now(), actor=admin)
        return ok(ReceiptView.model_validate(receipt))


@router.get("/admin/erasures")
async def list_receipts(
    admin: CurrentAdmin, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Envelope[list[ReceiptView]]:
    """Receipts of erasures, newest first."""
    async with transaction() as session:
        found = await erasure.receipts(session, admin.organization_id, limit)
        return ok([ReceiptView.model_validate(receipt) for receipt in found])
