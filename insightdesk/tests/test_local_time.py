"""Local times: what DST does to an hour and to a day, and what was missed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insightdesk.kit.local_time import (
    UnknownZone,
    Weekly,
    day_bounds,
    instant,
    last_due,
    say_day,
    zone_of,
)

ZONES = ["America/New_York", "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kathmandu",
         "America/Havana", "Africa/Cairo", "Pacific/Apia", "UTC"]  # fmt: skip
DAILY = Weekly(time(8), frozenset(range(5)))
BOUND = timedelta(hours=12)

days = st.dates(date(2009, 1, 1), date(2037, 12, 30))
zones = st.sampled_from(ZONES).map(ZoneInfo)


@given(days, zones)
@settings(max_examples=200)
def test_days_follow_each_other_without_gap_or_overlap(day: date, zone: ZoneInfo) -> None:
    start, end = day_bounds(day, day, zone)
    assert end == day_bounds(day + timedelta(days=1), day + timedelta(days=1), zone)[0]
    # A day that the zone's calendar leaves out (Apia, 2011-12-30) is empty.
    assert timedelta(0) <= end - start <= timedelta(hours=25)
    assert start <= instant(day, time(12), zone) <= end


@given(days, zones, st.integers(0, 95))
@settings(max_examples=200)
def test_scans_of_every_quarter_find_each_working_day_once(day: date, zone: ZoneInfo, phase: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=15 * phase)
    scans = [start + timedelta(minutes=15 * step) for step in range(96 * 7 + 1)]
    found = {due[0]: due[1] for now in scans if (due := last_due(DAILY, zone, now, BOUND))}
    for local_day, moment in found.items():
        assert local_day.weekday() < 5
        assert moment == instant(local_day, time(8), zone)
    wanted = {(start + timedelta(days=step)).astimezone(zone).date() for step in range(1, 7)}
    assert {local for local in wanted if local.weekday() < 5} <= set(found)


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        # Left out: later by the gap.
        ("America/New_York", "2027-03-14", "02:30", "2027-03-14T07:30"),
        ("Europe/Berlin", "2027-03-28", "02:30", "2027-03-28T01:30"),
        ("Australia/Sydney", "2027-10-03", "02:30", "2027-10-02T16:30"),
        # Comes twice: the first.
        ("America/New_York", "2027-11-07", "01:30", "2027-11-07T05:30"),
        ("Europe/Berlin", "2027-10-31", "02:30", "2027-10-31T00:30"),
        ("Australia/Sydney", "2027-04-04", "02:30", "2027-04-03T15:30"),
        # Eight o'clock before and after clocks change.
        ("America/New_York", "2027-03-12", "08:00", "2027-03-12T13:00"),
        ("America/New_York", "2027-03-15", "08:00", "2027-03-15T12:00"),
    ],
)
def test_where_clocks_change(zone: str, day: str, at: str, utc: str) -> None:
    moment = instant(date.fromisoformat(day), time.fromisoformat(at), ZoneInfo(zone))
    assert moment == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_time_in_the_hour_that_comes_twice_is_due_on_one_day_only() -> None:
    rule = Weekly(time(1, 30), frozenset(range(7)))
    zone = ZoneInfo("America/New_York")
    first = datetime(2027, 11, 7, 5, 30, tzinfo=UTC)
    second = first + timedelta(hours=1)
    assert last_due(rule, zone, first, BOUND) == (date(2027, 11, 7), first)
    assert last_due(rule, zone, second, BOUND) == (date(2027, 11, 7), first)
    assert last_due(rule, zone, first - timedelta(seconds=1), timedelta(hours=1)) is None


def test_what_was_missed_is_the_last_one_within_the_bound() -> None:
    zone = ZoneInfo("Europe/Berlin")
    friday = instant(date(2027, 3, 26), time(8), zone)
    assert last_due(DAILY, zone, friday + BOUND - timedelta(seconds=1), BOUND) == (date(2027, 3, 26), friday)
    assert last_due(DAILY, zone, friday + BOUND, BOUND) is None
    assert last_due(DAILY, zone, friday + timedelta(days=1), BOUND) is None
    monday = instant(date(2027, 3, 29), time(8), zone)
    assert last_due(DAILY, zone, monday, timedelta(days=90)) == (date(2027, 3, 29), monday)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "UTC\0", "Europe"])
def test_an_unknown_zone_is_told(name: str) -> None:
    with pytest.raises(UnknownZone):
        zone_of(name)


def test_a_day_is_said_for_people() -> None:
    assert say_day(date(2026, 11, 3)) == "Tuesday, 3 November 2026"
