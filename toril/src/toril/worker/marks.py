"""Why a worker cancels a run's task: the message of the cancellation."""

from __future__ import annotations


class HandBack(Exception):
    """The worker stops: the job goes back unspent."""


class LockLost(Exception):
    """Another worker may have the job: its run is not to be settled."""


class CancelAsked(Exception):
    """Somebody has cancelled the job: it is to fail."""
