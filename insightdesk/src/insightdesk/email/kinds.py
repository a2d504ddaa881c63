"""The closed sets of ticket notifications and of the ways to tell them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Channel", "NotificationKind"]


class NotificationKind(StrEnum):
    """What happened to a ticket. Each has a template of the same name."""

    NEW_MESSAGE = "new_message"
    STATUS_CHANGE = "status_change"
    ASSIGNMENT = "assignment"
    TICKET_CREATED = "ticket_created"
    TICKET_RESOLVED = "ticket_resolved"
    TICKET_CLOSED = "ticket_closed"
    SLA_WARNING = "sla_warning"
    SLA_BREACH = "sla_breach"


class Channel(StrEnum):
    """How a person is told."""

    EMAIL = "email"
    IN_APP = "in_app"
