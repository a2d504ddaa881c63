"""Queries on organizations, users and tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import ApiToken, Organization, Role, User


async def organization_by_slug(session: AsyncSession, slug: str) -> Organization | None:
    """The organization with this short name."""
    return await session.scalar(select(Organization).where(Organization.slug == slug))


async def user_in(session: AsyncSession, organization_id: str, user_id: str) -> User | None:
    """An active user, if he belongs to the organization."""
    return await session.scalar(
        select(User).where(User.id == user_id, User.organization_id == organization_id, User.active)
    )


async def active_user(session: AsyncSession, user_id: str) -> User | None:
    """An active user of any organization."""
    return await session.scalar(select(User).where(User.id == user_id, User.active))


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


async def user_by_token(session: AsyncSession, token_hash: str, now: datetime) -> User | None:
    """The user of a token that is neither expired nor revoked."""
    return await session.scalar(
        select(User)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(
            ApiToken.token_hash == token_hash,
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
            User.active,
        )
    )


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
