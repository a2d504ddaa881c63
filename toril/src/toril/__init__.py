"""A job engine for Python on Valkey/Redis that speaks the data format of BullMQ."""

from .app import Toril
from .definition import JobContext, JobDefinition
from .embedded import EmbeddedFailed, EmbeddedServer, embedded
from .errors import (
    ConnectionFailed,
    InvalidOption,
    InvalidPayload,
    JobError,
    JobFailed,
    JobLocked,
    JobNotFound,
    JobNotInState,
    QueueActive,
    QueueNotPaused,
    ServerRefused,
    TorilError,
    UnknownJob,
    WaitTimeout,
)
from .events import Event, QueueEvents
from .job import JobKeywords, JobOptions, JobState, Json, NewJob
from .options import Backoff, Deduplication, Keep
from .outcome import Fail, Outcome, Retry, Snooze
from .queue import Queue
from .record import Job
from .schedule import Cron, Every, Scheduler
from .worker import Worker

__all__ = [
    "Backoff",
    "ConnectionFailed",
    "Cron",
    "Deduplication",
    "EmbeddedFailed",
    "EmbeddedServer",
    "Event",
    "Every",
    "Fail",
    "InvalidOption",
    "InvalidPayload",
    "Job",
    "JobContext",
    "JobDefinition",
    "JobError",
    "JobFailed",
    "JobKeywords",
    "JobLocked",
    "JobNotFound",
    "JobNotInState",
    "JobOptions",
    "JobState",
    "Json",
    "Keep",
    "NewJob",
    "Outcome",
    "Queue",
    "QueueActive",
    "QueueEvents",
    "QueueNotPaused",
    "Retry",
    "Scheduler",
    "ServerRefused",
    "Snooze",
    "Toril",
    "TorilError",
    "UnknownJob",
    "WaitTimeout",
    "Worker",
    "embedded",
]
