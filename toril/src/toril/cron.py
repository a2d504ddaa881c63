"""Cron patterns: pure reading of a pattern, and its times in a zone. Agrees with BullMQ's parser.

A pattern has five fields (minute hour day month weekday), or six with seconds first. A field is a
list of values, ranges and steps; `*` and `?` are all values. Months and weekdays have names, 0 and 7
are Sunday. `L` is a month's last day, `5L` its last Friday, `5#2` its second one. A day fits when
either of its two fields does, unless one of them is `*` or `?`. `@daily` and the like are known.

Where clocks go forward, a time that is left out is moved by as much: 02:30 runs at 03:30. Where they
go back, a time that comes twice runs at its first coming. A pattern that names every hour knows
neither: it follows the hours as they really pass.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MACROS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
    "@minutely": "0 * * * * *",
    "@secondly": "* * * * * *",
    "@weekdays": "0 0 0 * * 1-5",
    "@weekends": "0 0 0 * * 0,6",
}
MAX_LENGTH = 1024
SEARCH_YEARS = 41
"""How far ahead a time is looked for: a February with five Mondays may be 40 years away."""

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_ATOM = re.compile(r"(?P<low>\d+|[*?])(?:-(?P<high>\d+))?(?:/(?P<step>\d+))?")


class CronError(ValueError):
    """A pattern is wrong; the message says how."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]

    def number(self, text: str) -> int:
        value = int(text)
        if not self.low <= value <= self.high:
            raise CronError(f"{self.name} {value} is not from {self.low} to {self.high}")
        return value

    def values(self, text: str) -> set[int]:
        """Read a list of values, ranges and steps."""
        found: set[int] = set()
        for atom in text.split(","):
            match = _ATOM.fullmatch(self._named(atom))
            if match is None:
                raise CronError(f"{self.name} {atom!r} cannot be read")
            low, high, step = match["low"], match["high"], match["step"]
            if low in "*?":
                if high is not None:
                    raise CronError(f"{self.name} {atom!r} cannot be read")
                first, last = self.low, self.high
            else:
                first = self.number(low)
                last = self.number(high) if high else self.high if step else first
            if first > last:
                raise CronError(f"{self.name} {atom!r} goes backwards")
            if step is not None and int(step) == 0:
                raise CronError(f"{self.name} {atom!r} has a step of 0")
            found.update(range(first, last + 1, int(step or 1)))
        return found

    def _named(self, text: str) -> str:
        if not self.names:
            return text
        return re.sub("[a-z]+", lambda match: str(self.names.get(match[0], match[0])), text.lower())


_SECOND = _Field("second", 0, 59, {})
_MINUTE = _Field("minute", 0, 59, {})
_HOUR = _Field("hour", 0, 23, {})
_DAY = _Field("day", 1, 31, {})
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("weekday", 0, 7, _WEEKDAYS)


class CronPattern:
    """One pattern, read and checked.

    Raises:
        CronError: it cannot be read, or never comes.
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_LENGTH:
            raise CronError(f"it is longer than {MAX_LENGTH} characters")
        fields = MACROS.get(pattern, pattern).split()
        if len(fields) == 5:
            fields.insert(0, "0")
        if len(fields) != 6:
            raise CronError(f"it has {len(fields)} fields, not 5 or 6")
        second, minute, hour, day, month, weekday = fields
        self._seconds = sorted(_SECOND.values(second))
        self._minutes = sorted(_MINUTE.values(minute))
        self._hours = sorted(_HOUR.values(hour))
        self._months = _MONTH.values(month)
        self._read_days(day)
        self._read_weekdays(weekday)
        self._every_hour = len(self._hours) == 24
        longest = max(29 if each == 2 else calendar.monthrange(2023, each)[1] for each in self._months)
        if self._any_weekday and not self._last_day and min(self._days) > longest:
            raise CronError("no month of it has such a day")

    def _read_days(self, text: str) -> None:
        self._any_day = text in ("*", "?")
        atoms = text.split(",")
        self._last_day = "L" in atoms
        numbers = [atom for atom in atoms if atom != "L"]
        self._days = _DAY.values(",".join(numbers)) if numbers else set()

    def _read_weekdays(self, text: str) -> None:
        self._any_weekday = text in ("*", "?")
        self._nth = 0
        if "#" in text:
            text, _, nth = text.partition("#")
            if nth not in ("1", "2", "3", "4", "5") or not re.fullmatch("[0-7]|[a-zA-Z]{3}", text):
                raise CronError(f"weekday {text}#{nth} is not a weekday with #1 to #5")
            self._nth = int(nth)
        atoms = text.split(",")
        last = [atom[:-1] for atom in atoms if atom.endswith("L")]
        if any(not re.fullmatch("[0-7]|[a-zA-Z]{3}", atom) for atom in last):
            raise CronError(f"weekday {text!r}: L stands behind one weekday")
        plain = [atom for atom in atoms if not atom.endswith("L")]
        self._last_weekdays = {day % 7 for day in _WEEKDAY.values(",".join(last))} if last else set()
        self._weekdays = {day % 7 for day in _WEEKDAY.values(",".join(plain))} if plain else set()

    def _fits(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        if self._any_day and self._any_weekday:
            return True
        end = calendar.monthrange(day.year, day.month)[1]
        by_day = day.day in self._days or (self._last_day and day.day == end)
        weekday = day.isoweekday() % 7
        by_weekday = (weekday in self._weekdays and self._nth in (0, (day.day + 6) // 7)) or (
            weekday in self._last_weekdays and day.day > end - 7
        )
        if self._any_weekday:
            return by_day
        return by_weekday or (by_day and not self._any_day)

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first time after `after` (aware), in UTC; None if there is none in 41 years."""
        since = after.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        day = since.astimezone(zone).date()
        limit = min(day.year + SEARCH_YEARS, 9998)
        while day.year <= limit:
            if self._fits(day):
                found = self._in_day(day, since, zone)
                if found is not None:
                    return found
            day += timedelta(days=1)
            if day.month not in self._months:
                day = _next_month(day)
        return None

    def _in_day(self, day: date, since: datetime, zone: ZoneInfo) -> datetime | None:
        begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        if begin == end:
            return None  # the zone left the whole day out
        offset = begin.astimezone(zone).utcoffset()
        if offset == end.astimezone(zone).utcoffset() and end - begin == timedelta(days=1):
            start = max(since, begin).astimezone(zone).replace(tzinfo=None)
            wall = self._wall_time(start.time()) if start.date() == day else None
            if wall is None:
                return None
            assert offset is not None
            return (datetime.combine(day, wall) - offset).replace(tzinfo=UTC)
        minutes = (
            self._real_minutes(begin, end, since, zone) if self._every_hour else self._minutes_of(day, zone)
        )
        for minute in minutes:
            for second in self._seconds:
                found = minute + timedelta(seconds=second)
                if found >= since:
                    return found
        return None

    def _wall_time(self, start: time) -> time | None:
        """The first time of a plain day that is not before `start`."""
        for hour in self._hours[bisect_left(self._hours, start.hour) :]:
            low = start.minute if hour == start.hour else 0
            for minute in self._minutes[bisect_left(self._minutes, low) :]:
                low = start.second if (hour, minute) == (start.hour, start.minute) else 0
                seconds = self._seconds[bisect_left(self._seconds, low) :]
                if seconds:
                    return time(hour, minute, seconds[0])
        return None

    def _real_minutes(
        self, begin: datetime, end: datetime, since: datetime, zone: ZoneInfo
    ) -> Iterator[datetime]:
        """The minutes of a day on which the clocks change, as they really pass."""
        instant = max(begin, since.replace(second=0))
        while instant < end:
            if instant.astimezone(zone).minute in self._minutes:
                yield instant
            instant += timedelta(minutes=1)

    def _minutes_of(self, day: date, zone: ZoneInfo) -> list[datetime]:
        """The named minutes of a day on which the clocks change, each once."""
        # With fold=0 a time that is left out is moved by the gap, and one that comes twice is its
        # first coming. A day that begins twice begins with the second one, as BullMQ has it.
        midnight = datetime.combine(day, time(), zone)
        fold = int(midnight.utcoffset() != midnight.replace(fold=1).utcoffset() and _exists(midnight))
        found = {
            datetime.combine(day, time(hour, minute, fold=fold if hour == 0 else 0), zone).astimezone(UTC)
            for hour in self._hours
            for minute in self._minutes
        }
        return sorted(found)


def _exists(wall: datetime) -> bool:
    return wall.astimezone(UTC).astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _next_month(day: date) -> date:
    return day if day.day == 1 else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
