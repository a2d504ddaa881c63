"""When a provider may be tried: slots never nearer than its rate allows, and one trial at a time."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from insightdesk.email.circuit import ProviderState, admit, after_failure, after_success, held

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@given(st.lists(st.floats(0, 3), max_size=60), st.sampled_from([0.5, 2.0, 10.0]))
def test_the_rate_is_kept_whoever_asks_and_when(gaps: list[float], rate: float) -> None:
    state, now, sent = ProviderState(), NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        verdict = admit(state, rate, now)
        state = verdict.state
        if verdict.go:
            assert 0 <= verdict.after <= 1.0
            sent.append(now + timedelta(seconds=verdict.after))
        else:
            # Who comes back when told finds a slot.
            back = now + timedelta(seconds=verdict.busy_for + 1e-5)
            assert admit(state, rate, back).go
    least = timedelta(seconds=1 / rate - 1e-5)
    assert all(later - earlier >= least for earlier, later in itertools.pairwise(sent))


@given(st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=40))
def test_the_circuit_opens_after_three_errors_and_is_tried_by_one(steps: list[tuple[float, bool]]) -> None:
    state, now, in_a_row = ProviderState(), NOW, 0
    for gap, works in steps:
        now += timedelta(seconds=gap)
        verdict = admit(state, None, now)
        if in_a_row < 3:
            assert verdict.go
        if not verdict.go:
            assert 0 < verdict.open_for <= 900
            continue
        state = verdict.state
        if in_a_row >= 3:
            assert not admit(state, None, now).go, "a second process tries too"
        state = after_success(state) if works else after_failure(state, now)
        in_a_row = 0 if works else in_a_row + 1
        assert state.failures == in_a_row


def test_the_circuit_stays_open_twice_as_long_each_time() -> None:
    state, spans = ProviderState(), []
    for _ in range(10):
        state = after_failure(state, NOW)
        spans.append((state.open_until - NOW).total_seconds() if state.open_until else 0)
    assert spans == [0, 0, 30, 60, 120, 240, 480, 900, 900, 900]


def test_a_wait_that_was_asked_for_is_kept() -> None:
    state = held(ProviderState(), 30.0, NOW)
    assert 28 < admit(state, None, NOW).busy_for < 30
    assert held(state, 1.0, NOW) == state
    assert admit(state, None, NOW + timedelta(seconds=30)).go
