"""What travels over REST about promises."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, field_validator

from insightdesk.kit.schema import Input, Schema
from insightdesk.sla.models import Metric
from insightdesk.tickets.models import Priority

Minutes = Annotated[float, Field(gt=0, le=525_600, allow_inf_nan=False)]
"""Up to a year; fractions are allowed."""


class TargetInput(Input):
    """What is promised for one priority, in minutes; what is null is not promised."""

    priority: Priority
    first_response_minutes: Minutes | None = None
    resolution_minutes: Minutes | None = None


class PolicyInput(Input):
    """A policy, whole: for the tickets of one team, or, with no team, for all others."""

    name: str = Field(min_length=1, max_length=200)
    team_id: str | None = None
    targets: list[TargetInput] = Field(min_length=1, max_length=len(Priority))

    @field_validator("targets")
    @classmethod
    def _one_a_priority(cls, targets: list[TargetInput]) -> list[TargetInput]:
        if len({target.priority for target in targets}) < len(targets):
            raise ValueError("name each priority once")
        return targets


class TargetView(Schema):
    """What is promised for one priority, in minutes."""

    priority: Priority
    first_response_minutes: float | None
    resolution_minutes: float | None


class PolicyView(Schema):
    """A policy and its targets."""

    id: str
    name: str
    team_id: str | None
    targets: list[TargetView]


class AttainmentView(Schema):
    """Promises of one kind that were decided in one week; ``rate`` is the share that was kept."""

    policy: str | None
    team: str | None
    week: date
    metric: Metric
    met: int
    breached: int
    rate: float


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
