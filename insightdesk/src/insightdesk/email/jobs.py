"""The jobs of the mail queues. Node producers send the same payloads, in camelCase.

A ticket's notifications have a queue of their own, so that ten of them may run beside five other mails and
neither waits for the other's slots. The brief's producers know two layouts: one queue for all mails, with the
job's name saying which, and a queue for each kind, where the name says nothing. Both are served.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import toril
from insightdesk import outbox
from insightdesk.database import transaction
from insightdesk.email import gathering, producing
from insightdesk.email.delivery import deliver
from insightdesk.email.kinds import NotificationKind
from insightdesk.jobs import HIGH, LOW, app, delivery_key, serve_also
from insightdesk.kit import clock
from insightdesk.kit.redaction import Private

__all__ = [
    "deliver_mail",
    "delivery_job",
    "gathering_job",
    "send_email",
    "send_gathered",
    "send_ticket_notification",
    "send_welcome",
]

_KEEP_COMPLETED = toril.Keep(count=10_000, age=3600.0)
_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)
_TIMEOUT = 120.0  # seconds: each provider of the list may need two time-outs of its own


@app.job(
    "email",
    name="deliver",
    **HIGH.options,
    timeout=_TIMEOUT,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def deliver_mail(delivery_id: str) -> None:
    """Hands over one mail that a feature staged in its own transaction."""
    await deliver(delivery_id)


def delivery_job(delivery_id: str, *, bulk: bool = False, again: str = "") -> toril.NewJob:
    """The job that hands this delivery over, which a queue has once; once more for each `again`.

    Args:
        bulk: Whether the mail goes to many, so that those of people come first.
    """
    job = deliver_mail.options(job_id="-".join(filter(None, ("deliver", delivery_id, again))))
    return (job.options(**LOW.options) if bulk else job).new_job(delivery_id=delivery_id)


@app.job(
    "email",
    name="send",
    **HIGH.options,
    timeout=_TIMEOUT,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_email(
    job: toril.Job,
    to: Private[str | list[str]],
    subject: Private[str],
    template: str,
    data: Private[dict[str, Any]],
    organization_id: str | None = None,
) -> None:
    """Sends one mail from a named template; to several recipients, one mail each."""
    waiting = await producing.send_generic(delivery_key(job), to, subject, template, data, organization_id)
    if waiting:
        await app.queue(deliver_mail.queue).add_many([delivery_job(each) for each in waiting])


@app.job(
    "email",
    name="welcome",
    attempts=5,
    backoff=toril.Backoff.exponential(60.0, jitter=0.1),
    priority=1,
    timeout=_TIMEOUT,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_welcome(job: toril.Job, user_id: str, email: Private[str], name: Private[str]) -> None:
    """Greets a new user."""
    await producing.send_welcome(delivery_key(job), user_id, email, name)


@app.job(
    "email-ticket-notification",
    name="ticket-notification",
    attempts=3,
    backoff=toril.Backoff.exponential(30.0, jitter=0.1),
    priority=1,
    timeout=_TIMEOUT,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_ticket_notification(
    job: toril.Job,
    ticket_id: str,
    recipient_id: str,
    type: NotificationKind,
    message_id: str | None = None,
) -> None:
    """Tells one person what happened to a ticket, at once or with what else happens in five minutes."""
    now = clock.now()
    async with transaction() as session:
        taken = await gathering.notice(
            session, delivery_key(job), ticket_id, recipient_id, type, message_id, now
        )
        if isinstance(taken, gathering.Kept):
            closing = gathering_job(taken.window_id, taken.closes_at, now)
            await outbox.enqueue(session, send_gathered.queue, closing)
    if isinstance(taken, gathering.Told):
        await deliver(taken.delivery.delivery_id)


@app.job(
    "email",
    name="gathered-notifications",
    **HIGH.options,
    timeout=_TIMEOUT,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_gathered(window_id: str) -> None:
    """Tells one person what a window has kept, when it closes."""
    now = clock.now()
    async with transaction() as session:
        closed = await gathering.close(session, window_id, now)
        if closed is not None and not isinstance(closed, datetime):
            await outbox.enqueue(session, deliver_mail.queue, delivery_job(closed.delivery_id))
    if isinstance(closed, datetime):
        raise toril.Snooze((closed - now).total_seconds(), "the window is still open")


def gathering_job(window_id: str, closes_at: datetime, now: datetime) -> toril.NewJob:
    """The job that tells what this window has kept when it closes, which a queue has once."""
    job = send_gathered.options(
        job_id=f"gather-{window_id}-{closes_at.timestamp():.0f}",
        delay=max((closes_at - now).total_seconds(), 0.0),
    )
    return job.new_job(window_id=window_id)


# A producer that names the queue alone names the job after it.
serve_also(send_welcome, "email-welcome", "welcome", "email-welcome")
serve_also(send_ticket_notification, "email-ticket-notification", "email-ticket-notification")
serve_also(send_ticket_notification, "email", "ticket-notification")
