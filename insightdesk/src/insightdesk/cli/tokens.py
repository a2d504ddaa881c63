"""`insightdesk token create`."""

from __future__ import annotations

from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role
from insightdesk.cli.problems import Problem
from insightdesk.database import close_database, transaction
from insightdesk.kit import clock

__all__ = ["create_token"]


async def create_token(role: Role, slug: str, email: str | None) -> str:
    """A token for the user, who is made (and the organization too) where missing.

    Raises:
        Problem: the user exists with another role.
    """
    address = email or f"{role.value}@{slug}.example"
    try:
        async with transaction() as session:
            organization = await accounts.find_organization(session, slug)
            if organization is None:
                organization = await accounts.create_organization(session, slug, slug)
            user = await accounts.find_user_by_email(session, organization.id, address)
            if user is None:
                user = await accounts.create_user(
                    session, organization.id, address, address.partition("@")[0], role, welcome=False
                )
            elif user.role is not role:
                raise Problem(f"{address} has the role {user.role.value}, not {role.value}")
            return await accounts.issue_token(session, user, now=clock.now(), name="insightdesk token create")
    finally:
        await close_database()
