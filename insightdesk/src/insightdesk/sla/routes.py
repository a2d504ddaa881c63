"""REST of policies and breaches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.sla import service
from insightdesk.sla.schemas import BreachView, PolicyInput, PolicyView
from insightdesk.tickets.models import Priority

router = APIRouter(prefix="/api/sla", tags=["sla"])


@router.get("/policies")
async def list_policies(principal: CurrentPrincipal) -> Envelope[list[PolicyView]]:
    """What the organization promises; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await service.list_policies(session, principal.organization_id)
        return ok([PolicyView.model_validate(policy) for policy in found])


@router.put("/policies/{priority}")
async def set_policy(priority: Priority, body: PolicyInput, admin: CurrentAdmin) -> Envelope[PolicyView]:
    """Promise something else for new tickets of a priority."""
    async with transaction() as session:
        await service.set_policy(
            session,
            admin.organization_id,
            priority,
            first_response_minutes=body.first_response_minutes,
            resolution_minutes=body.resolution_minutes,
        )
        accounts.audit(session, admin, "sla.policy.set", "priority", priority, **body.model_dump())
    return ok(PolicyView(priority=priority, **body.model_dump()))


@router.get("/breaches")
async def list_breaches(
    principal: CurrentPrincipal, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Envelope[list[BreachView]]:
    """The latest breaches; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await service.list_breaches(session, principal.organization_id, limit)
        return ok([BreachView.model_validate(breach) for breach in found])
