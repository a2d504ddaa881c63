"""When a provider may be tried: pure decisions over what all processes know of it.

The circuit opens after three errors of the provider in a row and stays open 30 s, twice as long after each
failed trial, 15 min at most. When that time has come one process tries it with one mail; the rest wait for
its outcome. The rate limit gives out one slot after the other (the generic cell rate algorithm with no
burst), up to a second ahead; a provider that asked us to wait has no slot before that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

__all__ = ["ProviderState", "Verdict", "admit", "after_failure", "after_success", "held"]

THRESHOLD = 3
"""Errors in a row that open the circuit."""
_FIRST = timedelta(seconds=30)
_LONGEST = timedelta(minutes=15)
_TRIAL = timedelta(seconds=60)  # within which a trial's outcome is known
_AHEAD = timedelta(seconds=1)  # how far in the future a slot may be taken


@dataclass(frozen=True)
class ProviderState:
    """What is known of a provider.

    Attributes:
        failures: its errors since the last success.
        open_until: it is left alone until then; None while the circuit is closed.
        next_slot: before that its rate limit allows nothing.
    """

    failures: int = 0
    open_until: datetime | None = None
    next_slot: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether one mail may be tried now.

    Attributes:
        state: what is known of the provider from now on.
        open_for: seconds for which the circuit is still open; 0 if it is not.
        busy_for: seconds until a slot can be had; 0 if one was taken.
        after: seconds to wait before the mail is sent in the slot that was taken.
    """

    state: ProviderState
    open_for: float = 0.0
    busy_for: float = 0.0
    after: float = 0.0

    @property
    def go(self) -> bool:
        """Whether to try."""
        return not self.open_for and not self.busy_for


def admit(state: ProviderState, rate: float | None, now: datetime) -> Verdict:
    """Whether one mail may be tried now; takes the slot or the trial if so."""
    if state.open_until is not None and state.open_until > now:
        return Verdict(state, open_for=(state.open_until - now).total_seconds())
    slot = max(now, state.next_slot or now)
    if slot - now > _AHEAD:
        return Verdict(state, busy_for=(slot - now - _AHEAD).total_seconds())
    if state.open_until is not None:
        state = replace(state, open_until=now + _TRIAL)
    if rate is not None:
        state = replace(state, next_slot=slot + timedelta(seconds=1 / rate))
    return Verdict(state, after=(slot - now).total_seconds())


def after_success(state: ProviderState) -> ProviderState:
    """The circuit closes."""
    return replace(state, failures=0, open_until=None)


def after_failure(state: ProviderState, now: datetime) -> ProviderState:
    """One more error; it opens the circuit, or keeps it open for longer, from the third on."""
    failures = state.failures + 1
    if failures < THRESHOLD:
        return replace(state, failures=failures)
    span = min(_FIRST * 2 ** min(failures - THRESHOLD, 10), _LONGEST)
    return replace(state, failures=failures, open_until=now + span)


def held(state: ProviderState, seconds: float, now: datetime) -> ProviderState:
    """The provider asked us to wait; a longer wait that it asked for before stands."""
    until = now + timedelta(seconds=seconds)
    return replace(state, next_slot=max(until, state.next_slot or until))
