"""A limit on failed logins, kept in the process's memory."""

from __future__ import annotations

from collections import deque

WINDOW = 300.0
"""Seconds that a failure counts."""

LIMIT = 10
"""Failures within the window after which further tries are refused."""

_MAX_KEYS = 10_000


class LoginThrottle:
    """Counts failures by key; forgets the oldest key when there are too many."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def is_open(self, key: str, now: float) -> bool:
        """Whether another try is allowed (``now``: seconds of a monotonic clock)."""
        failures = self._failures.get(key)
        if failures is None:
            return True
        while failures and now - failures[0] > WINDOW:
            failures.popleft()
        return len(failures) < LIMIT

    def record_failure(self, key: str, now: float) -> None:
        """Count a failed try."""
        self._failures.setdefault(key, deque(maxlen=LIMIT)).append(now)
        while len(self._failures) > _MAX_KEYS:
            del self._failures[next(iter(self._failures))]

    def forget(self, key: str) -> None:
        """A try succeeded."""
        self._failures.pop(key, None)
