"""Cron and Every: checked at once, right over changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import toril


@pytest.mark.parametrize(
    "pattern", ["", "* * * *", "61 * * * *", "0 0 31 4,6 *", "nonsense", "* * * * * * *"]
)
def test_a_wrong_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(toril.InvalidOption, match="wrong cron pattern"):
        toril.Cron(pattern)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(toril.InvalidOption, match="unknown time zone"):
        toril.Cron("* * * * *", tz="Mars/Olympus")


@pytest.mark.parametrize("interval", [0, -1, float("inf")])
def test_a_wrong_interval_is_refused(interval: float) -> None:
    with pytest.raises(toril.InvalidOption):
        toril.Every(interval)


@pytest.mark.parametrize(
    ("pattern", "tz", "now", "expected"),
    [
        ("*/5 * * * *", "UTC", "2026-01-01T00:00:00", "2026-01-01T00:05:00"),
        ("*/10 * * * * *", "UTC", "2026-01-01T00:00:05", "2026-01-01T00:00:10"),
        # 1:30 comes twice in New York on 2026-11-01: once, at its first coming.
        ("30 1 * * *", "America/New_York", "2026-11-01T00:00:00", "2026-11-01T05:30:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:30:00", "2026-11-02T06:30:00"),
        # 2:30 is left out there on 2026-03-08: an hour later, as the gap is long.
        ("30 2 * * *", "America/New_York", "2026-03-08T00:00:00", "2026-03-08T07:30:00"),
        ("0 8 * * 1-5", "Europe/Prague", "2026-10-23T12:00:00", "2026-10-26T07:00:00"),
    ],
)
def test_next_times(pattern: str, tz: str, now: str, expected: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert toril.Cron(pattern, tz).next_after(at) == datetime.fromisoformat(expected).replace(tzinfo=UTC)
