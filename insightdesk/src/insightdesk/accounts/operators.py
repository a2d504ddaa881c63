"""Who operates the installation: what belongs to no organization alone is shown to them."""

from __future__ import annotations

from insightdesk.accounts import repository
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone


async def is_operator(principal: Principal) -> bool:
    """Whether this is an administrator of the organization that operates the installation: the one that the
    setting names; where it names none, the only one that there is."""
    if principal.role is not Role.ADMIN:
        return False
    named = get_settings().operator_organization
    with everyone():
        async with transaction() as session:
            if not named:
                return await repository.is_only_organization(session, principal.organization_id)
            organization = await repository.organization_by_slug(session, named)
    return organization is not None and organization.id == principal.organization_id
