"""What a person wants to be told, by which way, and when she wants quiet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Organization, User
from insightdesk.database import new_id
from insightdesk.email.kinds import Channel, NotificationKind
from insightdesk.email.models import MailPreference, QuietHours
from insightdesk.email.quiet import quiet_until
from insightdesk.email.registry import REGISTRY

__all__ = [
    "CHANNELS",
    "choices",
    "choose",
    "opted_out",
    "quiet_hours",
    "set_quiet_hours",
    "silent_until",
]

_ON_TICKETS = frozenset(NotificationKind)

CHANNELS = {
    name: tuple(Channel) if name in _ON_TICKETS else (Channel.EMAIL,)
    for name, template in sorted(REGISTRY.items())
    if template.optional
}
"""The types of news that a person may do without, and by which ways each comes: digests are mails alone."""


async def choices(session: AsyncSession, user_id: str) -> dict[str, dict[Channel, bool]]:
    """For each type and channel whether the person wants it."""
    wanted = {type_: dict.fromkeys(channels, True) for type_, channels in CHANNELS.items()}
    rows = await session.scalars(select(MailPreference).where(MailPreference.user_id == user_id))
    for row in rows:
        if row.channel in wanted.get(row.type, ()):
            wanted[row.type][row.channel] = row.wanted
    return wanted


async def choose(
    session: AsyncSession,
    organization_id: str,
    user_id: str,
    wanted: Mapping[tuple[str, Channel], bool],
) -> None:
    """Sets what the person wants; what is not named stays."""
    if not wanted:
        return
    statement = insert(MailPreference).values(
        [
            {
                "id": new_id(),
                "organization_id": organization_id,
                "user_id": user_id,
                "type": type_,
                "channel": channel,
                "wanted": yes,
            }
            for (type_, channel), yes in wanted.items()
        ]
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[MailPreference.user_id, MailPreference.type, MailPreference.channel],
            set_={"wanted": statement.excluded.wanted},
        )
    )


async def opted_out(
    session: AsyncSession, user_ids: Collection[str], type_: str, channel: Channel
) -> set[str]:
    """Those of the users who do not want this type of news by this channel."""
    rows = await session.scalars(
        select(MailPreference.user_id).where(
            MailPreference.user_id.in_(user_ids),
            MailPreference.type == type_,
            MailPreference.channel == channel,
            MailPreference.wanted.is_(False),
        )
    )
    return set(rows)


async def quiet_hours(session: AsyncSession, user_id: str) -> QuietHours | None:
    """The person's quiet hours; None if she has none."""
    return (
        await session.execute(select(QuietHours).where(QuietHours.user_id == user_id))
    ).scalar_one_or_none()


async def set_quiet_hours(
    session: AsyncSession, organization_id: str, user_id: str, hours: tuple[time, time, str | None] | None
) -> None:
    """Sets start, end and zone (None: the organization's), or takes the quiet hours away."""
    if hours is None:
        await session.execute(delete(QuietHours).where(QuietHours.user_id == user_id))
        return
    starts, ends, zone = hours
    values = {"starts": starts, "ends": ends, "time_zone": zone}
    await session.execute(
        insert(QuietHours)
        .values(id=new_id(), organization_id=organization_id, user_id=user_id, **values)
        .on_conflict_do_update(index_elements=[QuietHours.user_id], set_=values)
    )


async def silent_until(session: AsyncSession, user_id: str, now: datetime) -> datetime | None:
    """When the quiet hours that the person is in are over; None if she is in none."""
    row = (
        await session.execute(
            select(QuietHours.starts, QuietHours.ends, QuietHours.time_zone, Organization.time_zone)
            .join(User, User.id == QuietHours.user_id)
            .join(Organization, Organization.id == User.organization_id)
            .where(QuietHours.user_id == user_id)
        )
    ).one_or_none()
    if row is None:
        return None
    starts, ends, own, organizations = row
    return quiet_until(starts, ends, ZoneInfo(own or organizations), now)
