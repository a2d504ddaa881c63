"""Options of a job as small frozen values, checked where they are made.

Durations are seconds (float) or `timedelta`; the wire has whole milliseconds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import timedelta

from .errors import InvalidOption

MAX_PRIORITY = 2**21 - 1
"""BullMQ's PRIORITY_LIMIT: a higher one would not fit beside the counter in a sorted set's score."""

MAX_DELAY = 10 * 365 * 86400.0
"""Ten years. A delayed job's score is its time in ms times 4096; past 2^53 it would lose digits."""


def seconds(value: float | timedelta, name: str) -> float:
    """Return a duration in seconds, checked.

    Raises:
        InvalidOption: it is no number, negative, not finite or longer than `MAX_DELAY`.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidOption(f"{name} must be seconds or a timedelta, not {type(value).__name__}")
    if not math.isfinite(value) or value < 0:
        raise InvalidOption(f"{name} must be a finite number of seconds, 0 or more, not {value}")
    if value > MAX_DELAY:
        raise InvalidOption(f"{name} must be at most ten years, not {value} s")
    return float(value)


def positive(value: float | timedelta, name: str) -> float:
    """Return a duration in seconds, checked to be more than 0. Raises InvalidOption."""
    checked = seconds(value, name)
    if checked == 0:
        raise InvalidOption(f"{name} must be more than 0 seconds")
    return checked


def milliseconds(value: float | timedelta, name: str) -> int:
    """Return a checked duration in whole milliseconds, as the wire has it."""
    return round(seconds(value, name) * 1000)


def whole(value: int, name: str, low: int, high: int) -> int:
    """Return a whole number, checked to be within its bounds.

    Raises:
        InvalidOption: it is no whole number or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidOption(f"{name} must be a whole number, not {type(value).__name__}")
    if not low <= value <= high:
        raise InvalidOption(f"{name} must be from {low} to {high}, not {value}")
    return value


def valid_text(value: str, name: str) -> str:
    """Return a text, checked to be non-empty and valid Unicode.

    Raises:
        InvalidOption: it is no text, empty, or has lone surrogates, which UTF-8 cannot say.
    """
    if not isinstance(value, str) or not value:
        raise InvalidOption(f"{name} must be a non-empty text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidOption(f"{name} must be valid Unicode: {error}") from None
    return value


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt.

    Attributes:
        type: `fixed`, `exponential`, or the name of a strategy that the worker was given.
        delay: Seconds before the second attempt; doubled for each further one if exponential.
        jitter: Share of the delay that is random, 0 to 1: the delay is drawn from
            `delay * (1 - jitter)` to `delay`, as BullMQ does.
    """

    type: str
    delay: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        valid_text(self.type, "backoff type")
        object.__setattr__(self, "delay", seconds(self.delay, "backoff delay"))
        if not 0 <= self.jitter <= 1:
            raise InvalidOption(f"backoff jitter must be from 0 to 1, not {self.jitter}")

    @classmethod
    def fixed(cls, delay: float | timedelta, *, jitter: float = 0.0) -> Backoff:
        """The same delay before each attempt."""
        return cls("fixed", seconds(delay, "backoff delay"), jitter)

    @classmethod
    def exponential(cls, delay: float | timedelta, *, jitter: float = 0.0) -> Backoff:
        """A delay that doubles with each attempt: `delay`, `2 * delay`, `4 * delay`, …"""
        return cls("exponential", seconds(delay, "backoff delay"), jitter)

    @classmethod
    def custom(cls, name: str, delay: float | timedelta = 0.0) -> Backoff:
        """A strategy that the worker was given under this name (`Worker(backoffs={name: …})`)."""
        return cls(name, seconds(delay, "backoff delay"))

    def wait(self, attempts_made: int, rand: float | None = None) -> float:
        """Return the seconds to wait after `attempts_made` attempts (1 or more).

        Args:
            attempts_made: How many attempts have failed, this one included.
            rand: A number from 0 to 1 to use for the jitter; drawn if None.

        Raises:
            InvalidOption: the type is neither `fixed` nor `exponential`.
        """
        if self.type == "fixed":
            longest = self.delay
        elif self.type == "exponential":
            longest = min(self.delay * 2.0 ** min(attempts_made - 1, 60), MAX_DELAY)
        else:
            raise InvalidOption(f"unknown backoff {self.type!r}: give its strategy to the worker")
        if not self.jitter:
            return longest
        share = random.random() if rand is None else rand
        return longest * (1 - self.jitter) + longest * self.jitter * share


@dataclass(frozen=True, slots=True)
class Keep:
    """How long finished jobs are kept: the newest `count`, and none older than `age` seconds.

    `Keep()` keeps all; `Keep(count=0)` keeps none.
    """

    count: int | None = None
    age: float | None = None

    def __post_init__(self) -> None:
        if self.count is not None:
            whole(self.count, "keep count", 0, 2**53)
        if self.age is not None:
            object.__setattr__(self, "age", seconds(self.age, "keep age"))


@dataclass(frozen=True, slots=True)
class Deduplication:
    """At most one job of this key at a time: a further add is taken for that job.

    The modes have names: `Deduplication(key)` (simple: until the job has ended), `throttle`,
    `debounce` and `keep_last`. The fields can be combined as BullMQ's can.

    Attributes:
        key: The jobs that are taken for each other have the same one.
        ttl: Seconds that the key holds, whether the job has ended or not; None until it has ended.
        extend: Each further add begins the ttl anew.
        replace: A further add takes the place of the job while that is delayed.
        reschedule: A further add delays the job anew while that is delayed; not with `replace`.
        keep_last_if_active: What is added while the job runs follows it when it ends, the last one
            only. The ttl does not count then.

    Raises:
        InvalidOption: the key is empty, the ttl is not more than 0, or `extend` has no ttl.
    """

    key: str
    ttl: float | None = None
    extend: bool = False
    replace: bool = False
    reschedule: bool = False
    keep_last_if_active: bool = False

    def __post_init__(self) -> None:
        valid_text(self.key, "deduplication key")
        if self.ttl is not None:
            object.__setattr__(self, "ttl", seconds(self.ttl, "deduplication ttl"))
            if self.ttl <= 0:
                raise InvalidOption("deduplication ttl must be more than 0 seconds")
        elif self.extend:
            raise InvalidOption("deduplication extend needs a ttl to extend")

    @classmethod
    def throttle(cls, key: str, ttl: float | timedelta) -> Deduplication:
        """One job in `ttl` seconds, the first one."""
        return cls(key, seconds(ttl, "deduplication ttl"))

    @classmethod
    def debounce(cls, key: str, ttl: float | timedelta) -> Deduplication:
        """One job after `ttl` seconds of quiet, the last one. Add it with that `delay` too."""
        return cls(key, seconds(ttl, "deduplication ttl"), extend=True, replace=True)

    @classmethod
    def keep_last(cls, key: str) -> Deduplication:
        """One job waiting and one running; what was added last runs last."""
        return cls(key, keep_last_if_active=True)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `max` jobs begin within `duration` seconds, over all workers of a queue.

    A window begins with its first job, as in BullMQ: within a time of `duration` that lies across
    two windows, up to twice `max` may begin.
    """

    max: int
    duration: float

    def __post_init__(self) -> None:
        whole(self.max, "rate limit max", 1, 2**53 - 2)
        object.__setattr__(self, "duration", seconds(self.duration, "rate limit duration"))
        if self.duration < 0.001:
            raise InvalidOption("rate limit duration must be at least 0.001 seconds")
