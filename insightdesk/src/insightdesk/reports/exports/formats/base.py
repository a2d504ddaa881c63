"""The form that every writer has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from insightdesk.reports.exports.table import Row


class Writer(Protocol):
    """Writes one file; blocks, so it is called in a thread."""

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""

    def close(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of what is open; the file is of no use."""
