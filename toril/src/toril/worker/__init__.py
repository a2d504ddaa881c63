"""Runs jobs: fetches, runs, settles, and keeps the locks of what runs."""

from .worker import Worker

__all__ = ["Worker"]
