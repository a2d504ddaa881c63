"""REST of auto-close."""

from __future__ import annotations

from fastapi import APIRouter

from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.tickets.auto_close import service
from insightdesk.tickets.auto_close.schemas import AutoCloseInput, AutoCloseView
from insightdesk.tickets.auto_close.service import Rules

router = APIRouter(prefix="/api/settings/auto-close", tags=["tickets"])


@router.get("")
async def get_rules(principal: CurrentPrincipal) -> Envelope[AutoCloseView]:
    """When resolved tickets close, and what a late reply does; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        return ok(AutoCloseView.model_validate(await service.rules(session, principal.organization_id)))


@router.put("")
async def set_rules(body: AutoCloseInput, admin: CurrentAdmin) -> Envelope[AutoCloseView]:
    """Set both."""
    wanted = Rules(body.after_days, body.late_reply)
    async with transaction() as session:
        await service.set_rules(session, admin, wanted)
    return ok(AutoCloseView.model_validate(wanted))
