"""What every provider keeps to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["InvalidMailUrl", "OutgoingMail", "PermanentRefusal", "Provider", "TransientFailure"]


class InvalidMailUrl(ValueError):
    """The mail URL cannot be used; the message says why."""


class PermanentRefusal(Exception):
    """The mail will never be taken as it is (bad address, policy). Trying again is pointless."""


class TransientFailure(Exception):
    """The mail was certainly not taken this time, and may be taken later."""


@dataclass(frozen=True)
class OutgoingMail:
    """A mail as a provider gets it.

    Attributes:
        message_id: without angle brackets; derived from the delivery, so a resend has the same.
        thread_id: message id that the mails of one ticket refer to, without angle brackets.
    """

    message_id: str
    sender: str
    to: str
    subject: str
    html: str
    text: str
    thread_id: str | None = None


class Provider(Protocol):
    """Takes one mail or says why not."""

    @property
    def name(self) -> str:
        """What logs and delivery rules call it."""
        ...

    async def send(self, mail: OutgoingMail) -> str:
        """Hands the mail over and returns the provider's answer.

        Raises:
            PermanentRefusal: never try again.
            TransientFailure: not taken, try again later.
        """
        ...
