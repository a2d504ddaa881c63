"""How long things took: counts in classes that double, so that a millisecond and an hour fit one picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CLASSES = 25
"""Of 0 ms, below 2 ms, 4 ms … and of all that took more than 2^23 ms (2.3 hours)."""


@dataclass(slots=True)
class Histogram:
    """Durations by class: class 0 is less than a millisecond, class n from 2^(n-1) to 2^n ms.

    Attributes:
        counts: How many there are in each of the `CLASSES` classes.
    """

    counts: list[int] = field(default_factory=lambda: [0] * CLASSES)

    @classmethod
    def of(cls, durations_ms: Iterable[int]) -> Histogram:
        """Sort durations, whole milliseconds from 0, into their classes."""
        made = cls()
        for duration in durations_ms:
            made.counts[min(duration.bit_length(), CLASSES - 1)] += 1
        return made

    @classmethod
    def from_sparse(cls, sparse: Mapping[int, int]) -> Histogram:
        """Read what `sparse` has written; classes that there are not are left out."""
        made = cls()
        for place, count in sparse.items():
            if 0 <= place < CLASSES:
                made.counts[place] += count
        return made

    def sparse(self) -> dict[int, int]:
        """The classes that have something in them."""
        return {place: count for place, count in enumerate(self.counts) if count}

    def add(self, other: Histogram) -> None:
        """Add another one's counts to this one's."""
        for place, count in enumerate(other.counts):
            self.counts[place] += count

    @property
    def total(self) -> int:
        """How many durations there are."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """About the duration, in seconds, that this share (0 to 1) of them does not exceed; None of none.

        Within a class durations are taken to be spread evenly: it is wrong by less than a factor of two.
        """
        total = self.total
        if not total:
            return None
        wanted, before = share * total, 0
        place = next(i for i in reversed(range(CLASSES)) if self.counts[i])
        for i, count in enumerate(self.counts):
            if count and before + count >= wanted:
                place = i
                break
            before += count
        low, high = bounds(place)
        return low + (high - low) * min(1.0, max(0.0, (wanted - before) / self.counts[place]))


def bounds(place: int) -> tuple[float, float]:
    """From where to where a class goes, in seconds."""
    return (0.0 if place == 0 else 2 ** (place - 1) / 1000, 2**place / 1000)
