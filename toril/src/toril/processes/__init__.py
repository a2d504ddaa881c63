"""Several worker processes under one supervisor, which imports nothing of the application."""

from .exits import Exit
from .lifeline import Lifeline
from .limits import Limits
from .reload import SourceWatch
from .supervisor import Supervisor

__all__ = ["Exit", "Lifeline", "Limits", "SourceWatch", "Supervisor"]
