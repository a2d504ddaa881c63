"""Cron times agree with BullMQ's parser: a corpus that it has written, pattern by zone by day.

`cron_differences.json` has the rows on which they do not, [pattern, zone, start, why, our times]:

- midnight: clocks go forward at midnight. BullMQ leaves out what is due in the hour that is not
  there; here it runs after the gap, as with any other hour.
- half hour: clocks change by half an hour. BullMQ leaves half an hour out, or ends the schedule.
- within: a start in the hour after the gap, or in the hour's second coming. BullMQ then forgets that
  the clocks have changed: it leaves out the rest of a gap's runs, and doubles those of the other.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toril
from toril.cron import CronError, CronPattern

HERE = Path(__file__).parent
CORPUS: dict[str, Any] = json.loads((HERE / "cron_corpus.json").read_text())
DIFFERENCES = {
    (pattern, zone, start): ours
    for pattern, zone, start, _, ours in json.loads((HERE / "cron_differences.json").read_text())
}
REFUSED = {"", "*/10", "0 12 1 6", "1-2-3 * * * *", "0 0 31 4,6 *"}
"""Patterns that BullMQ's parser takes, and that are surely not meant: too few fields, no such days."""


def times(pattern: CronPattern, zone: str, start: str, count: int) -> list[int]:
    at, found = datetime.fromisoformat(start), []
    for _ in range(count):
        following = pattern.next_after(at, ZoneInfo(zone))
        assert following is not None
        at = following
        found.append(int(at.timestamp()))
    return found


@pytest.mark.parametrize("pattern", [each for each in CORPUS["times"] if each not in REFUSED])
def test_times_agree_with_bullmq(pattern: str) -> None:
    ours = CronPattern(pattern)
    for zone, starts in CORPUS["times"][pattern].items():
        for start, node in starts.items():
            expected = DIFFERENCES.get((pattern, zone, start), node)
            assert times(ours, zone, start, len(expected)) == expected, (zone, start)


def test_each_noted_difference_is_one() -> None:
    assert len(DIFFERENCES) < 200
    for (pattern, zone, start), ours in DIFFERENCES.items():
        assert CORPUS["times"][pattern][zone][start] != ours


@pytest.mark.parametrize("pattern", [*CORPUS["wrong"], *sorted(REFUSED), "x" * 1025])
def test_what_bullmq_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(CronError):
        CronPattern(pattern)


ZONES = [each for each in CORPUS["times"]["* * * * *"] if each != "Pacific/Apia"]


def field(low: int, high: int) -> st.SearchStrategy[str]:
    one = st.integers(low, high)
    spread = st.tuples(one, one).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(spread | st.just("*"), st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    atom = one.map(str) | spread | step
    return st.just("*") | st.lists(atom, min_size=1, max_size=3).map(",".join)


PATTERNS = st.tuples(field(0, 59), field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(
    " ".join
)
INSTANTS = st.datetimes(datetime(2012, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@settings(deadline=None)
@given(PATTERNS, st.sampled_from(ZONES), INSTANTS, st.floats(0, 1))
def test_next_is_later_monotone_and_a_fixed_point(pattern: str, tz: str, at: datetime, share: float) -> None:
    cron = toril.Cron(pattern, tz=tz)
    following = cron.next_after(at)
    assert following is not None
    assert following > at
    between = at + (following - at) * share
    if between < following:
        # Nothing lies between, from wherever one asks.
        assert cron.next_after(between) == following
    assert cron.next_after(following - timedelta(microseconds=1)) == following
    after = cron.next_after(following)
    assert after is not None
    assert after > following


@settings(deadline=None)
@given(PATTERNS, INSTANTS)
def test_in_utc_each_time_matches_its_fields(pattern: str, at: datetime) -> None:
    found = toril.Cron(pattern).next_after(at)
    assert found is not None
    second, minute, hour, _, month, _ = pattern.split()
    for text, value in (
        (second, found.second),
        (minute, found.minute),
        (hour, found.hour),
        (month, found.month),
    ):
        assert any(_matches(atom, value) for atom in text.split(",")), (text, value)


def _matches(atom: str, value: int) -> bool:
    spread, _, step = atom.partition("/")
    low, _, high = spread.partition("-")
    if low == "*":
        return True
    first, last = int(low), int(high or low)
    return first <= value <= last and (value - first) % int(step or 1) == 0
