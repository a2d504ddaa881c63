"""Every mail that can be sent: its subject, its sample, and whether a person may do without it.

A template is a pair of files in `templates/` (HTML that extends the layout, and a text part) and one row
here. The sample renders the preview, and tells which data the template needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import toril
from insightdesk.email.kinds import NotificationKind

__all__ = ["REGISTRY", "MailTemplate", "UnknownTemplate", "find"]


class UnknownTemplate(ValueError):
    """No template has this name; only those of the registry are ever loaded."""


@dataclass(frozen=True)
class MailTemplate:
    """One kind of mail.

    Attributes:
        name: of the files `templates/<name>.html` and `.txt`.
        subject: a Jinja text over the mail's data.
        sample: data for previews and tests, as a producer gives them.
        optional: whether a person may stop mails of this kind; the name is then a type of preference.
        bulk: whether it may wait behind mails that somebody waits for.
        urgent: whether quiet hours do not hold it.
    """

    name: str
    subject: str
    sample: Mapping[str, toril.Json]
    optional: bool = False
    bulk: bool = False
    urgent: bool = False


_TICKET = {
    "number": 1042,
    "subject": "The export of last month stops at row 65,536",
    "status": "open",
    "priority": "high",
    "url": "https://desk.example/?ticket=1042",
}
_SEEN_BY_CLEO: dict[str, toril.Json] = {"recipient": {"name": "Cleo Customer"}, "ticket": _TICKET}
_SEEN_BY_GUS: dict[str, toril.Json] = {"recipient": {"name": "Gus Agent"}, "ticket": _TICKET}
_MESSAGES = [
    {
        "author": "Gus Agent",
        "at": "09:12",
        "body": "Thank you, that helps.\n\nThe old file format ends there. Could you try the export as XLSX?",
    },
    {"author": "Ada Admin", "at": "09:15", "body": "The new limit is one million rows."},
]


def _notification(
    kind: NotificationKind, subject: str, sample: Mapping[str, toril.Json], *, urgent: bool = False
) -> MailTemplate:
    return MailTemplate(kind.value, subject, sample, optional=True, urgent=urgent)


_ALL = (
    MailTemplate(
        "generic",
        "{{ subject }}",
        {
            "subject": "Your invoice of November",
            "body": "The invoice is attached to your account.\nThank you for being with us.",
            "Number": "2026-11-0042",
            "Due": "2026-12-10",
        },
    ),
    MailTemplate("welcome", "Welcome to InsightDesk!", {"name": "Cleo Customer"}),
    MailTemplate(
        "password_reset",
        "Choose a new password",
        {"name": "Cleo Customer", "url": "https://desk.example/reset/3f9a2c", "minutes": 30},
        urgent=True,
    ),
    MailTemplate(
        "dead_letter_alert",
        "A job failed for good: {{ job.name }}",
        {
            "recipient": {"name": "Ada Admin"},
            "job": {"queue": "email", "name": "welcome", "attempts": 5},
            "error": "refused for good: 550 5.1.1 [address]: mailbox unavailable",
            "failed_at": "2026-11-25 10:30 UTC",
            "url": "https://desk.example/ui/admin/dead-letters/deeda9127cc3a675",
        },
    ),
    MailTemplate(
        "report_ready",
        "Your {{ reportType }} report is ready",
        {
            "name": "Gus Agent",
            "reportType": "tickets",
            "format": "XLSX",
            "rows": "12,480",
            "downloadUrl": "https://desk.example/files/exports/o1/e1.xlsx?expires=1795942800&signature=5f2c",
            "expires": "2026-11-28 09:00 CET",
        },
    ),
    _notification(
        NotificationKind.NEW_MESSAGE,
        "New message on ticket: {{ ticket.subject }}",
        {**_SEEN_BY_CLEO, "messages": _MESSAGES},
    ),
    _notification(
        NotificationKind.STATUS_CHANGE, "Ticket status updated: {{ ticket.subject }}", _SEEN_BY_CLEO
    ),
    _notification(NotificationKind.ASSIGNMENT, "Ticket assigned to you: {{ ticket.subject }}", _SEEN_BY_GUS),
    _notification(
        NotificationKind.TICKET_CREATED, "We have your ticket: {{ ticket.subject }}", _SEEN_BY_CLEO
    ),
    _notification(
        NotificationKind.TICKET_RESOLVED,
        "Ticket resolved: {{ ticket.subject }}",
        {**_SEEN_BY_CLEO, "ticket": {**_TICKET, "status": "resolved"}},
    ),
    _notification(
        NotificationKind.TICKET_CLOSED,
        "Ticket closed: {{ ticket.subject }}",
        {**_SEEN_BY_CLEO, "ticket": {**_TICKET, "status": "closed"}},
    ),
    MailTemplate(
        "auto_close_warning",
        "Your ticket closes soon: {{ ticket.subject }}",
        {
            **_SEEN_BY_CLEO,
            "ticket": {**_TICKET, "status": "resolved"},
            "closes_on": "Friday, 27 November 2026",
        },
        optional=True,
    ),
    MailTemplate(
        "daily_digest",
        "Your digest of {{ day }}",
        {
            "recipient": {"name": "Gus Agent"},
            "day": "Tuesday, 24 November 2026",
            "opened": 14,
            "solved": 11,
            "breached": 1,
            "waiting": 6,
            "own": 4,
            "oldest": [
                {
                    "number": 1042,
                    "subject": "The export of last month stops at row 65,536",
                    "days": 3,
                    "url": "https://desk.example/?ticket=1042",
                },
                {
                    "number": 1057,
                    "subject": "Two invoices have the same number",
                    "days": 1,
                    "url": "https://desk.example/?ticket=1057",
                },
            ],
            "url": "https://desk.example",
        },
        optional=True,
        bulk=True,
    ),
    MailTemplate(
        "weekly_report",
        "The week from {{ week }}",
        {
            "recipient": {"name": "Ada Admin"},
            "week": "Monday, 16 November 2026 to Sunday, 22 November 2026",
            "opened": 83,
            "solved": 79,
            "breached": 2,
            "unsolved": 31,
            "attainment": [
                {
                    "policy": "Standard",
                    "team": "Billing",
                    "metric": "first response",
                    "met": 40,
                    "breached": 1,
                    "percent": 97,
                },
                {
                    "policy": "Standard",
                    "team": "no team",
                    "metric": "resolution",
                    "met": 38,
                    "breached": 1,
                    "percent": 97,
                },
            ],
            "url": "https://desk.example",
        },
        optional=True,
        bulk=True,
    ),
    _notification(
        NotificationKind.SLA_WARNING,
        "SLA deadline is near: {{ ticket.subject }}",
        {**_SEEN_BY_GUS, "sla": {"metric": "first response", "due": "2026-11-25 10:30 CET"}},
        urgent=True,
    ),
    _notification(
        NotificationKind.SLA_BREACH,
        "SLA breached: {{ ticket.subject }}",
        {**_SEEN_BY_GUS, "sla": {"metric": "first response", "due": "2026-11-25 10:30 CET"}},
        urgent=True,
    ),
)

REGISTRY: Mapping[str, MailTemplate] = {template.name: template for template in _ALL}

# The names that the brief's producers use.
_ALIASES = {
    "ticket_new_message": "new_message",
    "ticket_status_change": "status_change",
    "ticket_assigned": "assignment",
}


def find(name: str) -> MailTemplate:
    """The template of this name; `-` and `_` are the same, and the brief's own names are known.

    Raises:
        UnknownTemplate: for any other name, path tricks included.
    """
    plain = name.replace("-", "_")
    template = REGISTRY.get(_ALIASES.get(plain, plain))
    if template is None:
        raise UnknownTemplate(
            f"there is no mail template {name[:80]!r}; known are {', '.join(sorted(REGISTRY))}"
        )
    return template
