"""What travels over REST about the inbox."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime

from insightdesk.kit.pagination import Page
from insightdesk.kit.schema import Input, Schema


class NotificationView(Schema):
    """Something that happened on a ticket."""

    id: str
    ticket_id: str
    ticket_number: int
    subject: str
    action: str
    created_at: datetime
    read_at: datetime | None


class InboxView(Page[NotificationView]):
    """A page of the inbox, and how many entries are unread in all."""

    unread: int


class ReadInput(Input):
    """Until when everything is read: the moment of the newest entry that was shown."""

    until: AwareDatetime


class ReadView(Schema):
    """How many entries were marked."""

    marked: int
