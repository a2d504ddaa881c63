"""The queues of the helpdesk: one declaration for workers, statistics and documentation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QueueSpec:
    """A queue.

    Attributes:
        name: as in Valkey.
        stats_key: as in the answer of ``GET /admin/jobs/stats``.
        concurrency: jobs that one worker process runs at a time.
    """

    name: str
    stats_key: str
    concurrency: int


QUEUES = (
    QueueSpec("email", "email", 5),
    QueueSpec("email-welcome", "emailWelcome", 1),
    QueueSpec("email-ticket-notification", "emailTicketNotification", 10),
    QueueSpec("sla-check", "slaCheck", 5),
    QueueSpec("ticket-actions", "ticketActions", 5),
    QueueSpec("reports", "reports", 2),
    QueueSpec("notifications", "notifications", 5),
    QueueSpec("cleanup", "cleanup", 2),
)
