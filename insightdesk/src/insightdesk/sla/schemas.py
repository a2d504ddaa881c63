"""What travels over REST about promises."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from insightdesk.kit.schema import Input, Schema
from insightdesk.sla.models import Metric
from insightdesk.tickets.models import Priority


class PolicyInput(Input):
    """What is promised for one priority, in minutes; fractions are allowed."""

    first_response_minutes: float = Field(gt=0, le=5_256_000, allow_inf_nan=False)
    resolution_minutes: float = Field(gt=0, le=5_256_000, allow_inf_nan=False)


class PolicyView(Schema):
    """What is promised for one priority."""

    priority: Priority
    first_response_minutes: float
    resolution_minutes: float


class ClockView(Schema):
    """A promise running on a ticket."""

    metric: Metric
    cycle: int
    started_at: datetime
    due_at: datetime
    paused_since: datetime | None
    remaining_seconds: float | None
    fulfilled_at: datetime | None
    breached_at: datetime | None


class BreachView(Schema):
    """A promise that was broken."""

    ticket_id: str
    metric: Metric
    cycle: int
    breached_at: datetime
    recorded_at: datetime
