"""Deadline arithmetic against an oracle that looks at the clock on the wall, minute by minute."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from insightdesk.sla import deadlines
from insightdesk.sla.calendar import Hours, NeverReached, Opening, RoundTheClock, WorkTime
from insightdesk.sla.deadlines import Run

MINUTE = timedelta(minutes=1)
SPAN = 3 * 1440  # minutes that the oracle looks at
# Days on which clocks are changed: forward and back, by an hour and by half of one, at night and at
# midnight itself, and where a whole day was left out.
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)), ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Africa/Cairo", date(2026, 4, 24)), ("America/Havana", date(2026, 11, 1)),
    ("America/Sao_Paulo", date(2017, 10, 15)), ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 1, 1)), ("UTC", date(2026, 12, 31)),
]  # fmt: skip


@st.composite
def openings(draw: st.DrawFn) -> tuple[Opening, ...]:
    """Up to two spans on some days of the week, at least one in all; a day may be open to its end."""
    found = []
    for weekday in draw(st.sets(st.integers(0, 6), min_size=1)):
        edges = sorted(draw(st.sets(st.integers(0, 1440), min_size=2, max_size=4)))
        found += [Opening(weekday, *pair) for pair in zip(edges[::2], edges[1::2], strict=False)]
    return tuple(found)


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Hours, datetime]:
    """Hours around a change of clocks, and a full minute within the two days before it."""
    zone, day = draw(st.sampled_from(CHANGES))
    country, subdivision = draw(st.sampled_from([(None, None), ("DE", "BY"), ("US", None), ("AU", "NSW")]))
    own = draw(st.frozensets(st.integers(-1, 5).map(lambda days: day + timedelta(days=days)), max_size=2))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - draw(st.integers(0, 2880)) * MINUTE
    return Hours(zone, draw(openings()), country, subdivision, own), start


@lru_cache
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))


def is_open(hours: Hours, moment: datetime) -> bool:
    """Whether the wall shows a working time."""
    wall = moment.astimezone(ZoneInfo(hours.zone))
    minute = wall.hour * 60 + wall.minute
    if not any(o.weekday == wall.weekday() and o.opens <= minute < o.closes for o in hours.openings):
        return False
    day = wall.date()
    off = hours.country and day in public_holidays(hours.country, hours.subdivision, day.year)
    return not off and day not in hours.own_days


def weekly(hours: Hours) -> int:
    """Minutes a week."""
    return sum(opening.closes - opening.opens for opening in hours.openings)


def open_minutes(hours: Hours, start: datetime, count: int) -> list[datetime]:
    """The ends of the open ones among so many minutes."""
    moments = (start + step * MINUTE for step in range(count))
    return [moment + MINUTE for moment in moments if is_open(hours, moment)]


@settings(max_examples=120, deadline=None)
@given(calendars(), st.integers(1, 2000))
def test_working_time_agrees_with_the_wall_minute_by_minute(
    case: tuple[Hours, datetime], minutes: int
) -> None:
    hours, start = case
    passed = open_minutes(hours, start, SPAN)
    end = start + SPAN * MINUTE
    assert hours.worked(start, end) == len(passed) * MINUTE
    if len(passed) >= minutes:
        assert hours.after(start, minutes * MINUTE) == passed[minutes - 1]
    elif weekly(hours) > 60:
        assert hours.after(start, minutes * MINUTE) > end


@settings(max_examples=60, deadline=None)
@given(calendars(), st.integers(1, 10**12), st.integers(0, 10**12))
def test_counting_undoes_adding_to_the_microsecond(
    case: tuple[Hours, datetime], microseconds: int, later: int
) -> None:
    hours, start = case
    work = timedelta(microseconds=microseconds)
    assume(weekly(hours) > 60)
    end = hours.after(start, work)
    assert hours.worked(start, end) == work
    assert hours.worked(start, end - timedelta(microseconds=1)) == work - timedelta(microseconds=1)
    middle = start + timedelta(microseconds=later)
    assert hours.worked(start, middle) + hours.worked(middle, end) == work or middle > end
    assert hours.worked(end, start) == timedelta(0)


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(calendars(), st.just((RoundTheClock(), datetime(2026, 3, 29, tzinfo=UTC)))),
    st.lists(st.integers(0, 500), max_size=6),
    st.integers(1, 1500),
)
def test_deadline_and_warning_come_when_the_unpaused_working_minutes_are_used(
    case: tuple[Hours | RoundTheClock, datetime], spans: list[int], minutes: int
) -> None:
    """Every odd span is a pause; after the last one the clock runs on."""
    work, start = case
    run, now, paused = Run(start), start, []
    for index, span in enumerate(spans):
        end = now + span * MINUTE
        if index % 2:
            paused.append((now, end))
            run = deadlines.resume(deadlines.pause(run, now), end)
        now = end
    if isinstance(work, Hours):
        passed = open_minutes(work, start, SPAN)
    else:
        passed = [start + (step + 1) * MINUTE for step in range(SPAN)]
    passed = [end for end in passed if not any(since < end <= until for since, until in paused)]
    assume(len(passed) >= minutes)
    timing = deadlines.timing(run, work, minutes * 60.0)
    assert timing.due_at == passed[minutes - 1]
    assert timing.remaining_seconds is None
    quarter, rest = divmod(minutes * 3, 4)
    if rest == 0:
        assert timing.warn_at == passed[quarter - 1]
    assert deadlines.used(run, work, timing.due_at) == minutes * MINUTE


@given(calendars(), st.integers(1, 5_000), st.integers(0, 5_000), st.integers(1, 600))
@settings(max_examples=40, deadline=None)
def test_a_clock_resumes_with_the_working_time_that_remained(
    case: tuple[Hours, datetime], minutes: int, before: int, pause: int
) -> None:
    hours, start = case
    assume(weekly(hours) > 60)
    paused = deadlines.pause(Run(start), start + before * MINUTE)
    timing = deadlines.timing(paused, hours, minutes * 60.0)
    assert timing.remaining_seconds is not None
    left = minutes * MINUTE - hours.worked(start, start + before * MINUTE)
    assert timing.remaining_seconds == left.total_seconds()
    assume(left > timedelta(0))
    back = start + (before + pause) * MINUTE
    resumed = deadlines.timing(deadlines.resume(paused, back), hours, minutes * 60.0)
    assert resumed.due_at == hours.after(back, left)


def test_pausing_and_resuming_twice_changes_nothing_more() -> None:
    start = datetime(2026, 3, 29, tzinfo=UTC)
    paused = deadlines.pause(Run(start), start + 10 * MINUTE)
    assert deadlines.pause(paused, start + 20 * MINUTE) == paused
    resumed = deadlines.resume(paused, start + 30 * MINUTE)
    assert deadlines.resume(resumed, start + 40 * MINUTE) == resumed
    assert deadlines.resume(paused, start + 10 * MINUTE) == Run(start)


def test_a_clock_that_was_set_back_does_not_turn_a_pause_round() -> None:
    start = datetime(2026, 3, 29, tzinfo=UTC)
    paused = deadlines.pause(Run(start), start - MINUTE)
    assert paused.paused_since == start
    assert deadlines.resume(paused, start - MINUTE) == Run(start)


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        # Thursday 16:00 in Berlin, before Easter: Good Friday and Easter Monday are off in 2026.
        ("2026-04-02T14:00Z", 90, "2026-04-07T07:30Z"),
        # The Friday before clocks go forward: Monday's hours begin an hour earlier in UTC.
        ("2026-03-27T15:30Z", 60, "2026-03-30T07:30Z"),
        # Used up to the minute at closing time: due then, not when the doors open again.
        ("2026-06-10T14:00Z", 60, "2026-06-10T15:00Z"),
        # Four weeks of work.
        ("2026-06-01T07:00Z", 4 * 5 * 8 * 60, "2026-06-26T15:00Z"),
    ],
)
def test_office_hours_in_berlin(start: str, minutes: int, due: str) -> None:
    office = Hours("Europe/Berlin", tuple(Opening(day, 9 * 60, 17 * 60) for day in range(5)), "DE")
    assert office.after(datetime.fromisoformat(start), minutes * MINUTE) == datetime.fromisoformat(due)


def test_a_target_out_of_reach_is_an_error_and_not_a_loop() -> None:
    seldom: WorkTime = Hours("UTC", (Opening(0, 0, 1),))
    with pytest.raises(NeverReached):
        seldom.after(datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=365))


def test_a_thousand_deadlines_take_no_time() -> None:
    office = Hours("America/New_York", tuple(Opening(day, 540, 1020) for day in range(5)), "US")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    began = time.process_time()
    for index in range(1000):
        office.after(start + index * 7 * MINUTE, timedelta(hours=80))
    assert time.process_time() - began < 1.0
