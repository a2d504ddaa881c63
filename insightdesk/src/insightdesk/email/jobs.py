"""The jobs of the `email` queue. Node producers send the same payloads, in camelCase."""

from __future__ import annotations

from typing import Any

import toril
from insightdesk.email import producing
from insightdesk.email.delivery import deliver
from insightdesk.email.kinds import NotificationKind
from insightdesk.jobs import HIGH, app, delivery_key
from insightdesk.kit.redaction import Private

__all__ = ["deliver_mail", "send_email", "send_ticket_notification", "send_welcome"]

_KEEP_COMPLETED = toril.Keep(count=10_000, age=3600.0)
_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)


@app.job(
    "email",
    name="deliver",
    attempts=HIGH.attempts,
    backoff=HIGH.backoff,
    priority=HIGH.priority,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def deliver_mail(delivery_id: str) -> None:
    """Hands over one mail that a feature staged in its own transaction."""
    await deliver(delivery_id)


@app.job(
    "email",
    name="send",
    attempts=HIGH.attempts,
    backoff=HIGH.backoff,
    priority=HIGH.priority,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_email(
    job: toril.Job,
    to: Private[str],
    subject: Private[str],
    template: str,
    data: Private[dict[str, Any]],
    organization_id: str | None = None,
) -> None:
    """Sends one mail from a named template."""
    await producing.send_generic(delivery_key(job), to, subject, template, data, organization_id)


@app.job(
    "email",
    name="welcome",
    attempts=5,
    backoff=toril.Backoff.exponential(60.0, jitter=0.1),
    priority=1,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_welcome(job: toril.Job, user_id: str, email: Private[str], name: Private[str]) -> None:
    """Greets a new user."""
    await producing.send_welcome(delivery_key(job), user_id, email, name)


@app.job(
    "email",
    name="ticket-notification",
    attempts=3,
    backoff=toril.Backoff.exponential(30.0, jitter=0.1),
    priority=1,
    timeout=60.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def send_ticket_notification(
    job: toril.Job, ticket_id: str, recipient_id: str, type: NotificationKind
) -> None:
    """Tells one person what happened to a ticket."""
    await producing.send_notification(delivery_key(job), ticket_id, recipient_id, type)
