"""Numbers, durations and times as people read them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import msgspec

from ..job import Json

NOTHING = "\N{EN DASH}"
"""What stands where there is no value."""
LONGEST = 100_000
"""Characters of one text that a page shows."""


def number(value: float) -> str:
    """A number with its thousands set apart."""
    return f"{value:,.0f}"


def rate(a_second: float) -> str:
    """Jobs a second, or a minute when there are few: `1,240/s`, `3/min`, `0`."""
    if a_second < 0.005:
        return "0"
    if a_second < 0.95:
        return f"{a_second * 60:.2g}/min"
    return f"{a_second:,.0f}/s" if a_second >= 10 else f"{a_second:.1f}/s"


def duration(seconds: float | None) -> str:
    """A duration: `0.4 ms`, `12 ms`, `3.4 s`, `5 min`, `2 h 05 min`, `3 d 4 h`; `-` for none."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0.01:
        return f"{_short(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{_short(seconds)} s"
    if seconds < 3600:
        return f"{_short(seconds / 60)} min"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
    return f"{seconds // 86400:,.0f} d {seconds % 86400 // 3600:.0f} h"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, or in how long."""
    if at is None:
        return NOTHING
    seconds = (now - at) / timedelta(seconds=1)
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def moment(at: datetime | None) -> str:
    """A time to the second, UTC."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def cut(text: str, most: int) -> str:
    """A text, cut where it is longer."""
    return text if len(text) <= most else f"{text[:most]}…"


def pretty(value: Json) -> str:
    """JSON over several lines, cut where it is very long."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} characters more"


def brief(value: Json, most: int = 120) -> str:
    """JSON in one short line."""
    return cut(msgspec.json.encode(value).decode(), most)
