"""What travels over REST about mail."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from insightdesk.email.kinds import Channel
from insightdesk.email.models import SuppressionReason
from insightdesk.email.preferences import CHANNELS
from insightdesk.kit.schema import Input, Schema


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone, such as Europe/Berlin") from None
    return name


def _type(name: str) -> str:
    if name not in CHANNELS:
        raise ValueError(f"must be one of {', '.join(CHANNELS)}")
    return name


def _minute(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("is a time on the wall, without a zone")
    return value.replace(second=0, microsecond=0)


ZoneName = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
NewsType = Annotated[str, Field(max_length=64), AfterValidator(_type)]
WallTime = Annotated[time, AfterValidator(_minute)]


class ChoiceInput(Input):
    """Whether one type of news is wanted; a channel that is not sent stays as it is."""

    type: NewsType
    email: bool | None = None
    in_app: bool | None = None

    @model_validator(mode="after")
    def _comes_that_way(self) -> Self:
        if self.in_app is not None and Channel.IN_APP not in CHANNELS[self.type]:
            raise ValueError("inApp: this comes by mail alone")
        return self


class QuietHoursInput(Input):
    """From when to when by the wall's clock; over midnight if the end is the earlier one."""

    starts: WallTime
    ends: WallTime
    time_zone: ZoneName | None = None


class PreferencesInput(Input):
    """What changes. `quietHours: null` takes them away."""

    choices: list[ChoiceInput] = Field(default_factory=list, max_length=100)
    quiet_hours: QuietHoursInput | None = None


class ChoiceView(Schema):
    """Whether one type of news is wanted; ``inApp`` is null where it comes by mail alone."""

    type: str
    email: bool
    in_app: bool | None


class QuietHoursView(Schema):
    """From when to when by the wall's clock; the organization's zone if none is named."""

    starts: time
    ends: time
    time_zone: str | None


class PreferencesView(Schema):
    """What a person wants to be told."""

    choices: list[ChoiceView]
    quiet_hours: QuietHoursView | None


class SuppressionInput(Input):
    """An address that is to get no mail."""

    address: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s<>\",]+@[^@\s<>\",]+$")


class SuppressionView(Schema):
    """An address that gets no mail, and why."""

    id: str
    address: str
    reason: SuppressionReason
    detail: str
    created_at: datetime


class ProviderView(Schema):
    """How a provider stands. `open` means that it is left alone after repeated errors."""

    name: str
    rate: float | None
    open: bool
    open_until: datetime | None
    failures: int
    last_error: str | None
    last_error_at: datetime | None


class ReceivedView(Schema):
    """What became of a webhook's call."""

    repeated: bool
