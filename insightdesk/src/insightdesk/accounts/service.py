"""Who people are, and how they prove it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk import outbox
from insightdesk.accounts import passwords, repository
from insightdesk.accounts.models import ApiToken, AuditEntry, Organization, Role, Scope, User
from insightdesk.email.jobs import send_welcome
from insightdesk.kit.errors import Forbidden, Invalid


@dataclass(frozen=True)
class Principal:
    """Who makes a request."""

    user_id: str
    organization_id: str
    role: Role
    name: str
    email: str
    scope: Scope = Scope.ADMIN

    @classmethod
    def of(cls, user: User) -> Principal:
        """The user as the maker of a request."""
        return cls(user.id, user.organization_id, user.role, user.name, user.email)

    def require(self, *roles: Role) -> None:
        """Raise Forbidden unless the role is one of ``roles``. What is for administrators alone a token may
        do only with the scope ``admin``."""
        if self.role not in roles:
            raise Forbidden(f"this needs the role {' or '.join(roles)}")
        if roles == (Role.ADMIN,):
            self.require_scope(Scope.ADMIN)

    def require_scope(self, needed: Scope) -> None:
        """Raise Forbidden unless the token's scope covers ``needed``; a session's always does."""
        if not self.scope.covers(needed):
            raise Forbidden(f"this needs a token with the scope {needed}, and this one has {self.scope}")


@dataclass(frozen=True)
class Addressee:
    """A person whom a mail is for."""

    user_id: str
    organization_id: str
    name: str
    email: str


async def create_organization(session: AsyncSession, name: str, slug: str) -> Organization:
    """A new tenant."""
    organization = Organization(name=name, slug=slug)
    session.add(organization)
    await session.flush()
    return organization


async def create_user(
    session: AsyncSession,
    organization_id: str,
    email: str,
    name: str,
    role: Role,
    *,
    password: str | None = None,
    welcome: bool = True,
) -> User:
    """A new user; the welcome mail leaves with the transaction.

    Raises:
        Invalid: The organization already has a user with this address.
    """
    user = User(
        organization_id=organization_id,
        email=email.lower(),
        name=name,
        role=role,
        password_hash=await passwords.hash_password(password) if password else None,
    )
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        if "uq_users" not in str(error.orig):
            raise
        raise Invalid("email: a user with this address already exists") from None
    if welcome:
        job = send_welcome.new_job(user_id=user.id, email=user.email, name=user.name)
        await outbox.enqueue(session, send_welcome.queue, job)
    return user


async def find_user(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """An active user of the organization."""
    return await repository.user_in(session, organization_id, user_id)


async def find_user_by_email(session: AsyncSession, organization_id: str, email: str) -> User | None:
    """The organization's user with this address."""
    return await repository.user_by_email(session, organization_id, email)


async def find_organization(session: AsyncSession, slug: str) -> Organization | None:
    """The organization with this short name."""
    return await repository.organization_by_slug(session, slug)


async def get_organization(session: AsyncSession, organization_id: str) -> Organization:
    """The organization of somebody who has proved that he belongs to it."""
    return await session.get_one(Organization, organization_id)


async def list_staff(session: AsyncSession, organization_id: str) -> list[User]:
    """All active people who work for the organization, by name."""
    staff = await repository.users_with_roles(session, [organization_id], [Role.ADMIN, Role.AGENT])
    return sorted(staff, key=lambda user: (user.name.lower(), user.id))


async def admin_ids(session: AsyncSession, organization_ids: Collection[str]) -> dict[str, set[str]]:
    """The administrators of each organization."""
    return _by_organization(await repository.users_with_roles(session, organization_ids, [Role.ADMIN]))


async def ids_with_role(session: AsyncSession, organization_id: str, role: Role) -> set[str]:
    """The organization's active people of one role."""
    return {user.id for user in await repository.users_with_roles(session, [organization_id], [role])}


async def time_zone(session: AsyncSession, organization_id: str) -> str | None:
    """The name of the organization's time zone; None when there is no such organization."""
    return await repository.time_zone(session, organization_id)


async def administrators(
    session: AsyncSession, organization_ids: Collection[str]
) -> dict[str, list[Addressee]]:
    """The administrators of each organization, with their addresses."""
    found: dict[str, list[Addressee]] = defaultdict(list)
    for user in await repository.users_with_roles(session, organization_ids, [Role.ADMIN]):
        found[user.organization_id].append(Addressee(user.id, user.organization_id, user.name, user.email))
    return found


async def lock_person(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """A person of the organization, active or not, locked with all its administrators."""
    return await repository.lock_member(session, organization_id, user_id)


async def is_name_shared(session: AsyncSession, organization_id: str, user_id: str, name: str) -> bool:
    """Whether somebody else of the organization has this name, in whatever case."""
    return await repository.is_name_of_another(session, organization_id, user_id, name)


async def staff_ids(session: AsyncSession, organization_id: str) -> set[str]:
    """All who work for the organization."""
    return {user.id for user in await list_staff(session, organization_id)}


async def existing_organizations(session: AsyncSession, ids: Collection[str]) -> set[str]:
    """Those of the ids that are an organization's."""
    return set(await repository.organization_ids(session, ids)) if ids else set()


async def organizations_of_users(session: AsyncSession, ids: Collection[str]) -> dict[str, set[str]]:
    """The organization of each of these users that exists."""
    return _grouped(await repository.owners_by(session, User.id, ids)) if ids else {}


async def organizations_of_addresses(
    session: AsyncSession, addresses: Collection[str]
) -> dict[str, set[str]]:
    """All organizations that know each of these addresses, which are in lower case."""
    return _grouped(await repository.owners_by(session, User.email, addresses)) if addresses else {}


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for value, organization_id in pairs:
        found[value].add(organization_id)
    return found


async def active_staff(session: AsyncSession, user_ids: Collection[str]) -> set[str]:
    """Those of these people who work for their organization and are active."""
    return await repository.active_staff(session, user_ids)


def _by_organization(users: Collection[User]) -> dict[str, set[str]]:
    return _grouped((user.organization_id, user.id) for user in users)


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Take name, address and every proof from a person; the row stays for what refers to it.

    Returns:
        How many records were changed.
    """
    user = await repository.lock_member(session, organization_id, user_id)
    if user is None:
        return 0
    user.name, user.email, user.active, user.password_hash = (
        "Erased",
        f"{user_id}@erased.invalid",
        False,
        None,
    )
    await repository.delete_sessions(session, user_id)
    await repository.delete_resets(session, user_id)
    tokens = await session.scalars(delete(ApiToken).where(ApiToken.user_id == user_id).returning(ApiToken.id))
    # Details may tell where she logged in from, or what she was called.
    audited = await session.scalars(
        update(AuditEntry)
        .where(
            AuditEntry.organization_id == organization_id,
            or_(AuditEntry.actor_id == user_id, AuditEntry.subject_id == user_id),
            AuditEntry.details != {},
        )
        .values(details={})
        .returning(AuditEntry.id)
    )
    return 1 + len(tokens.all()) + len(audited.all())


def audit(
    session: AsyncSession,
    actor: Principal,
    action: str,
    subject_type: str,
    subject_id: str,
    **details: object,
) -> None:
    """Note in this transaction what ``actor`` did."""
    _note(session, actor.organization_id, actor.user_id, action, subject_type, subject_id, details)


def audit_operator(
    session: AsyncSession,
    organization_id: str,
    action: str,
    subject_type: str,
    subject_id: str,
    **details: object,
) -> None:
    """Note in this transaction what the installation's operator did to an organization's things."""
    _note(session, organization_id, None, action, subject_type, subject_id, details)


def audit_unproven(session: AsyncSession, user: User, action: str, **details: object) -> None:
    """Note in this transaction what was tried in the name of ``user``, by nobody knows whom."""
    _note(session, user.organization_id, None, action, "user", user.id, details)


def _note(
    session: AsyncSession,
    organization_id: str,
    actor_id: str | None,
    action: str,
    subject_type: str,
    subject_id: str,
    details: dict[str, object],
) -> None:
    session.add(
        AuditEntry(
            organization_id=organization_id,
            actor_id=actor_id,
            action=action,
            subject_type=subject_type,
            subject_id=subject_id,
            details=details,
        )
    )
