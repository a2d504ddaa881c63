"""What an administrator does with the organization's people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import repository, service
from insightdesk.accounts.models import Role, User
from insightdesk.accounts.schemas import UserPatch
from insightdesk.accounts.service import Principal
from insightdesk.kit.errors import Invalid, NotFound


async def list_people(session: AsyncSession, organization_id: str, *, inactive: bool) -> Sequence[User]:
    """The organization's people, by name; also those who are locked out, if wanted."""
    return await repository.members(session, organization_id, inactive=inactive)


async def update_user(
    session: AsyncSession, actor: Principal, user_id: str, patch: UserPatch, now: datetime
) -> User:
    """Change name, role, or whether the person may come in at all.

    Whoever is deactivated loses his sessions and tokens in the same transaction.

    Raises:
        NotFound: The organization has no such user.
        Invalid: Nobody would be left to administer the organization.
    """
    user = await repository.lock_member(session, actor.organization_id, user_id)
    if user is None:
        raise NotFound("user not found")
    changes = {
        name: value
        for name, value in patch.model_dump(exclude_unset=True).items()
        if value != getattr(user, name)
    }
    stays = changes.get("role", user.role) is Role.ADMIN and changes.get("active", user.active)
    leaves = user.role is Role.ADMIN and user.active and not stays
    if leaves and not await repository.has_another_admin(session, actor.organization_id, user_id):
        raise Invalid("an organization needs an active administrator, and this is the last one")
    for name, value in changes.items():
        setattr(user, name, value)
    if changes.get("active") is False:
        await _lock_out(session, user_id, now)
    if changes:
        service.audit(session, actor, "user.updated", "user", user_id, **changes)
    return user


async def _lock_out(session: AsyncSession, user_id: str, now: datetime) -> None:
    await repository.delete_sessions(session, user_id)
    await repository.delete_resets(session, user_id)
    await repository.revoke_tokens(session, user_id, now)
