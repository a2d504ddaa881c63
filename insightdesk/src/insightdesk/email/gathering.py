"""Bursts: what happens to a ticket is told at once, and the rest of five minutes in one mail at their end.

There is one window for each ticket, person and kind of notification. The first notice opens it and is mailed.
Those that come before it closes are kept, and a job at its end mails them together. Quiet hours are a window
whose first notice is kept too. Each notice is told by exactly one delivery, so nothing is lost or repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.database import new_id
from insightdesk.email.composing import stage
from insightdesk.email.kinds import NotificationKind
from insightdesk.email.models import MailNotice, MailWindow
from insightdesk.email.preferences import silent_until
from insightdesk.email.registry import REGISTRY
from insightdesk.email.repository import Staged
from insightdesk.email.tickets import TicketFacts, facts_of, mail_data, oldest_untold_message

__all__ = ["WINDOW", "Kept", "Told", "close", "decide", "notice"]

WINDOW = timedelta(minutes=5)


@dataclass(frozen=True)
class Told:
    """The notice is told by this delivery."""

    delivery: Staged


@dataclass(frozen=True)
class Kept:
    """The notice waits in a window until it closes."""

    window_id: str
    closes_at: datetime


def decide(closes_at: datetime | None, silent: datetime | None, now: datetime) -> datetime | None:
    """Until when a notice is kept; None if it is told at once.

    Args:
        closes_at: when the open window closes, if there is one.
        silent: when the person's quiet hours are over, if she is in them.
    """
    waits = [moment for moment in (closes_at, silent) if moment is not None and moment > now]
    return max(waits, default=None)


async def notice(
    session: AsyncSession,
    key: str,
    ticket_id: str,
    recipient_id: str,
    kind: NotificationKind,
    message_id: str | None,
    now: datetime,
) -> Told | Kept | None:
    """Takes one notice in; a second call with its key finds what the first has done.

    Returns:
        What becomes of it; None if the recipient is not active any more.

    Raises:
        toril.Fail: the ticket or the recipient does not exist, or not in one organization.
    """
    facts = await facts_of(session, ticket_id, recipient_id)
    if facts is None:
        raise toril.Fail("the ticket or its recipient does not exist (in one organization)")
    if not facts.recipient.active:
        return None
    window = await _locked(session, facts, kind)
    known = (
        await session.execute(
            select(MailNotice).where(
                MailNotice.organization_id == facts.ticket.organization_id, MailNotice.key == key
            )
        )
    ).scalar_one_or_none()
    if known is not None:
        if known.delivery_id is not None:
            return Told(Staged(known.delivery_id, new=False))
        return Kept(window.id, window.closes_at or now)
    if kind is NotificationKind.NEW_MESSAGE and message_id is None:
        message_id = await oldest_untold_message(session, facts, window.id)
    taken = MailNotice(
        organization_id=facts.ticket.organization_id,
        window_id=window.id,
        key=key,
        message_id=message_id,
        created_at=now,
    )
    session.add(taken)
    silent = None if REGISTRY[kind.value].urgent else await silent_until(session, recipient_id, now)
    until = decide(window.closes_at, silent, now)
    if until is not None:
        window.closes_at = until
        return Kept(window.id, until)
    window.closes_at = now + WINDOW
    await session.flush()
    return Told(await _tell(session, facts, kind, [taken], f"notice:{key}", now))


async def close(session: AsyncSession, window_id: str, now: datetime) -> Staged | datetime | None:
    """Tells all that a window has kept.

    Returns:
        The delivery; or when to come again, if the window is still open or it is quiet; or None if there is
        nothing to tell.
    """
    window = (
        await session.execute(select(MailWindow).where(MailWindow.id == window_id).with_for_update())
    ).scalar_one_or_none()
    if window is None or window.closes_at is None:
        return None
    silent = None
    if not REGISTRY[window.kind].urgent:
        silent = await silent_until(session, window.user_id, now)
    until = decide(window.closes_at, silent, now)
    if until is not None:
        window.closes_at = until
        return until
    closed, window.closes_at = window.closes_at, None
    waiting = (
        await session.scalars(
            select(MailNotice)
            .where(MailNotice.window_id == window_id, MailNotice.told_at.is_(None))
            .order_by(MailNotice.created_at, MailNotice.id)
        )
    ).all()
    facts = await facts_of(session, window.ticket_id, window.user_id)
    if facts is None or not facts.recipient.active or not waiting:
        return None
    key = f"window:{window_id}:{closed.timestamp():.3f}"
    return await _tell(session, facts, NotificationKind(window.kind), waiting, key, now)


async def _tell(
    session: AsyncSession,
    facts: TicketFacts,
    kind: NotificationKind,
    notices: Sequence[MailNotice],
    key: str,
    now: datetime,
) -> Staged:
    messages = [each.message_id for each in notices if each.message_id is not None]
    staged = await stage(
        session,
        organization_id=facts.ticket.organization_id,
        recipient=facts.recipient.email,
        template=kind.value,
        data=await mail_data(session, facts, kind, messages, len(notices)),
        key=key,
        user_id=facts.recipient.id,
        ticket_id=facts.ticket.id,
    )
    await session.execute(
        update(MailNotice)
        .where(MailNotice.id.in_([each.id for each in notices]))
        .values(delivery_id=staged.delivery_id, told_at=now)
    )
    return staged


async def _locked(session: AsyncSession, facts: TicketFacts, kind: NotificationKind) -> MailWindow:
    await session.execute(
        insert(MailWindow)
        .values(
            id=new_id(),
            organization_id=facts.ticket.organization_id,
            ticket_id=facts.ticket.id,
            user_id=facts.recipient.id,
            kind=kind.value,
        )
        .on_conflict_do_nothing(index_elements=[MailWindow.ticket_id, MailWindow.user_id, MailWindow.kind])
    )
    query = select(MailWindow).where(
        MailWindow.ticket_id == facts.ticket.id,
        MailWindow.user_id == facts.recipient.id,
        MailWindow.kind == kind.value,
    )
    return (await session.execute(query.with_for_update())).scalar_one()
