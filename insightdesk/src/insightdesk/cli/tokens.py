"""`insightdesk token`: give out, list and take back bearer tokens."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts import tokens
from insightdesk.accounts.models import Organization, Role, Scope
from insightdesk.cli.listing import iso, print_json, print_table
from insightdesk.cli.problems import Problem
from insightdesk.database import close_database, transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.sla import service as sla

__all__ = ["create_token", "list_tokens", "revoke_token"]


async def create_token(role: Role, slug: str, email: str | None, scope: Scope, days: int) -> str:
    """A token for the user, who is made (and the organization too) where missing.

    Args:
        days: how long it works; 0 for as long as nobody revokes it.

    Raises:
        Problem: the user exists with another role, or is locked out.
    """
    address = email or f"{role.value}@{slug}.example"
    try:
        async with transaction() as session:
            organization = await accounts.find_organization(session, slug)
            if organization is None:
                organization = await accounts.create_organization(session, slug, slug)
                await sla.create_default_policy(session, organization.id)
            user = await accounts.find_user_by_email(session, organization.id, address)
            if user is None:
                user = await accounts.create_user(
                    session, organization.id, address, address.partition("@")[0], role, welcome=False
                )
            elif user.role is not role:
                raise Problem(f"{address} has the role {user.role.value}, not {role.value}")
            elif not user.active:
                raise Problem(f"{address} is locked out")
            lifetime = timedelta(days=days) if days else None
            issued = await tokens.issue(
                session,
                user,
                now=clock.now(),
                name="insightdesk token create",
                lifetime=lifetime,
                scope=scope,
            )
            accounts.audit_operator(
                session, organization.id, "token.created", "token", issued.kept.id, owner=user.id, scope=scope
            )
            return issued.token
    finally:
        await close_database()


async def list_tokens(slug: str, as_json: bool) -> None:
    """Print the organization's tokens that are not revoked.

    Raises:
        Problem: there is no such organization.
    """
    try:
        async with transaction() as session:
            organization = await _organization(session, slug)
            found = await tokens.list_with_owners(session, organization.id)
    finally:
        await close_database()
    if as_json:
        print_json([_as_dict(one) for one in found])
        return
    rows = [
        (
            one.token.id,
            one.email,
            one.token.name,
            one.token.scope.value,
            *(
                f"{moment:%Y-%m-%d %H:%M}" if moment else "never"
                for moment in (one.token.expires_at, one.token.last_used_at)
            ),
        )
        for one in found
    ]
    print_table(("id", "owner", "name", "scope", "expires", "last used"), rows)


def _as_dict(one: tokens.Listed) -> dict[str, str | None]:
    token = one.token
    return {
        "id": token.id,
        "owner": one.email,
        "name": token.name,
        "scope": token.scope.value,
        "expiresAt": iso(token.expires_at),
        "lastUsedAt": iso(token.last_used_at),
    }


async def revoke_token(slug: str, token_id: str) -> None:
    """Take a token back.

    Raises:
        Problem: the organization has no such token, or there is no such organization.
    """
    try:
        async with transaction() as session:
            organization = await _organization(session, slug)
            try:
                await tokens.revoke_by_command(session, organization.id, token_id, clock.now())
            except NotFound as error:
                raise Problem(f"organization {slug} has no token {token_id}") from error
    finally:
        await close_database()


async def _organization(session: AsyncSession, slug: str) -> Organization:
    organization = await accounts.find_organization(session, slug)
    if organization is None:
        raise Problem(f"there is no organization {slug!r}")
    return organization
