"""Tells whether workers make progress: a file, an HTTP endpoint, and what both of them say."""

from .exposition import merged
from .file import silence_of
from .monitor import HealthMonitor
from .probes import TICK, Probes
from .report import MAX_AGE, Health, ProcessReport, QueueReport, judge

__all__ = [
    "MAX_AGE",
    "TICK",
    "Health",
    "HealthMonitor",
    "Probes",
    "ProcessReport",
    "QueueReport",
    "judge",
    "merged",
    "silence_of",
]
