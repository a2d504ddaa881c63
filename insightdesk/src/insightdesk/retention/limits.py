"""What is kept for how long: the one list of everything that grows and has to end."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from insightdesk.accounts.models import AuditEntry
from insightdesk.email.models import Delivery
from insightdesk.realtime.models import Notification
from insightdesk.reports.local_runs.models import LocalRun
from insightdesk.retention.models import ArchivedTicket

OUTBOX_LIMIT = timedelta(days=30)
"""Jobs that no relay has taken for so long: what they were to tell is of no use any more."""

LOCAL_RUN_LIMIT = timedelta(days=90)
"""A run is looked up only within days of its time."""


@dataclass(frozen=True)
class Limits:
    """What an organization keeps, in days of 24 hours.

    Attributes:
        archive_after_days: from closing until a ticket leaves the desk for the archive.
        purge_after_days: from closing until it leaves the archive.
        delivery_days: mails. notification_days: the inbox. audit_days: the audit log.
    """

    archive_after_days: int = 365
    purge_after_days: int = 1095
    delivery_days: int = 180
    notification_days: int = 90
    audit_days: int = 730


LIMIT_NAMES = tuple(field.name for field in fields(Limits))


@dataclass(frozen=True)
class Kept:
    """Rows that end when they are old enough.

    Attributes:
        kind: what they are called where they are counted.
        moment: the column of which the age is taken; its table's rows belong to organizations.
        limit: the name of the limit in `Limits`, or a duration that is the same for all.
    """

    kind: str
    moment: InstrumentedAttribute[Any]
    limit: str | timedelta


KEPT = (
    Kept("archived tickets", ArchivedTicket.closed_at, "purge_after_days"),
    Kept("deliveries", Delivery.created_at, "delivery_days"),
    Kept("notifications", Notification.created_at, "notification_days"),
    Kept("audit entries", AuditEntry.created_at, "audit_days"),
    Kept("local runs", LocalRun.begun_at, LOCAL_RUN_LIMIT),
)
