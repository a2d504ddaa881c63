"""Every error that toril raises.

TorilError
├── ConnectionFailed      the server cannot be reached, or the connection broke
├── ServerRefused         the server answered with an error (READONLY, OOM, NOAUTH, …)
├── NotReplicated         written, but too few replicas have it (`replicas`)
├── InvalidOption         an option, a URL or a name that cannot be meant (also a ValueError)
├── InvalidPayload        job data that does not fit its definition, or cannot be encoded
├── UnknownJob            a job name that no definition knows
├── WrongPlace            a call that makes no sense where it was made
├── ProcessDied           the process that ran a job has died (run_in="process")
├── HandlerRaised         what a handler raised in a process of its own (run_in="process")
├── EventsLost            events were trimmed before they were read
├── JobError
│   ├── JobNotFound       no job of that id
│   ├── JobNotInState     the job is not in the state that the call needs
│   ├── JobLocked         a worker is running the job
│   ├── ParentMissing     the parent that a new job names is not there
│   ├── ParentTaken       a job of that id is the child of another parent
│   ├── JobFailed         raised by `Job.wait`: the job failed for good
│   └── WaitTimeout       raised by `Job.wait`: not finished in time (also a TimeoutError)
├── RunTimedOut           a run took longer than its job's timeout (also a TimeoutError)
├── QueueNotPaused        `obliterate` needs a paused queue
└── QueueActive           `obliterate` without `force` on a queue with running jobs
"""

from __future__ import annotations

import re

_IN_SCRIPT = re.compile(r"ERR Error running script .*: -([A-Z]+) ", re.DOTALL)


class TorilError(Exception):
    """The root of toril's errors."""


class ConnectionFailed(TorilError):
    """The server cannot be reached, or the connection broke before its answer.

    After a broken connection it is not known whether the call was carried out: `undecided` is then set.
    """

    def __init__(self, message: str, *, undecided: bool = False) -> None:
        super().__init__(message)
        self.undecided = undecided


class ServerRefused(TorilError):
    """The server answered with an error; `code` is its first word, e.g. `OOM` or `READONLY`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # Redis before 7 tells what a script met within: "ERR Error running script (…): -OOM …".
        inner = _IN_SCRIPT.match(message)
        self.code: str = inner[1] if inner else message.partition(" ")[0]


class NotReplicated(TorilError):
    """What was added is in the queue, but in time only `reached` replicas had it.

    A fail-over now may lose it. To add it again is harmless for jobs with a `job_id` of their own.
    """

    def __init__(self, message: str, reached: int) -> None:
        super().__init__(message)
        self.reached = reached


class InvalidOption(TorilError, ValueError):
    """An option, a URL or a name is wrong; the message names it."""


class InvalidPayload(TorilError, ValueError):
    """Job data does not fit its definition, or cannot be written as JSON; the message names the field."""


class UnknownJob(TorilError):
    """No definition knows a job of this name."""


class WrongPlace(TorilError, RuntimeError):
    """A call that makes no sense where it was made; the message says where it does."""


class ProcessDied(TorilError):
    """The process that ran a job has died, or could not be started; the message says how."""


class HandlerRaised(TorilError):
    """A handler raised this in a process of its own: its text, and the name of its class.

    The stack trace there is shown as the cause of this error.
    """

    def __init__(self, message: str, type_name: str) -> None:
        super().__init__(message)
        self.type_name = type_name


class EventsLost(TorilError):
    """Events were trimmed before they were read; the awaited one may be among them."""


class JobError(TorilError):
    """Something is wrong with one job, named by `job_id`."""

    def __init__(self, message: str, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobNotFound(JobError):
    """There is no job of this id in the queue (any more)."""


class JobNotInState(JobError):
    """The job is not in the state that the call needs."""


class JobLocked(JobError):
    """A worker is running the job, so it cannot be removed."""


class ParentMissing(JobError):
    """The parent that a new job names is not there (any more); nothing was added."""


class ParentTaken(JobError):
    """A job of the id stands already, as the child of another parent; nothing was added."""


class JobFailed(JobError):
    """The awaited job failed for good; the message is its failed reason."""


class WaitTimeout(JobError, TimeoutError):
    """The awaited job did not finish in time. It may still do so."""


class RunTimedOut(TorilError, TimeoutError):
    """A run took longer than its job's `timeout`. Seen by middleware and backoff strategies."""


class QueueNotPaused(TorilError):
    """`obliterate` needs a paused queue."""


class QueueActive(TorilError):
    """`obliterate` without `force` on a queue whose jobs are running."""
