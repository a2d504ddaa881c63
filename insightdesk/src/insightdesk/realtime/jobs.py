"""The job of the `notifications` queue: one event to the inbox and the screen of each recipient."""

from __future__ import annotations

import toril
from insightdesk.jobs import MEDIUM, app, delivery_key
from insightdesk.realtime import service

__all__ = ["notify_ticket"]


@app.job(
    "notifications",
    name="ticket",
    **MEDIUM.options,
    timeout=30.0,
    keep_completed=toril.Keep(count=10_000, age=3600.0),
    keep_failed=toril.Keep(count=10_000, age=86_400.0),
)
async def notify_ticket(
    job: toril.Job, ticket_id: str, action: str, actor_id: str | None, recipient_ids: list[str]
) -> None:
    """Stores and emits a notification for each recipient but the actor."""
    await service.notify(delivery_key(job), ticket_id, action, actor_id, recipient_ids)
