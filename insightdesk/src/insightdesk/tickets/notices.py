"""Telling people of what happens on a ticket: mails and live notifications, staged in the transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk import outbox
from insightdesk.email.jobs import send_ticket_notification
from insightdesk.email.kinds import NotificationKind
from insightdesk.realtime.jobs import notify_ticket


@dataclass(frozen=True)
class Notice:
    """One thing to tell.

    Attributes:
        action: what live clients are told, e.g. ``message_added``.
        kind: which mail; None for no mail.
        actor_id: who did it and is therefore not told; None when it was the clock.
        recipients: who gets the mail and the live notification.
        watchers: who gets the live notification alone.
        message_id: the message that the mail tells, if it is about one.
    """

    ticket_id: str
    action: str
    kind: NotificationKind | None
    actor_id: str | None
    recipients: Collection[str]
    watchers: Collection[str] = ()
    message_id: str | None = None


async def stage(session: AsyncSession, notices: Sequence[Notice]) -> None:
    """Put the jobs of all ``notices`` into the outbox; they leave if the transaction commits."""
    mails, events = [], []
    for notice in notices:
        mailed = sorted(set(notice.recipients) - {notice.actor_id})
        told = sorted({*notice.recipients, *notice.watchers} - {notice.actor_id})
        if notice.kind is not None:
            mails += [
                send_ticket_notification.new_job(
                    ticket_id=notice.ticket_id,
                    recipient_id=recipient,
                    type=notice.kind,
                    message_id=notice.message_id,
                )
                for recipient in mailed
            ]
        if told:
            events.append(
                notify_ticket.new_job(
                    ticket_id=notice.ticket_id,
                    action=notice.action,
                    actor_id=notice.actor_id,
                    recipient_ids=told,
                )
            )
    if mails:
        await outbox.enqueue(session, send_ticket_notification.queue, *mails)
    if events:
        await outbox.enqueue(session, notify_ticket.queue, *events)
