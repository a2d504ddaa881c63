"""What an administrator does with the organization's people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import repository, service
from insightdesk.accounts.models import Role, User
from insightdesk.accounts.schemas import UserPatch
from insightdesk.accounts.service import Principal
from insightdesk.kit.errors import Invalid, NotFound
from insightdesk.kit.pagination import PageRequest


async def list_people(session: AsyncSession, organization_id: str, *, inactive: bool) -> Sequence[User]:
    """The organization's people, by name; also those who are locked out, if wanted."""
    return await repository.members(session, organization_id, inactive=inactive)


@dataclass(frozen=True)
class Sought:
    """Which people are wanted; what is None or empty leaves nobody out.

    Attributes:
        text: part of a name or an address.
    """

    text: str = ""
    role: Role | None = None
    active: bool | None = None


async def find_people(
    session: AsyncSession, organization_id: str, sought: Sought, page: PageRequest
) -> tuple[Sequence[User], int]:
    """A page of the organization's people by name, and how many there are."""
    return await repository.people(
        session, organization_id, page, text=sought.text, role=sought.role, active=sought.active
    )


async def get_person(session: AsyncSession, organization_id: str, user_id: str) -> User:
    """A person of the organization, active or not.

    Raises:
        NotFound: There is none of this id.
    """
    found = await repository.member(session, organization_id, user_id)
    if found is None:
        raise NotFound("there is no such person")
    return found


async def names(session: AsyncSession, organization_id: str, user_ids: Collection[str]) -> dict[str, str]:
    """The names of those of these people who are the organization's, active or not."""
    return await repository.names(session, organization_id, user_ids)


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
