"""When a job scheduler makes its next job: pure arithmetic that takes `now`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from .errors import InvalidOption
from .options import milliseconds


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times that a cron pattern names.

    Attributes:
        pattern: Five fields (minute hour day month weekday), or six with seconds first.
        tz: An IANA time zone. At a change of clocks a time that is skipped runs right after the
            gap, and one that comes twice runs at its first coming.

    Raises:
        InvalidOption: the pattern or the zone is wrong.
    """

    pattern: str
    tz: str = "UTC"
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "_zone", ZoneInfo(self.tz))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidOption(f"unknown time zone {self.tz!r}") from None
        try:
            CronSim(self.pattern, datetime.now(UTC))
        except CronSimError as error:
            raise InvalidOption(f"wrong cron pattern {self.pattern!r}: {error}") from None

    def next_after(self, now: datetime) -> datetime | None:
        """Return the first time after `now` (an aware datetime), in UTC; None if there is none."""
        try:
            return next(CronSim(self.pattern, now.astimezone(self._zone))).astimezone(UTC)
        except StopIteration:
            return None


@dataclass(frozen=True, slots=True)
class Every:
    """Every so many seconds, the first time at once.

    Attributes:
        interval: Seconds between two runs.
        offset: Seconds after each multiple of the interval (since 1970); None to begin at once.

    Raises:
        InvalidOption: a duration is wrong.
    """

    interval: float | timedelta
    offset: float | timedelta | None = None

    def __post_init__(self) -> None:
        if self.every_ms < 1:
            raise InvalidOption("a scheduler's interval must be at least a millisecond")
        if self.offset is not None:
            _ = self.offset_ms

    @property
    def every_ms(self) -> int:
        """The interval in whole milliseconds."""
        return milliseconds(self.interval, "interval")

    @property
    def offset_ms(self) -> int:
        """The offset in whole milliseconds; 0 for none."""
        return 0 if self.offset is None else milliseconds(self.offset, "offset")


When = Cron | Every
"""What a scheduler follows."""


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A job scheduler as it stands on the server.

    Attributes:
        id: Its id.
        name: The name of the jobs that it makes.
        when: What it follows.
        next_run: When its next job is due, UTC.
        runs: How many jobs it has made.
    """

    id: str
    name: str
    when: When
    next_run: datetime
    runs: int
