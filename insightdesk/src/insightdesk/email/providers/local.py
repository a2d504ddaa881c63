"""The provider of development: the delivery row is the outbox, and is read in the browser."""

from __future__ import annotations

from insightdesk.email.providers.base import OutgoingMail

__all__ = ["LocalProvider"]


class LocalProvider:
    """Takes everything; what it took is the stored delivery itself."""

    name = "local"

    async def send(self, mail: OutgoingMail) -> str:
        """Nothing has to leave the house."""
        return f"kept for {mail.to}"
