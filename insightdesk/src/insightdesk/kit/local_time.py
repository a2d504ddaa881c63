"""Times of day where an organization is: pure, takes ``now``.

Where clocks go forward, a time that is left out comes later by the gap; where they go back, a time that
comes twice means its first coming. Both hold for the midnight at which a day begins, so the days of a
zone follow each other without gap or overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Weekly:
    """A time of day on some days of the week.

    Attributes:
        at: the local time.
        weekdays: Monday is 0.
    """

    at: time
    weekdays: frozenset[int]


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When it is ``at`` on ``day`` in ``zone``; in UTC."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def day_bounds(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The moments at which ``first`` begins and ``last`` has ended; in UTC, the end itself is not in."""
    return instant(first, time(), zone), instant(last + _DAY, time(), zone)


def last_due(rule: Weekly, zone: ZoneInfo, now: datetime, within: timedelta) -> tuple[date, datetime] | None:
    """The day whose time came last, and when; None if that is ``within`` ago or longer.

    Earlier ones are not looked for: what was missed is made up once, not once for each day.
    """
    today = now.astimezone(zone).date()
    for back in range(8):
        day = today - back * _DAY
        moment = instant(day, rule.at, zone)
        if day.weekday() in rule.weekdays and moment <= now:
            return (day, moment) if now - moment < within else None
    return None


def say_day(day: date) -> str:
    """A day for people, e.g. ``Tuesday, 3 November 2026``."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


class UnknownZone(ValueError):
    """No time zone has this name."""


def zone_names() -> list[str]:
    """The zones that people choose from, such as ``Europe/Berlin``."""
    return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name, e.g. ``Europe/Berlin``.

    Raises:
        UnknownZone: There is none, path tricks included.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(f"there is no time zone {name[:80]!r}") from None
