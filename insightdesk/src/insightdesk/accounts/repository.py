"""Queries on organizations, users and tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from insightdesk.accounts.models import ApiToken, LoginSession, Organization, Role, User


async def organization_by_slug(session: AsyncSession, slug: str) -> Organization | None:
    """The organization with this short name."""
    return await session.scalar(select(Organization).where(Organization.slug == slug))


async def time_zone(session: AsyncSession, organization_id: str) -> str | None:
    """The name of the organization's time zone."""
    return await session.scalar(select(Organization.time_zone).where(Organization.id == organization_id))


async def user_in(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """An active user, if he belongs to the organization."""
    return await session.scalar(
        select(User).where(User.id == user_id, User.organization_id == organization_id, User.active)
    )


async def user_by_session(session: AsyncSession, token_hash: str, now: datetime) -> User | None:
    """The user of a session that has not ended."""
    return await session.scalar(
        select(User)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(LoginSession.token_hash == token_hash, LoginSession.expires_at > now, User.active)
    )


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
                ApiToken.revoked_at.is_(None),
                or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
                User.active,
            )
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


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
