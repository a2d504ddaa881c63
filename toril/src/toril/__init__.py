"""A job engine for Python on Valkey/Redis that speaks the data format of BullMQ."""

from .app import Toril
from .bridge import run_async
from .definition import JobContext, JobDefinition
from .embedded import EmbeddedFailed, EmbeddedServer, embedded
from .errors import (
    ConnectionFailed,
    EventsLost,
    HandlerRaised,
    InvalidOption,
    InvalidPayload,
    JobError,
    JobFailed,
    JobLocked,
    JobNotFound,
    JobNotInState,
    NotReplicated,
    ParentMissing,
    ParentTaken,
    ProcessDied,
    QueueActive,
    QueueNotPaused,
    RunTimedOut,
    ServerRefused,
    TorilError,
    UnknownJob,
    WaitTimeout,
    WrongPlace,
)
from .events import Event, EventsMissed, QueueEvents
from .family import JobRef, OnFailure
from .flow import FlowJob, FlowNode, FlowProducer
from .health import HealthMonitor
from .hooks import Ending, Sending, Telemetry
from .inspection import Explanation, Reason, ReasonKind, explain
from .job import Cancellation, JobKeywords, JobOptions, JobState, Json, NewJob
from .kin import Dependencies
from .options import Backoff, Deduplication, Keep, RateLimit
from .outcome import (
    Cancelled,
    DeadlineExceeded,
    Fail,
    Outcome,
    RateLimited,
    Retry,
    Snooze,
    WaitForChildren,
)
from .queue import Queue
from .queue.observing import Metrics, WorkerInfo
from .record import Job
from .running import run
from .schedule import Cron, Every, Missed, Scheduler
from .worker import Worker

__all__ = [
    "Backoff",
    "Cancellation",
    "Cancelled",
    "ConnectionFailed",
    "Cron",
    "DeadlineExceeded",
    "Deduplication",
    "Dependencies",
    "EmbeddedFailed",
    "EmbeddedServer",
    "Ending",
    "Event",
    "EventsLost",
    "EventsMissed",
    "Every",
    "Explanation",
    "Fail",
    "FlowJob",
    "FlowNode",
    "FlowProducer",
    "HandlerRaised",
    "HealthMonitor",
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
    "JobRef",
    "JobState",
    "Json",
    "Keep",
    "Metrics",
    "Missed",
    "NewJob",
    "NotReplicated",
    "OnFailure",
    "Outcome",
    "ParentMissing",
    "ParentTaken",
    "ProcessDied",
    "Queue",
    "QueueActive",
    "QueueEvents",
    "QueueNotPaused",
    "RateLimit",
    "RateLimited",
    "Reason",
    "ReasonKind",
    "Retry",
    "RunTimedOut",
    "Scheduler",
    "Sending",
    "ServerRefused",
    "Snooze",
    "Telemetry",
    "Toril",
    "TorilError",
    "UnknownJob",
    "WaitForChildren",
    "WaitTimeout",
    "Worker",
    "WorkerInfo",
    "WrongPlace",
    "embedded",
    "explain",
    "run",
    "run_async",
]
