"""What travels over REST about promises."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from insightdesk.kit.schema import Input, Schema
from insightdesk.sla.calendar import Opening, UnknownPlace, public_holidays
from insightdesk.sla.escalation import MOST
from insightdesk.sla.models import EscalationAction, Metric
from insightdesk.tickets.models import Priority

Minutes = Annotated[float, Field(gt=0, le=525_600, allow_inf_nan=False)]
"""Up to a year; fractions are allowed."""


class TargetInput(Input):
    """What is promised for one priority, in minutes; what is null is not promised."""

    priority: Priority
    first_response_minutes: Minutes | None = None
    next_response_minutes: Minutes | None = None
    resolution_minutes: Minutes | None = None


class PolicyInput(Input):
    """A policy, whole: for the tickets of one team, or, with no team, for all others. Without a calendar
    its minutes count round the clock."""

    name: str = Field(min_length=1, max_length=200)
    team_id: str | None = None
    calendar_id: str | None = None
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
    next_response_minutes: float | None
    resolution_minutes: float | None


class PolicyView(Schema):
    """A policy and its targets."""

    id: str
    name: str
    team_id: str | None
    calendar_id: str | None
    targets: list[TargetView]


class Weekday(StrEnum):
    """In the order of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
"""A time of the day, from 00:00 to 24:00."""


class OpeningInput(Input):
    """Hours of one day of the week, by the clock on the wall."""

    weekday: Weekday
    opens: Clock
    closes: Clock

    def opening(self) -> Opening:
        """The same in minutes."""
        return Opening(list(Weekday).index(self.weekday), _minutes(self.opens), _minutes(self.closes))

    @classmethod
    def of(cls, opening: Opening) -> OpeningInput:
        """The same in words."""
        return cls(
            weekday=list(Weekday)[opening.weekday], opens=_wall(opening.opens), closes=_wall(opening.closes)
        )

    @model_validator(mode="after")
    def _in_order(self) -> OpeningInput:
        if self.opens >= self.closes:
            raise ValueError("closes must be after opens; night hours are two spans, up to and from midnight")
        return self


class CalendarInput(Input):
    """When an organization works. Public holidays are off if a country (ISO 3166) is named, with those of a
    subdivision of it; so are days of its own."""

    name: str = Field(min_length=1, max_length=200)
    time_zone: str = Field(max_length=100)
    openings: list[OpeningInput] = Field(min_length=1, max_length=100)
    country: str | None = Field(default=None, min_length=1, max_length=10)
    subdivision: str | None = Field(default=None, min_length=1, max_length=20)
    own_days: list[date] = Field(default_factory=list, max_length=1000)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("no such time zone; it looks like Europe/Berlin")
        return zone

    @field_validator("openings")
    @classmethod
    def _apart(cls, openings: list[OpeningInput]) -> list[OpeningInput]:
        spans = sorted((opening.opening() for opening in openings), key=lambda o: (o.weekday, o.opens))
        for one, other in pairwise(spans):
            if one.weekday == other.weekday and one.closes > other.opens:
                raise ValueError("two spans of a day overlap")
        return [OpeningInput.of(span) for span in spans]

    @model_validator(mode="after")
    def _known_place(self) -> CalendarInput:
        if self.subdivision is not None and self.country is None:
            raise ValueError("subdivision: name its country too")
        if self.country is not None:
            try:
                public_holidays(self.country, self.subdivision, 2026)
            except UnknownPlace:
                raise ValueError("country, subdivision: their public holidays are not known") from None
        return self


class CalendarView(Schema):
    """When an organization works."""

    id: str
    name: str
    time_zone: str
    openings: list[OpeningInput]
    country: str | None
    subdivision: str | None
    own_days: list[date]


class StepInput(Input):
    """What is done so many minutes after a breach: `reassign` to `userId`, `raise_priority` by one, or
    `tell_team` `teamId`."""

    after_minutes: float = Field(ge=0, le=525_600, allow_inf_nan=False)
    action: EscalationAction
    user_id: str | None = None
    team_id: str | None = None


class EscalationInput(Input):
    """All steps; they replace those of before."""

    steps: list[StepInput] = Field(max_length=MOST)


class StepView(Schema):
    """One step."""

    after_minutes: float
    action: EscalationAction
    user_id: str | None
    team_id: str | None


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
    warn_at: datetime
    due_at: datetime
    paused_since: datetime | None
    remaining_seconds: float | None
    warned_at: datetime | None
    fulfilled_at: datetime | None
    breached_at: datetime | None


class BreachView(Schema):
    """A promise that was broken."""

    ticket_id: str
    metric: Metric
    cycle: int
    breached_at: datetime
    recorded_at: datetime


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return int(hours) * 60 + int(minutes)


def _wall(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
