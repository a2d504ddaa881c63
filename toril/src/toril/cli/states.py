"""The states that options may name, as a shell completes them."""

from __future__ import annotations

from enum import StrEnum

from ..job import JobState


class Listed(StrEnum):
    """States whose jobs can be listed."""

    WAITING = JobState.WAITING
    PRIORITIZED = JobState.PRIORITIZED
    DELAYED = JobState.DELAYED
    ACTIVE = JobState.ACTIVE
    WAITING_CHILDREN = JobState.WAITING_CHILDREN
    COMPLETED = JobState.COMPLETED
    FAILED = JobState.FAILED


class Ended(StrEnum):
    """States of jobs that have ended."""

    FAILED = JobState.FAILED
    COMPLETED = JobState.COMPLETED
