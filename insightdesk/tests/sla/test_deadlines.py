"""Deadline arithmetic against an oracle that counts running seconds one step at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from insightdesk.sla import deadlines

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
SPANS = st.lists(st.integers(0, 5_000), max_size=8)
TARGETS = st.integers(1, 20_000)


def oracle(spans: list[int], target: int) -> int:
    """The second at which the target is used up, if every odd span is a pause and the end runs on."""
    second = used = 0
    for index, span in enumerate(spans):
        for _ in range(span):
            if index % 2 == 0:
                used += 1
            second += 1
    return second + target - used


@given(SPANS, TARGETS)
def test_pauses_put_the_deadline_off_by_their_length(spans: list[int], target: int) -> None:
    timing, now = deadlines.start(START, target), START
    for index, span in enumerate(spans):
        now += timedelta(seconds=span)
        timing = deadlines.pause(timing, now) if index % 2 == 0 else deadlines.resume(timing, now)
    timing = deadlines.resume(timing, now)
    assert timing.due_at == START + timedelta(seconds=oracle(spans, target))


@given(SPANS, TARGETS, TARGETS, st.integers(0, 8))
def test_another_target_is_as_if_it_had_been_so_from_the_start(
    spans: list[int], first: int, second: int, change_at: int
) -> None:
    changed, straight, now = deadlines.start(START, first), deadlines.start(START, second), START
    for index, span in enumerate(spans):
        if index == change_at:
            changed = deadlines.retarget(changed, second)
        now += timedelta(seconds=span)
        step = deadlines.pause if index % 2 == 0 else deadlines.resume
        changed, straight = step(changed, now), step(straight, now)
    if change_at >= len(spans):
        changed = deadlines.retarget(changed, second)
    assert changed == straight


@given(TARGETS, st.integers(-3, 3))
def test_on_the_dot_is_in_time(target: int, offset: int) -> None:
    timing = deadlines.start(START, target)
    moment = timing.due_at + timedelta(seconds=offset)
    assert deadlines.is_late(timing, moment) is (offset > 0)
    assert deadlines.is_late(deadlines.pause(timing, moment), moment + timedelta(days=9)) is (offset > 0)


def test_pausing_and_resuming_twice_changes_nothing_more() -> None:
    timing = deadlines.start(START, 60)
    paused = deadlines.pause(timing, START + timedelta(seconds=10))
    assert deadlines.pause(paused, START + timedelta(seconds=20)) == paused
    resumed = deadlines.resume(paused, START + timedelta(seconds=30))
    assert deadlines.resume(resumed, START + timedelta(seconds=40)) == resumed
