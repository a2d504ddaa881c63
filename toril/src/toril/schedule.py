"""When a job scheduler makes its jobs: pure arithmetic that takes `now`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .cron import CronError, CronPattern
from .errors import InvalidOption
from .job import JobOptions, Json
from .options import milliseconds, seconds, whole

MAX_CATCH_UP = 1000
"""How many missed runs can be made up at the most."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What becomes of runs that were due while no worker ran.

    The job of the first missed run waits in the queue all the while. Made by one of:

    - `Missed.once()`, the default, and all that Node workers do: it runs, late; the rest are left out.
    - `Missed.skip()`: none of them runs; the job is removed when a worker takes it.
    - `Missed.all()`: all run, one after the other, each as a job of its own time.
    """

    kind: Literal["once", "skip", "all"] = "once"
    after: float = 60.0
    limit: int = 100

    @classmethod
    def once(cls) -> Missed:
        """One late run for all that were missed."""
        return cls()

    @classmethod
    def skip(cls, after: float | timedelta = 60.0) -> Missed:
        """Leave missed runs out. A run is missed when it begins more than `after` seconds late.

        Raises:
            InvalidOption: `after` is wrong.
        """
        return cls("skip", after=seconds(after, "missed runs' lateness"))

    @classmethod
    def all(cls, limit: int = 100) -> Missed:
        """Make missed runs up: the latest `limit` of them, 1,000 at the most.

        Raises:
            InvalidOption: `limit` is wrong.
        """
        return cls("all", limit=whole(limit, "number of missed runs", 1, MAX_CATCH_UP))


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times that a cron pattern names; see `toril.cron` for what it may say.

    Attributes:
        pattern: Five fields (minute hour day month weekday), six with seconds first, or `@daily` …
        tz: An IANA time zone. At a change of clocks a time that is left out is moved by the gap, and
            one that comes twice runs at its first coming.
        limit: How many jobs are made in all; None for no end.
        start: No run before; an aware datetime.
        end: No run after; an aware datetime.
        immediately: Make the first job at once, besides the times that the pattern names.
        missed: What becomes of runs that were due while no worker ran.

    Raises:
        InvalidOption: one of them is wrong.
    """

    pattern: str
    tz: str = "UTC"
    limit: int | None = field(default=None, kw_only=True)
    start: datetime | None = field(default=None, kw_only=True)
    end: datetime | None = field(default=None, kw_only=True)
    immediately: bool = field(default=False, kw_only=True)
    missed: Missed = field(default=Missed(), kw_only=True)
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _pattern: CronPattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "_zone", ZoneInfo(self.tz))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidOption(f"unknown time zone {self.tz!r}") from None
        try:
            object.__setattr__(self, "_pattern", CronPattern(self.pattern))
        except CronError as error:
            raise InvalidOption(f"wrong cron pattern {self.pattern!r}: {error}") from None
        _check_bounds(self)
        if self.immediately and self.start is not None:
            raise InvalidOption("a schedule begins either immediately or at its start, not both")

    def next_after(self, now: datetime) -> datetime | None:
        """Return the first time after `now` (an aware datetime), in UTC; None if there is none.

        `start` and `end` are heeded, a time that is one of them is in; `limit` and `immediately` are not.
        """
        if self.start is not None and now < self.start:
            now = self.start - timedelta(microseconds=1)
        found = self._pattern.next_after(now, self._zone)
        return None if found is None or (self.end is not None and found > self.end) else found

    def first_ms(self, now_ms: int) -> int | None:
        """When the first job is due, in ms since 1970; None if never."""
        return now_ms if self.immediately else self._after(now_ms)

    def following_ms(self, before_ms: int, now_ms: int) -> int | None:
        """When the job after the one of `before_ms` is due, in ms; None if there is none any more."""
        earliest = self._after(before_ms)
        if earliest is None or earliest > now_ms:
            return earliest
        if self.missed.kind != "all":
            return self._after(now_ms)
        limit, low, high = self.missed.limit, before_ms, now_ms
        if self._count(low, now_ms, limit) <= limit:
            return earliest
        while high - low > 1000:
            middle = (low + high) // 2
            if self._count(middle, now_ms, limit) > limit:
                low = middle
            else:
                high = middle
        return self._after(high)

    def _after(self, ms: int) -> int | None:
        found = self.next_after(datetime.fromtimestamp(ms / 1000, UTC))
        return None if found is None else to_ms(found)

    def _count(self, since_ms: int, now_ms: int, limit: int) -> int:
        """How many times lie after `since_ms` up to `now_ms`, counted to one more than `limit`."""
        count, at = 0, self._after(since_ms)
        while at is not None and at <= now_ms and count <= limit:
            count, at = count + 1, self._after(at)
        return count


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many seconds, the first time at once.

    Attributes:
        interval: Seconds between two runs.
        offset: Seconds after each multiple of the interval (since 1970); None to begin at once.
        limit: How many jobs are made in all; None for no end.
        start: The first run is then, if that is to come; an aware datetime.
        end: No run after; an aware datetime.
        missed: What becomes of runs that were due while no worker ran.

    Raises:
        InvalidOption: one of them is wrong.
    """

    interval: float | timedelta
    offset: float | timedelta | None = None
    limit: int | None = field(default=None, kw_only=True)
    start: datetime | None = field(default=None, kw_only=True)
    end: datetime | None = field(default=None, kw_only=True)
    missed: Missed = field(default=Missed(), kw_only=True)

    def __post_init__(self) -> None:
        if self.every_ms < 1:
            raise InvalidOption("a scheduler's interval must be at least a millisecond")
        if self.offset is not None and self.offset_ms >= self.every_ms:
            raise InvalidOption("a scheduler's offset must be less than its interval")
        _check_bounds(self)
        if self.offset is not None and self.start is not None:
            raise InvalidOption("a schedule's rhythm follows either its offset or its start, not both")

    @property
    def every_ms(self) -> int:
        """The interval in whole milliseconds."""
        return milliseconds(self.interval, "interval")

    @property
    def offset_ms(self) -> int:
        """The offset in whole milliseconds; 0 for none."""
        return 0 if self.offset is None else milliseconds(self.offset, "offset")

    def first_ms(self, now_ms: int) -> int | None:
        """When the first job is due, in ms since 1970; None if never."""
        first = now_ms
        if self.start is not None:
            first = max(first, to_ms(self.start))
        elif self.offset_ms:
            first = self._aligned(now_ms, self.offset_ms)
        return self._until_end(first)

    def following_ms(self, before_ms: int, now_ms: int) -> int | None:
        """When the job after the one of `before_ms` is due, in ms; None if there is none any more."""
        every = self.every_ms
        following = before_ms + every
        if following < now_ms:
            if self.missed.kind == "all":
                passed = (now_ms - before_ms) // every
                following += max(0, passed - self.missed.limit) * every
            else:
                following = self._aligned(now_ms, before_ms % every)
        return self._until_end(following)

    def _aligned(self, now_ms: int, offset_ms: int) -> int:
        """The first multiple of the interval plus the offset that is after `now_ms`."""
        return (now_ms - offset_ms) // self.every_ms * self.every_ms + offset_ms + self.every_ms

    def _until_end(self, ms: int) -> int | None:
        return None if self.end is not None and ms > to_ms(self.end) else ms


When = Cron | Every
"""What a scheduler follows."""


def to_ms(at: datetime) -> int:
    """An aware datetime in whole milliseconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def is_late(when: When, due_ms: int, now_ms: int) -> bool:
    """Whether a run that was due at `due_ms` is to be left out now."""
    return when.missed.kind == "skip" and now_ms - due_ms > round(when.missed.after * 1000)


def _check_bounds(when: When) -> None:
    if when.limit is not None:
        whole(when.limit, "a schedule's limit", 1, 2**53)
    for name, at in (("start", when.start), ("end", when.end)):
        if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
            raise InvalidOption(f"a schedule's {name} must be a datetime with a time zone, not {at!r}")
    if when.start is not None and when.end is not None and when.end < when.start:
        raise InvalidOption("a schedule must not end before it starts")


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A job scheduler as it stands on the server.

    Attributes:
        id: Its id.
        name: The name of the jobs that it makes.
        when: What it follows, with its limit, start and end; None if only its maker can tell (a Node
            worker's own `repeatStrategy`). An `Every` shows the offset of its rhythm.
        next_run: When its newest job is or was due, UTC. In the past, it waits for a worker, is
            running, or was the last one.
        runs: How many jobs it has made.
        data: What its jobs are made with.
        options: What its jobs are made with.
        owner: The app that declares it; None if it was made by hand.
    """

    id: str
    name: str
    when: When | None
    next_run: datetime
    runs: int
    data: Json = None
    options: JobOptions = field(default_factory=JobOptions)
    owner: str | None = None
