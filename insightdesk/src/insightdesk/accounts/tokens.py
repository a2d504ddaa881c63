"""Bearer tokens for machines: given out once, limited by scope and time, taken back at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import passwords, repository, service
from insightdesk.accounts.models import ApiToken, Role, Scope, User
from insightdesk.accounts.service import Principal
from insightdesk.kit.errors import NotFound, Unauthorized

LAST_USED_STEP = timedelta(minutes=1)
"""How exactly a token's last use is known: not each request is to write a row."""


@dataclass(frozen=True)
class Issued:
    """A new token: what is kept of it, and the text that is shown this once."""

    kept: ApiToken
    token: str


async def issue(
    session: AsyncSession,
    user: User,
    *,
    now: datetime,
    name: str,
    lifetime: timedelta | None,
    scope: Scope = Scope.ADMIN,
) -> Issued:
    """A new bearer token. It does what its user's role and ``scope`` both allow."""
    token = passwords.new_token()
    kept = ApiToken(
        organization_id=user.organization_id,
        user_id=user.id,
        token_hash=passwords.token_hash(token),
        name=name,
        scope=scope,
        created_at=now,
        expires_at=now + lifetime if lifetime else None,
    )
    session.add(kept)
    await session.flush()
    return Issued(kept, token)


async def issue_own(
    session: AsyncSession, actor: Principal, *, now: datetime, name: str, lifetime: timedelta, scope: Scope
) -> Issued:
    """A token for oneself; by a token, no broader one than itself.

    Raises:
        Forbidden: The actor's own token has a narrower scope.
    """
    actor.require_scope(scope)
    user = await service.find_user(session, actor.organization_id, actor.user_id)
    if user is None:
        raise Unauthorized("the user is no longer active")
    issued = await issue(session, user, now=now, name=name, lifetime=lifetime, scope=scope)
    service.audit(session, actor, "token.created", "token", issued.kept.id, name=name, scope=scope)
    return issued


async def principal_of_token(session: AsyncSession, token: str, now: datetime) -> Principal:
    """Who holds ``token``, and how much of what he may do it may do.

    Raises:
        Unauthorized: It is unknown, expired or revoked.
    """
    found = await repository.token_and_user(session, passwords.token_hash(token), now)
    if found is None:
        raise Unauthorized("the token is unknown, expired or revoked")
    kept, user = found
    if kept.last_used_at is None or now - kept.last_used_at > LAST_USED_STEP:
        kept.last_used_at = now
    return replace(Principal.of(user), scope=kept.scope)


async def list_tokens(session: AsyncSession, reader: Principal) -> Sequence[ApiToken]:
    """One's own tokens that are not revoked, newest first; an administrator's are the organization's."""
    owner = None if reader.role is Role.ADMIN else reader.user_id
    return await repository.tokens(session, reader.organization_id, owner)


@dataclass(frozen=True)
class Listed:
    """A token, and whose it is."""

    token: ApiToken
    email: str


async def list_with_owners(session: AsyncSession, organization_id: str) -> Sequence[Listed]:
    """The organization's tokens that are not revoked, newest first."""
    rows = await repository.tokens_and_owners(session, organization_id)
    return [Listed(token, email) for token, email in rows]


async def revoke(session: AsyncSession, actor: Principal, token_id: str, now: datetime) -> None:
    """Take a token back: the next request with it is refused. A second call changes nothing.

    Raises:
        NotFound: It is not the actor's, nor is he its organization's administrator.
    """
    owner = None if actor.role is Role.ADMIN else actor.user_id
    kept = await _revoke(session, actor.organization_id, token_id, owner, now)
    if kept is not None:
        service.audit(session, actor, "token.revoked", "token", kept.id, name=kept.name, owner=kept.user_id)


async def revoke_by_command(
    session: AsyncSession, organization_id: str, token_id: str, now: datetime
) -> None:
    """Take any token of the organization back, on behalf of whoever runs the installation.

    Raises:
        NotFound: The organization has no such token.
    """
    kept = await _revoke(session, organization_id, token_id, None, now)
    if kept is not None:
        service.audit_operator(
            session, organization_id, "token.revoked", "token", kept.id, owner=kept.user_id
        )


async def _revoke(
    session: AsyncSession, organization_id: str, token_id: str, owner_id: str | None, now: datetime
) -> ApiToken | None:
    """The token, if it was not revoked before."""
    kept = await repository.token(session, organization_id, token_id, owner_id)
    if kept is None:
        raise NotFound("token not found")
    if kept.revoked_at is not None:
        return None
    kept.revoked_at = now
    return kept
