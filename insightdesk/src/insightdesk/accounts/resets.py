"""Choosing another password: by the present one, or by a link that came by mail."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import passwords, repository, service, sessions, throttle
from insightdesk.accounts.models import PasswordReset, User
from insightdesk.accounts.service import Principal
from insightdesk.accounts.sessions import Opened
from insightdesk.database import transaction
from insightdesk.email.service import queue_mail
from insightdesk.kit.errors import Invalid, Unauthorized
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone

LIFETIME = timedelta(minutes=30)
"""How long a link for a new password works."""


async def ask(email: str, organization: str | None, *, address: str, now: datetime) -> None:
    """Mail a link to each active user with this address. Whether there is one is not told.

    Raises:
        TooMany: This address was asked for too often lately, or from here.
    """
    with everyone():
        await throttle.begin(throttle.limits("reset", f"{organization or ''}|{email}", address), now)
        async with transaction() as session:
            for user in await repository.users_by_email(session, email, organization):
                await _mail_link(session, user, now)
                service.audit_unproven(session, user, "password.reset.asked", address=address)


async def _mail_link(session: AsyncSession, user: User, now: datetime) -> None:
    token = passwords.new_token("idr_")
    reset = PasswordReset(
        organization_id=user.organization_id,
        user_id=user.id,
        token_hash=passwords.token_hash(token),
        created_at=now,
        expires_at=now + LIFETIME,
    )
    # The latest link alone works.
    await repository.delete_resets(session, user.id)
    session.add(reset)
    await session.flush()
    await queue_mail(
        session,
        organization_id=user.organization_id,
        recipient=user.email,
        template="password_reset",
        data={
            "name": user.name,
            # After the `#`, so that neither access logs nor a proxy ever see the token.
            "url": f"{get_settings().base_url}/reset#{token}",
            "minutes": int(LIFETIME.total_seconds() // 60),
        },
        key=f"password-reset:{reset.id}",
        user_id=user.id,
    )


async def use(token: str, password: str, *, address: str, now: datetime) -> None:
    """Set the password of whoever holds the link, and end his sessions everywhere.

    Raises:
        Unauthorized: The link is unknown, used or expired.
        TooMany: Too many unknown links were tried from here.
    """
    with everyone():
        attempt = await throttle.begin(
            throttle.limits("reset-link", passwords.token_hash(token), address), now
        )
        hashed = await passwords.hash_password(password)
        async with transaction() as session:
            user = await repository.take_reset(session, passwords.token_hash(token), now)
            if user is None:
                raise Unauthorized("the link is unknown, used or expired; ask for a new one")
            await throttle.succeed(session, attempt)
            await _set(session, user, hashed)
            service.audit(session, Principal.of(user), "password.reset", "user", user.id, address=address)


async def change(actor: Principal, current: str, password: str, *, address: str, now: datetime) -> Opened:
    """Set another password, end all of the person's sessions, and open a new one for this browser.

    Raises:
        Invalid: ``current`` is not the present password.
        TooMany: Too many wrong ones were tried lately.
    """
    attempt = await throttle.begin(throttle.limits("change", actor.user_id, address), now)
    async with transaction() as session:
        user = await service.find_user(session, actor.organization_id, actor.user_id)
    if user is None or not await passwords.verify_password(user.password_hash, current):
        raise Invalid("current: this is not the present password")
    hashed = await passwords.hash_password(password)
    async with transaction() as session:
        await throttle.succeed(session, attempt)
        user = await session.merge(user)
        await _set(session, user, hashed)
        service.audit(session, actor, "password.changed", "user", user.id, address=address)
        return await sessions.open_session(session, user, now)


async def _set(session: AsyncSession, user: User, hashed: str) -> None:
    user.password_hash = hashed
    await repository.delete_sessions(session, user.id)
    await repository.delete_resets(session, user.id)
