"""REST of retention, for administrators."""

from __future__ import annotations

from fastapi import APIRouter

from insightdesk.accounts.access import CurrentAdmin
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.retention import service
from insightdesk.retention.limits import Limits
from insightdesk.retention.schemas import LimitsInput, LimitsView

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
