"""When the next job is due: pure arithmetic, for all policies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toril
from toril.schedule import is_late, to_ms

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR_MS = 3_600_000


def at(hours: float) -> int:
    return to_ms(DAY + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (toril.Missed.once(), 6),
        (toril.Missed.skip(), 6),
        (toril.Missed.all(), 1),
        (toril.Missed.all(5), 1),
        (toril.Missed.all(4), 2),
        (toril.Missed.all(1), 5),
    ],
)
def test_what_follows_when_hours_were_missed(missed: toril.Missed, expected: int) -> None:
    for when in (toril.Cron("0 * * * *", missed=missed), toril.Every(3600, missed=missed)):
        assert when.following_ms(at(0), at(5.5)) == at(expected)
        assert when.following_ms(at(0), at(0.5)) == at(1)
        assert when.following_ms(at(0), at(0) - 1) == at(1)


def test_a_run_is_late_only_where_late_runs_are_skipped() -> None:
    skip = toril.Cron("0 * * * *", missed=toril.Missed.skip(10))
    assert not is_late(skip, at(0), at(0) + 10_000)
    assert is_late(skip, at(0), at(0) + 10_001)
    assert not is_late(toril.Every(60), at(0), at(9))


def test_an_end_is_a_run_s_last_moment() -> None:
    for when in (toril.Cron("0 * * * *", end=DAY), toril.Every(3600, end=DAY)):
        assert when.following_ms(at(-1), at(-1)) == at(0)
        assert when.following_ms(at(0), at(0)) is None
    assert toril.Every(60, end=DAY).first_ms(at(1)) is None


def test_a_start_is_a_run_s_first_moment() -> None:
    assert toril.Cron("0 * * * *", start=DAY).first_ms(at(-5)) == at(0)
    assert toril.Cron("30 * * * *", start=DAY).first_ms(at(-5)) == at(0.5)
    assert toril.Every(3600, start=DAY).first_ms(at(-5)) == at(0)
    assert toril.Every(3600, start=DAY).first_ms(at(5.2)) == at(5.2)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: toril.Cron("* * * * *", limit=0),
        lambda: toril.Cron("* * * * *", start=datetime(2026, 1, 1)),
        lambda: toril.Cron("* * * * *", end="tomorrow"),  # type: ignore[arg-type]
        lambda: toril.Cron("* * * * *", start=DAY, end=DAY - timedelta(1)),
        lambda: toril.Cron("* * * * *", start=DAY, immediately=True),
        lambda: toril.Every(60, 60),
        lambda: toril.Every(60, 5, start=DAY),
        lambda: toril.Every(60, limit=True),
        lambda: toril.Missed.all(1001),
        lambda: toril.Missed.skip(-1),
    ],
)
def test_what_is_wrong_is_refused(wrong: object) -> None:
    with pytest.raises(toril.InvalidOption):
        wrong()  # type: ignore[operator]


POLICIES = st.one_of(
    st.just(toril.Missed.once()), st.just(toril.Missed.skip()), st.integers(1, 50).map(toril.Missed.all)
)
SPANS = st.integers(0, 10 * 86400 * 1000)


@settings(deadline=None)
@given(st.integers(1, 10_000_000), POLICIES, SPANS, st.integers(0, 2**40))
def test_an_interval_goes_on_in_its_rhythm(
    every: int, missed: toril.Missed, passed: int, before: int
) -> None:
    now = before + passed
    following = toril.Every(timedelta(milliseconds=every), missed=missed).following_ms(before, now)
    assert following is not None
    assert following > before
    assert (following - before) % every == 0
    if missed.kind == "all":
        behind = (now - following) // every + 1
        assert behind <= missed.limit
        assert following == before + every or behind == missed.limit
    else:
        assert following >= now
        assert following - now <= every


@settings(deadline=None)
@given(st.sampled_from(["*/7 * * * *", "0 3 * * *", "30 2 * * 1-5", "0 */5 * * *"]), POLICIES, SPANS)
def test_a_pattern_misses_no_run_that_is_to_be_made_up(
    pattern: str, missed: toril.Missed, passed: int
) -> None:
    when = toril.Cron(pattern, "Europe/Berlin", missed=missed)
    before = when.first_ms(at(0))
    assert before is not None
    now = before + passed
    instants = [before]
    while instants[-1] <= now and len(instants) < 3000:
        following = toril.Cron(pattern, "Europe/Berlin").following_ms(instants[-1], instants[-1])
        assert following is not None
        instants.append(following)
    due = [each for each in instants[1:] if each <= now]
    expected = due[-missed.limit :][0] if due and missed.kind == "all" else instants[-1]
    assert when.following_ms(before, now) == expected
