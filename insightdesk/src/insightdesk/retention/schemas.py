"""What travels over REST about retention and erasure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator

from insightdesk.kit.schema import Input, Schema
from insightdesk.retention.models import MAX_DAYS

Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]


class LimitsInput(Input):
    """All limits of an organization, in days."""

    archive_after_days: Days
    purge_after_days: Days
    delivery_days: Days
    notification_days: Days
    audit_days: Days

    @model_validator(mode="after")
    def _in_order(self) -> LimitsInput:
        if self.purge_after_days < self.archive_after_days:
            raise ValueError("purgeAfterDays: a ticket is archived before it is purged")
        return self


class LimitsView(Schema):
    """All limits of an organization, in days."""

    archive_after_days: int
    purge_after_days: int
    delivery_days: int
    notification_days: int
    audit_days: int


class ErasureInput(Input):
    """Whom to erase."""

    user_id: str = Field(min_length=1, max_length=100)


class ReceiptView(Schema):
    """That a person was erased; ``completedAt`` is null while jobs that carry her are still being cleared."""

    id: str
    user_id: str
    requested_by: str | None
    requested_at: datetime
    records: dict[str, int]
    completed_at: datetime | None
