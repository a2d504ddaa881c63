"""When a desk works: round the clock, or in weekly hours of a time zone, holidays left out.

Pure. A moment is working time if the clock on the wall, in the calendar's zone, then shows a time within
the hours of a day that is not off. So an hour that summer time skips is not worked, and one that comes
twice is worked twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import holidays

_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_THURSDAY = 3  # the epoch's weekday
_MICROSECOND = timedelta(microseconds=1)

LONGEST = timedelta(days=7_305)
"""Nothing is looked for further away than 20 years."""


class UnknownPlace(ValueError):
    """The package of holidays knows no such country or subdivision."""


class NeverReached(ValueError):
    """The calendar does not have that much working time within 20 years."""


class WorkTime(Protocol):
    """Counts working time."""

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Working time from ``start`` to ``end``; none when ``end`` is not later."""

    def after(self, start: datetime, work: timedelta) -> datetime:
        """The first moment from ``start`` on at which ``work`` has been worked.

        Raises:
            NeverReached: It is more than 20 years away.
        """


@dataclass(frozen=True)
class RoundTheClock:
    """Every moment is working time."""

    def worked(self, start: datetime, end: datetime) -> timedelta:
        return max(end - start, timedelta(0))

    def after(self, start: datetime, work: timedelta) -> datetime:
        return start + max(work, timedelta(0))


@dataclass(frozen=True)
class Opening:
    """Hours of one day of the week.

    Attributes:
        weekday: 0 is Monday.
        opens: minutes after midnight, on the wall.
        closes: as ``opens``, later than it, at most 1440.
    """

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True)
class Hours:
    """Weekly hours in a zone, without the days off.

    Attributes:
        openings: do not overlap.
        country: ISO 3166 code whose public holidays are off, as the package `holidays` knows them.
        subdivision: of that country, for the holidays that are kept only there.
        own_days: further days off.
    """

    zone: str
    openings: tuple[Opening, ...]
    country: str | None = None
    subdivision: str | None = None
    own_days: frozenset[date] = frozenset()
    # Open spans of days that were asked for, in seconds since the epoch; by day since the epoch, in UTC.
    _spans: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict, compare=False, repr=False)

    def worked(self, start: datetime, end: datetime) -> timedelta:
        first, last = _microseconds(start), _microseconds(end)
        total = 0
        for day in range(first // (_DAY * 10**6), last // (_DAY * 10**6) + 1):
            for opens, closes in self._open(day):
                total += max(min(closes * 10**6, last) - max(opens * 10**6, first), 0)
        return timedelta(microseconds=total)

    def after(self, start: datetime, work: timedelta) -> datetime:
        position, left = _microseconds(start), work // _MICROSECOND
        if left <= 0:
            return start
        first = position // (_DAY * 10**6)
        for day in range(first, first + LONGEST.days):
            for opens, closes in self._open(day):
                position = max(position, opens * 10**6)
                span = closes * 10**6 - position
                if span >= left:
                    return _EPOCH + timedelta(microseconds=position + left)
                left -= max(span, 0)
        raise NeverReached(f"{work} of working time is more than 20 years away")

    def _open(self, day: int) -> tuple[tuple[int, int], ...]:
        """The spans of one UTC day in which the desk works, in order."""
        if day not in self._spans:
            self._spans[day] = tuple(self._compute(day))
        return self._spans[day]

    def _compute(self, day: int) -> list[tuple[int, int]]:
        spans = []
        for start, end, offset in self._offsets(day * _DAY, (day + 1) * _DAY):
            for local in range((start + offset) // _DAY, (end + offset - 1) // _DAY + 1):
                if self._is_off(local):
                    continue
                midnight = local * _DAY - offset
                for opening in self.openings:
                    if opening.weekday != (local + _THURSDAY) % 7:
                        continue
                    opens = max(start, midnight + opening.opens * 60)
                    closes = min(end, midnight + opening.closes * 60)
                    if opens < closes:
                        spans.append((opens, closes))
        return sorted(spans)

    def _offsets(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """The day in pieces of one offset from UTC; clocks are changed at most once in it."""
        before, after = self._offset(start), self._offset(end - 1)
        if before == after:
            return [(start, end, before)]
        low, high = start, end - 1  # the change is after low, and at high or before
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == before else (low, middle)
        return [(start, high, before), (high, end, after)]

    def _offset(self, second: int) -> int:
        offset = (_EPOCH + timedelta(seconds=second)).astimezone(_zone(self.zone)).utcoffset()
        return round(offset.total_seconds()) if offset is not None else 0

    def _is_off(self, local: int) -> bool:
        day = date.fromordinal(local + _EPOCH_ORDINAL)
        if day in self.own_days:
            return True
        return self.country is not None and day in public_holidays(self.country, self.subdivision, day.year)


@lru_cache(maxsize=1024)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The public holidays of a year.

    Raises:
        UnknownPlace: The package knows no such country or subdivision.
    """
    if country not in _countries():  # else the package looks for a module of that name
        raise UnknownPlace(f"no country {country!r}")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError as error:  # its word for a subdivision that it does not know
        raise UnknownPlace(str(error)) from error


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries())


@lru_cache(maxsize=512)
def shared(hours: Hours) -> Hours:
    """The one object of equal hours, so that what it has worked out about its days is kept."""
    return hours


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
