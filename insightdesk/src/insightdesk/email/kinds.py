"""The closed set of ticket notifications, and the subject line of each."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["SUBJECTS", "NotificationKind"]


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


SUBJECTS: dict[NotificationKind, str] = {
    NotificationKind.NEW_MESSAGE: "New message on ticket: {subject}",
    NotificationKind.STATUS_CHANGE: "Ticket status updated: {subject}",
    NotificationKind.ASSIGNMENT: "Ticket assigned to you: {subject}",
    NotificationKind.TICKET_CREATED: "We have your ticket: {subject}",
    NotificationKind.TICKET_RESOLVED: "Ticket resolved: {subject}",
    NotificationKind.TICKET_CLOSED: "Ticket closed: {subject}",
    NotificationKind.SLA_WARNING: "SLA deadline is near: {subject}",
    NotificationKind.SLA_BREACH: "SLA breached: {subject}",
}
