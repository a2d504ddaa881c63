"""What travels over REST about tickets."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from insightdesk.kit.schema import Input, Patch, Schema
from insightdesk.sla.schemas import ClockView
from insightdesk.tickets.models import Priority, TicketStatus, Visibility

SUBJECT_LIMIT = 300
TAG_LIMIT = 50


class TicketInput(Input):
    """A new ticket. Staff may name the customer; a customer opens his own."""

    subject: str = Field(min_length=1, max_length=SUBJECT_LIMIT)
    body: str = Field(min_length=1, max_length=100_000)
    priority: Priority = Priority.NORMAL
    customer_id: str | None = None
    assignee_id: str | None = None
    team_id: str | None = None


class MessageInput(Input):
    """Something said on a ticket."""

    body: str = Field(min_length=1, max_length=100_000)
    visibility: Visibility = Visibility.PUBLIC


class TicketPatch(Patch):
    """What changes on a ticket; what is not sent stays. ``assigneeId: null`` takes the assignee away,
    ``teamId: null`` the team."""

    nullable = frozenset({"assignee_id", "team_id"})

    status: TicketStatus | None = None
    priority: Priority | None = None
    assignee_id: str | None = None
    team_id: str | None = None


class TicketView(Schema):
    """A ticket and its clocks."""

    id: str
    number: int
    subject: str
    status: TicketStatus
    priority: Priority
    customer_id: str
    assignee_id: str | None
    team_id: str | None
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None
    follow_up_of: str | None
    tags: list[str]
    sla: list[ClockView] = Field(default_factory=list)


class MessageView(Schema):
    """Something said on a ticket; a late reply may stand on a follow-up of the ticket that it was sent to."""

    id: str
    ticket_id: str
    author_id: str
    body: str
    visibility: Visibility
    created_at: datetime


class TicketDetail(TicketView):
    """A ticket with all that was said on it."""

    messages: list[MessageView] = Field(default_factory=list)
