"""Tells whether workers make progress: a file, an HTTP endpoint, and what both of them say."""

from .file import LivenessFile, silence_of
from .monitor import HealthMonitor
from .report import MAX_AGE, Health, ProcessReport, QueueReport, judge
from .server import HealthServer

__all__ = [
    "MAX_AGE",
    "Health",
    "HealthMonitor",
    "HealthServer",
    "LivenessFile",
    "ProcessReport",
    "QueueReport",
    "judge",
    "silence_of",
]
