"""The provider of development: the delivery row is the outbox, and is read in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from insightdesk.email.providers.base import HandingOver, OutgoingMail

__all__ = ["LocalProvider"]


@dataclass(frozen=True)
class LocalProvider:
    """Takes everything; what it took is the stored delivery itself, so its fate is never unknown."""

    name: str = "local"
    rate: float | None = None
    timeout: float = 1.0
    remembers: timedelta | None = None

    async def send(self, mail: OutgoingMail, handing_over: HandingOver) -> str | None:
        """Nothing has to leave the house."""
        return None
