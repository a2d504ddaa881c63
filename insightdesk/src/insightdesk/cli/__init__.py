"""The `insightdesk` command."""

from __future__ import annotations

from insightdesk.cli.main import main

__all__ = ["main"]
