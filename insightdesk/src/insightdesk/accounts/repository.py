"""Queries on organizations, users and tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from insightdesk.accounts.models import ApiToken, LoginSession, Organization, PasswordReset, Role, User
from insightdesk.kit.pagination import PageRequest


async def organization_by_slug(session: AsyncSession, slug: str) -> Organization | None:
    """The organization with this short name."""
    return await session.scalar(select(Organization).where(Organization.slug == slug))


async def is_only_organization(session: AsyncSession, organization_id: str) -> bool:
    """Whether there is no organization but this one."""
    found = await session.scalars(select(Organization.id).limit(2))
    return list(found) == [organization_id]


async def time_zone(session: AsyncSession, organization_id: str) -> str | None:
    """The name of the organization's time zone."""
    return await session.scalar(select(Organization.time_zone).where(Organization.id == organization_id))


async def user_in(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """An active user, if he belongs to the organization."""
    return await session.scalar(
        select(User).where(User.id == user_id, User.organization_id == organization_id, User.active)
    )


async def member(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """A user of the organization, active or not."""
    return await session.scalar(
        select(User).where(User.id == user_id, User.organization_id == organization_id)
    )


async def user_by_session(session: AsyncSession, token_hash: str, now: datetime) -> User | None:
    """The user of a session that has not ended."""
    return await session.scalar(
        select(User)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(LoginSession.token_hash == token_hash, LoginSession.expires_at > now, User.active)
    )


async def live_proofs(session: AsyncSession, hashes: Collection[str], now: datetime) -> set[str]:
    """Which of these hashes are of sessions or tokens that have not ended, of active users."""
    by_session = (
        select(LoginSession.token_hash)
        .join(User, User.id == LoginSession.user_id)
        .where(LoginSession.token_hash.in_(hashes), LoginSession.expires_at > now, User.active)
    )
    by_token = (
        select(ApiToken.token_hash)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.token_hash.in_(hashes), _usable(now), User.active)
    )
    return set(await session.scalars(by_session.union_all(by_token)))


def _usable(now: datetime) -> ColumnElement[bool]:
    unexpired = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now)
    return and_(ApiToken.revoked_at.is_(None), unexpired)


async def delete_session(session: AsyncSession, token_hash: str) -> User | None:
    """End a session; returns whose it was."""
    user_id = await session.scalar(
        delete(LoginSession).where(LoginSession.token_hash == token_hash).returning(LoginSession.user_id)
    )
    return await session.get(User, user_id) if user_id else None


async def delete_sessions(session: AsyncSession, user_id: str) -> None:
    """End all sessions of a user."""
    await session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))


async def delete_expired_sessions(session: AsyncSession, user_id: str, now: datetime) -> None:
    """Forget what has ended by itself."""
    await session.execute(
        delete(LoginSession).where(LoginSession.user_id == user_id, LoginSession.expires_at <= now)
    )


async def is_name_of_another(session: AsyncSession, organization_id: str, user_id: str, name: str) -> bool:
    """Whether another user of the organization has this name, in whatever case."""
    another = select(User.id).where(
        User.organization_id == organization_id, func.lower(User.name) == name.lower(), User.id != user_id
    )
    return await session.scalar(another.limit(1)) is not None


async def users_by_email(session: AsyncSession, email: str, slug: str | None) -> Sequence[User]:
    """Active users with this address; one an organization."""
    query = select(User).where(User.email == email.lower(), User.active).order_by(User.id)
    if slug is not None:
        query = query.join(Organization, Organization.id == User.organization_id).where(
            Organization.slug == slug
        )
    return (await session.scalars(query)).all()


async def user_by_email(session: AsyncSession, organization_id: str, email: str) -> User | None:
    """The organization's user with this address."""
    return await session.scalar(
        select(User).where(User.organization_id == organization_id, User.email == email.lower())
    )


async def token_and_user(
    session: AsyncSession, token_hash: str, now: datetime
) -> tuple[ApiToken, User] | None:
    """A token that is neither expired nor revoked, and its user."""
    row = (
        await session.execute(
            select(ApiToken, User)
            .join(User, ApiToken.user_id == User.id)
            .where(
                ApiToken.token_hash == token_hash,
                _usable(now),
                User.active,
            )
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


async def tokens(session: AsyncSession, organization_id: str, owner_id: str | None) -> Sequence[ApiToken]:
    """The organization's tokens that are not revoked, newest first; of one user, or of all (None)."""
    query = select(ApiToken).where(ApiToken.organization_id == organization_id, ApiToken.revoked_at.is_(None))
    if owner_id is not None:
        query = query.where(ApiToken.user_id == owner_id)
    return (await session.scalars(query.order_by(ApiToken.created_at.desc(), ApiToken.id.desc()))).all()


async def tokens_and_owners(session: AsyncSession, organization_id: str) -> Sequence[tuple[ApiToken, str]]:
    """The organization's tokens that are not revoked, newest first, each with its user's address."""
    rows = await session.execute(
        select(ApiToken, User.email)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.organization_id == organization_id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.created_at.desc(), ApiToken.id.desc())
    )
    return [(token, email) for token, email in rows]


async def token(
    session: AsyncSession, organization_id: str, token_id: str, owner_id: str | None
) -> ApiToken | None:
    """A token of the organization; of one user, or of anybody (None). Locked."""
    query = select(ApiToken).where(ApiToken.id == token_id, ApiToken.organization_id == organization_id)
    if owner_id is not None:
        query = query.where(ApiToken.user_id == owner_id)
    return await session.scalar(query.with_for_update())


async def revoke_tokens(session: AsyncSession, user_id: str, now: datetime) -> None:
    """Take all tokens of a user back."""
    await session.execute(
        update(ApiToken)
        .where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def lock_member(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """A user of the organization, active or not. All its administrators are locked with him, so that two
    who take each other's place away at the same moment are judged one after the other."""
    rows = await session.scalars(
        select(User)
        .where(User.organization_id == organization_id, or_(User.id == user_id, User.role == Role.ADMIN))
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return next((user for user in rows if user.id == user_id), None)


async def has_another_admin(session: AsyncSession, organization_id: str, user_id: str) -> bool:
    """Whether somebody else administers the organization."""
    query = select(User.id).where(
        User.organization_id == organization_id, User.role == Role.ADMIN, User.active, User.id != user_id
    )
    return await session.scalar(query.limit(1)) is not None


async def members(session: AsyncSession, organization_id: str, *, inactive: bool) -> Sequence[User]:
    """The organization's people, by name; also those who are no longer active, if wanted."""
    query = select(User).where(User.organization_id == organization_id)
    if not inactive:
        query = query.where(User.active)
    return (await session.scalars(query.order_by(User.name, User.id))).all()


async def people(
    session: AsyncSession,
    organization_id: str,
    page: PageRequest,
    *,
    text: str,
    role: Role | None,
    active: bool | None,
) -> tuple[Sequence[User], int]:
    """A page of the organization's people by name, and how many there are: those whose name or address
    contains ``text``, in whatever case."""
    conditions = [User.organization_id == organization_id]
    if text:
        conditions.append(
            or_(User.name.icontains(text, autoescape=True), User.email.icontains(text, autoescape=True))
        )
    if role is not None:
        conditions.append(User.role == role)
    if active is not None:
        conditions.append(User.active.is_(active))
    total = await session.scalar(select(func.count()).select_from(User).where(*conditions))
    rows = await session.scalars(
        select(User).where(*conditions).order_by(User.name, User.id).offset(page.offset).limit(page.page_size)
    )
    return rows.all(), total or 0


async def names(session: AsyncSession, organization_id: str, user_ids: Collection[str]) -> dict[str, str]:
    """The names of those of these users who are the organization's, active or not."""
    rows = await session.execute(
        select(User.id, User.name).where(User.organization_id == organization_id, User.id.in_(user_ids))
    )
    return dict(rows.all())


async def take_reset(session: AsyncSession, token_hash: str, now: datetime) -> User | None:
    """Use up a password reset that has not expired; returns whose it was, if he is active."""
    user_id = await session.scalar(
        delete(PasswordReset)
        .where(PasswordReset.token_hash == token_hash, PasswordReset.expires_at > now)
        .returning(PasswordReset.user_id)
    )
    if user_id is None:
        return None
    return await session.scalar(select(User).where(User.id == user_id, User.active))


async def delete_resets(session: AsyncSession, user_id: str) -> None:
    """Make all links for a new password useless."""
    await session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))


async def users_with_roles(
    session: AsyncSession, organization_ids: Collection[str], roles: Collection[Role]
) -> Sequence[User]:
    """Active users of these organizations who have one of the roles."""
    return (
        await session.scalars(
            select(User)
            .where(User.organization_id.in_(organization_ids), User.role.in_(roles), User.active)
            .order_by(User.id)
        )
    ).all()


async def organization_ids(session: AsyncSession, ids: Collection[str]) -> Sequence[str]:
    """Those of the ids that are an organization's."""
    return (await session.scalars(select(Organization.id).where(Organization.id.in_(ids)))).all()


async def owners_by(
    session: AsyncSession, column: InstrumentedAttribute[str], values: Collection[str]
) -> Sequence[tuple[str, str]]:
    """(value, organization) for each user who has one of the values in `column`, active or not."""
    query = select(column, User.organization_id).where(column.in_(values))
    return [(value, organization) for value, organization in await session.execute(query)]


async def active_staff(session: AsyncSession, user_ids: Collection[str]) -> set[str]:
    """Those of these users who are active and no customers."""
    query = select(User.id).where(User.id.in_(user_ids), User.active, User.role != Role.CUSTOMER)
    return set(await session.scalars(query))
