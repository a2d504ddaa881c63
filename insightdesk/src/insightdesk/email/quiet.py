"""Quiet hours: pure arithmetic on a person's wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["quiet_until"]


def quiet_until(starts: time, ends: time, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the quiet hours that `now` lies in are over, in UTC; None if it lies in none.

    It is quiet whenever the clock on the wall shows a time from `starts` to before `ends`, over midnight if
    `ends` is the earlier one; never if both are the same. So where the clock is put forward over the end,
    they end with the gap, and where it is put back over it, they begin again.
    """
    wall = now.astimezone(zone)
    clock = wall.time()
    inside = starts <= clock < ends if starts <= ends else clock >= starts or clock < ends
    if not inside:
        return None
    day = wall.date() if clock < ends else wall.date() + timedelta(days=1)
    shown = [datetime.combine(day, ends, tzinfo=zone).replace(fold=fold) for fold in (0, 1)]
    moments = [moment.astimezone(UTC) for moment in shown]
    if moments[0].astimezone(zone).time() != ends:
        return _change(zone, moments[1], moments[0])
    return next(moment for moment in moments if moment > now)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment between the two at which the zone's clock is put forward, to the second."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
