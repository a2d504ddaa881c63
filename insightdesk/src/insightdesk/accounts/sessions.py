"""Sessions of browsers: how they begin, who they belong to, and what ends them.

A session is a random token in a cookie; the database has its hash. Each login makes a new one and ends the
one that the browser came with, so that nobody is ever logged in under a token that another has planted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import passwords, repository, service, throttle
from insightdesk.accounts.models import LoginSession, User
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.kit.errors import Unauthorized
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone


@dataclass(frozen=True)
class Opened:
    """A session that has just begun.

    Attributes:
        token: what the browser's cookie holds; the database has only its hash.
        lifetime: seconds until it ends.
    """

    principal: Principal
    token: str
    lifetime: int


async def log_in(
    email: str, password: str, organization: str | None, *, address: str, presented: str | None, now: datetime
) -> Opened:
    """Prove an address and a password, and open a session.

    Works in transactions of its own: the slow hash must not hold a connection, and a failed try counts
    although the request fails.

    Args:
        organization: its short name, where the address has several.
        address: where the request came from.
        presented: the token of the session that the browser already has, which ends.

    Raises:
        Unauthorized: They do not belong together; it is not said which was wrong.
        TooMany: Too many tries failed lately.
    """
    counted = throttle.limits("login", f"{organization or ''}|{email}", address)
    with everyone():
        attempt = await throttle.begin(counted, now)
        async with transaction() as session:
            users = await repository.users_by_email(session, email, organization)
        user = await _whose(users, password)
        async with transaction() as session:
            if user is not None:
                await throttle.succeed(session, attempt)
                if presented:
                    await log_out(session, presented)
                opened = await open_session(session, user, now)
                service.audit(session, opened.principal, "login.succeeded", "user", user.id, address=address)
                return opened
            for one in users:
                service.audit_unproven(session, one, "login.failed", address=address)
    raise Unauthorized("e-mail or password is wrong")


async def _whose(users: Sequence[User], password: str) -> User | None:
    """The user with this password. Where nobody has the address it takes as long as for one who has."""
    for user in users:
        if await passwords.verify_password(user.password_hash, password):
            return user
    if not users:
        await passwords.verify_password(None, password)
    return None


async def open_session(session: AsyncSession, user: User, now: datetime) -> Opened:
    """A new session for somebody who has proved who he is; forgets his expired ones."""
    await repository.delete_expired_sessions(session, user.id, now)
    token = passwords.new_token("ids_")
    lifetime = timedelta(hours=get_settings().session_hours)
    session.add(
        LoginSession(
            organization_id=user.organization_id,
            user_id=user.id,
            token_hash=passwords.token_hash(token),
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    await session.flush()
    return Opened(Principal.of(user), token, int(lifetime.total_seconds()))


async def principal_of_session(session: AsyncSession, token: str, now: datetime) -> Principal:
    """Whose session it is.

    Raises:
        Unauthorized: It has ended, or never was.
    """
    user = await repository.user_by_session(session, passwords.token_hash(token), now)
    if user is None:
        raise Unauthorized("the session has ended; log in again")
    return Principal.of(user)


async def log_out(session: AsyncSession, token: str) -> None:
    """End one session, if it still is one."""
    ended = await repository.delete_session(session, passwords.token_hash(token))
    if ended is not None:
        service.audit(session, Principal.of(ended), "logout", "user", ended.id)


async def live_proofs(session: AsyncSession, hashes: Collection[str], now: datetime) -> set[str]:
    """Which of these hashes are of sessions or tokens by which somebody could come in now."""
    return await repository.live_proofs(session, hashes, now)
