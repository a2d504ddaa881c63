"""How mails of all organizations fare, as numbers for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import first_id
from insightdesk.email.models import Delivery, DeliveryState, MailProvider

__all__ = ["circuits", "lately"]

DAY = timedelta(days=1)


async def lately(session: AsyncSession, now: datetime) -> Mapping[str, int]:
    """Count the mails that were made in the last day: state -> how many, 0 too.

    By their ids, which rise with time, so that older mails are not read.
    """
    since = first_id(now - DAY)
    query = select(Delivery.state, func.count()).where(Delivery.id >= since).group_by(Delivery.state)
    counts = {state.value: 0 for state in DeliveryState}
    for state, count in await session.execute(query):
        counts[state.value] = count
    return counts


async def circuits(session: AsyncSession, now: datetime) -> Mapping[str, bool]:
    """Whether each provider that was ever used is left alone at this moment."""
    rows = await session.execute(select(MailProvider.name, MailProvider.open_until))
    return {name: until is not None and until > now for name, until in rows}
