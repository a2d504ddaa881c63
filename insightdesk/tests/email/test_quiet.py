"""Quiet hours agree with a clock on the wall that is looked at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insightdesk.email.quiet import quiet_until

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kathmandu"]
# Around the changes of summer time of 2026 in these zones.
DAYS = [
    datetime(2026, month, day, tzinfo=UTC)
    for month, day in [(3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31), (11, 25)]
]


def oracle(starts: time, ends: time, zone: ZoneInfo, now: datetime) -> datetime | None:
    def quiet(moment: datetime) -> bool:
        shown = moment.astimezone(zone).time()
        return starts <= shown < ends if starts <= ends else shown >= starts or shown < ends

    if not quiet(now):
        return None
    while quiet(now):
        now += timedelta(minutes=1)
    return now


minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))


@settings(max_examples=150, deadline=None)
@given(minutes, minutes, st.sampled_from(ZONES), st.sampled_from(DAYS), st.integers(0, 2 * 24 * 60))
def test_quiet_hours_agree_with_the_wall(
    starts: time, ends: time, zone: str, day: datetime, minute: int
) -> None:
    now = day + timedelta(minutes=minute)
    assert quiet_until(starts, ends, ZoneInfo(zone), now) == oracle(starts, ends, ZoneInfo(zone), now)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        # The clock jumps from 02:00 to 03:00, so 02:30 is never shown.
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        # It shows 02:30 twice: quiet ends with the first, and begins again with 02:00.
        (datetime(2026, 10, 25, 0, 10, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 0, 40, tzinfo=UTC), None),
    ],
)
def test_quiet_hours_over_a_change_of_summer_time(now: datetime, over: datetime | None) -> None:
    assert quiet_until(time(22), time(2, 30), ZoneInfo("Europe/Berlin"), now) == over
