"""What travels over REST about jobs that failed for good."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from insightdesk.dead_letters.models import DeadLetter
from insightdesk.kit.schema import Input, Schema

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class FailedJob(Schema):
    """A dead letter. What is personal in its data and error is taken out."""

    id: str
    original_job_id: str = Field(validation_alias="job_id")
    queue: str
    name: str
    data: dict[str, Any]
    error: str
    error_class: str
    fingerprint: str
    attempts: int
    stalls: int
    failed_at: datetime
    replay_of: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    retried_at: datetime | None
    retried_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class FailedJobDetail(FailedJob):
    """A dead letter with its last stack trace, and whether it can be replayed."""

    trace: str
    options: dict[str, Any]
    replayable: bool

    @classmethod
    def of(cls, letter: DeadLetter) -> FailedJobDetail:
        """Of a letter that was read with its payload and stack trace."""
        plain = FailedJob.model_validate(letter).model_dump(by_alias=False)
        replayable = letter.payload is not None and letter.retried_at is None
        plain["job_id"] = plain.pop("original_job_id")
        return cls(**plain, trace=letter.trace, options=letter.options, replayable=replayable)


class FailureGroup(Schema):
    """Failures of one kind."""

    fingerprint: str
    queue: str
    name: str
    error_class: str
    error: str
    total: int
    open: int
    first_at: datetime
    last_at: datetime


class Retried(Schema):
    """The answer to a retry, as the brief has it, with the letter."""

    success: Literal[True] = True
    message: str = "Job re-enqueued"
    data: FailedJob


class ReviewInput(Input):
    """What somebody has to say to a letter; what is left out stays as it is."""

    acknowledged: bool | None = None
    resolved: bool | None = None
    note: str | None = Field(default=None, max_length=2000)

    @model_validator(mode="after")
    def _says_something(self) -> ReviewInput:
        if self.acknowledged is None and self.resolved is None and self.note is None:
            raise ValueError("nothing to change: give acknowledged, resolved or note")
        return self


class ReplayInput(Input):
    """Which kind of failure is replayed, and how fast."""

    fingerprint: Fingerprint
    per_minute: float = Field(default=60.0, ge=1, le=6000)
    dry_run: bool = True


class ReplayPlan(Schema):
    """How many letters a replay takes, how many are left, and the seconds until the last one is due."""

    dry_run: bool
    letters: int
    left: int
    seconds: float


class GroupResolved(Schema):
    """How many letters were open."""

    resolved: int


class AlertSettingsView(Schema):
    """How the organization is told of failed jobs."""

    mail: bool
    webhook_url: str | None


class AlertSettingsSaved(AlertSettingsView):
    """The settings, with the webhook's secret if it is a new one: it is shown this once."""

    webhook_secret: str | None


class AlertSettingsInput(Input):
    """How the organization wants to be told. A new address gets a new secret."""

    mail: bool = True
    webhook_url: str | None = Field(default=None, min_length=1, max_length=2000)
