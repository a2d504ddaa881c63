"""Limits on failed logins, kept in the database: all API processes count together.

A try is counted before its password is looked at, and struck out if it was right. So tries made at the
same moment, by whatever processes, cannot slip past a limit together.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import LoginAttempt
from insightdesk.database import transaction
from insightdesk.kit.errors import TooMany

WINDOW = timedelta(minutes=5)
"""How long a failure counts."""

LIMIT = 10
"""Failures of one account from one address."""

ACCOUNT_LIMIT = 50
"""Failures of one account from anywhere. Higher, so that a stranger does not easily lock somebody out."""

ADDRESS_LIMIT = 200
"""Failures from one address, whatever the account."""


@dataclass(frozen=True)
class Limit:
    """A key, and how many failures it may have within the window."""

    key: str
    most: int


def limits(purpose: str, account: str, address: str) -> Sequence[Limit]:
    """What counts for a try.

    Args:
        purpose: what is tried, e.g. ``login``; each is counted by itself.
        account: the address that was typed.
        address: where the request came from. Of IPv6, the network of 64 bits that one customer has.
    """
    network = _network(address)
    return [
        Limit(_digest(purpose, "pair", account.lower(), network), LIMIT),
        Limit(_digest(purpose, "account", account.lower()), ACCOUNT_LIMIT),
        Limit(_digest(purpose, "address", network), ADDRESS_LIMIT),
    ]


@dataclass(frozen=True)
class Attempt:
    """A try that has been counted."""

    limits: Sequence[Limit]
    ids: Sequence[str]


async def begin(wanted: Sequence[Limit], now: datetime) -> Attempt:
    """Count a try, in transactions of its own, and look whether it is allowed.

    Raises:
        TooMany: it is one too many. What is refused here is not counted, so the door opens again.
    """
    async with transaction() as session:
        # What another try is already forgetting is left to it: neither waits for the other.
        stale = select(LoginAttempt.id).where(LoginAttempt.at < now - WINDOW).limit(1000)
        await session.execute(
            delete(LoginAttempt).where(LoginAttempt.id.in_(stale.with_for_update(skip_locked=True)))
        )
        rows = [LoginAttempt(key=limit.key, at=now) for limit in wanted]
        session.add_all(rows)
    attempt = Attempt(wanted, [row.id for row in rows])
    async with transaction() as session:
        if await _is_allowed(session, wanted, now):
            return attempt
        await _strike_out(session, attempt)
    raise TooMany("too many failed tries; try again in five minutes")


async def succeed(session: AsyncSession, attempt: Attempt) -> None:
    """The try was right: it does not count, nor do the earlier ones of this account from this address."""
    await _strike_out(session, attempt)
    await session.execute(delete(LoginAttempt).where(LoginAttempt.key == attempt.limits[0].key))


async def _is_allowed(session: AsyncSession, wanted: Sequence[Limit], now: datetime) -> bool:
    rows = await session.execute(
        select(LoginAttempt.key, func.count())
        .where(LoginAttempt.key.in_([limit.key for limit in wanted]), LoginAttempt.at >= now - WINDOW)
        .group_by(LoginAttempt.key)
    )
    counted = dict(rows.all())
    return all(counted.get(limit.key, 0) <= limit.most for limit in wanted)


async def _strike_out(session: AsyncSession, attempt: Attempt) -> None:
    await session.execute(delete(LoginAttempt).where(LoginAttempt.id.in_(attempt.ids)))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a socket's path, or a name in tests
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
