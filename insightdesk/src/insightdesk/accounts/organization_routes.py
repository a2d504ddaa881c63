"""REST of the organization itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from insightdesk.accounts import service
from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.local_time import zone_of
from insightdesk.kit.schema import Input, Schema

router = APIRouter(prefix="/api/settings/organization", tags=["accounts"])


def _known_zone(name: str) -> str:
    zone_of(name)
    return name


class OrganizationInput(Input):
    """What an organization is called, and the zone by which its days are counted, e.g. ``Europe/Berlin``."""

    name: str = Field(min_length=1, max_length=200)
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]


class OrganizationView(Schema):
    """The organization."""

    id: str
    name: str
    slug: str
    time_zone: str


@router.get("")
async def get_organization(principal: CurrentPrincipal) -> Envelope[OrganizationView]:
    """Your organization; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await service.get_organization(session, principal.organization_id)
        return ok(OrganizationView.model_validate(found))


@router.put("")
async def set_organization(body: OrganizationInput, admin: CurrentAdmin) -> Envelope[OrganizationView]:
    """Name it anew, or move it to another zone; digests and reports follow the zone from the next scan on."""
    async with transaction() as session:
        found = await service.get_organization(session, admin.organization_id)
        found.name, found.time_zone = body.name, body.time_zone
        service.audit(session, admin, "organization.set", "organization", found.id, **body.model_dump())
        return ok(OrganizationView.model_validate(found))
