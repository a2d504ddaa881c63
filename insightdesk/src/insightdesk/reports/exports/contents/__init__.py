"""What the reports say: the columns of each, its rows as a stream, and what its pictures count."""

from __future__ import annotations

from insightdesk.reports.exports.contents.attainment import attainment_content
from insightdesk.reports.exports.contents.base import Content, Scope
from insightdesk.reports.exports.contents.messages import messages_content
from insightdesk.reports.exports.contents.tickets import tickets_content
from insightdesk.reports.exports.models import ReportType

__all__ = ["Content", "Scope", "content_of"]

_CONTENTS = {
    ReportType.TICKETS: tickets_content,
    ReportType.SLA_ATTAINMENT: attainment_content,
    ReportType.MESSAGES: messages_content,
}


def content_of(scope: Scope) -> Content:
    """The content of the report that is asked for."""
    return _CONTENTS[scope.report_type](scope)
