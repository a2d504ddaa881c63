"""How a handler steers its job: by returning a result, or by raising one of these."""

from __future__ import annotations

from datetime import timedelta

from .errors import InvalidOption
from .options import seconds

PARKED = 30.0
"""Seconds that a job which this worker cannot run waits for one that can, e.g. in a rolling deploy."""


class Outcome(Exception):
    """The root of what a handler may raise to steer its job. Not an error of toril."""


class Retry(Outcome):
    """Run the job again after `delay` seconds; this run counts as an attempt.

    When no attempt is left, the job fails.

    Raises:
        InvalidOption: `delay` is negative or not a finite number.
    """

    def __init__(
        self, delay: float | timedelta = 0.0, reason: str = "retry asked for by the handler"
    ) -> None:
        super().__init__(reason)
        self.delay = seconds(delay, "delay")


class Snooze(Outcome):
    """Run the job again after `delay` seconds; this run does not count as an attempt.

    Raises:
        InvalidOption: `delay` is negative or not a finite number.
    """

    def __init__(self, delay: float | timedelta, reason: str = "snoozed by the handler") -> None:
        super().__init__(reason)
        self.delay = seconds(delay, "delay")


class Fail(Outcome):
    """Fail the job for good, whatever attempts are left. Node's name for it is UnrecoverableError."""


class WaitForChildren(Outcome):
    """Let the job wait for its children; it runs again, from the start, when none is pending.

    This run does not count as an attempt. `Job.wait_for_children` raises it only when needed.
    """


class Cancelled(Outcome):
    """The job was cancelled, or cancels itself: it fails for good, whatever attempts are left."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"cancelled: {reason}" if reason else "cancelled")
        self.reason = reason


class DeadlineExceeded(Outcome):
    """The job's deadline has come before it was done: it fails for good."""


class RateLimited(Outcome):
    """Let no worker start a job of this queue for `retry_in` seconds; the job goes back to its head.

    This run does not count as an attempt. For a handler that was told so, e.g. by HTTP's 429. Node
    workers keep it if they have a `limiter`, or the queue has a rate limit.

    Raises:
        InvalidOption: `retry_in` is less than a millisecond or not a finite number.
    """

    def __init__(self, retry_in: float | timedelta, reason: str = "rate limited") -> None:
        super().__init__(reason)
        self.retry_in = seconds(retry_in, "retry_in")
        if self.retry_in < 0.001:
            raise InvalidOption("retry_in must be at least 0.001 seconds")
