"""What travels over REST about auto-close."""

from __future__ import annotations

from pydantic import Field

from insightdesk.kit.schema import Input, Schema
from insightdesk.tickets.auto_close.models import MAX_AFTER_DAYS, LateReply


class AutoCloseInput(Input):
    """``afterDays: null`` leaves resolved tickets resolved."""

    after_days: int | None = Field(ge=1, le=MAX_AFTER_DAYS)
    late_reply: LateReply


class AutoCloseView(Schema):
    """The organization's rules."""

    after_days: int | None
    late_reply: LateReply
