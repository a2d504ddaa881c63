"""A job engine for Python on Valkey/Redis that speaks the data format of BullMQ."""

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
from .job import JobKeywords, JobOptions, JobState, Json, NewJob
from .options import Backoff, Deduplication, Keep
from .outcome import Fail, Outcome, Retry, Snooze
from .queue import Queue
from .record import Job
from .worker import Worker

__all__ = [
    "Backoff",
    "ConnectionFailed",
    "Deduplication",
    "EmbeddedFailed",
    "EmbeddedServer",
    "Fail",
    "InvalidOption",
    "InvalidPayload",
    "Job",
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
    "QueueNotPaused",
    "Retry",
    "ServerRefused",
    "Snooze",
    "TorilError",
    "UnknownJob",
    "WaitTimeout",
    "Worker",
    "embedded",
]
