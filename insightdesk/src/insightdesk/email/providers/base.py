"""What every provider keeps to.

A try ends in one of these ways:

    returned             taken; the provider's own id of the mail, if it has one
    PermanentRefusal     this mail will never be taken
    TransientFailure     this mail was certainly not taken, and may be later
    └── ProviderDown     nor would another mail be: the provider itself is in trouble
    ProviderBusy         certainly not taken: we are too fast for the provider
    FateUnknown          it may have been taken: the answer was lost
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

__all__ = [
    "FateUnknown",
    "HandingOver",
    "InvalidMailUrl",
    "OutgoingMail",
    "PermanentRefusal",
    "Provider",
    "ProviderBusy",
    "ProviderDown",
    "TransientFailure",
]

HandingOver = Callable[[], Awaitable[None]]
"""Called right before the step from which on a lost answer leaves the mail's fate unknown."""


class InvalidMailUrl(ValueError):
    """The mail URL cannot be used; the message says why."""


class PermanentRefusal(Exception):
    """The mail will never be taken as it is (bad address, policy). Trying again is pointless.

    Attributes:
        bad_address: the address itself was refused, so no other mail will reach it either.
    """

    def __init__(self, reason: str, *, bad_address: bool = False) -> None:
        super().__init__(reason)
        self.bad_address = bad_address


class TransientFailure(Exception):
    """The mail was certainly not taken this time, and may be taken later."""


class ProviderDown(TransientFailure):
    """The provider takes nothing now: unreachable, in error, or it refuses us. Another one may be tried."""


class ProviderBusy(Exception):
    """The provider asks us to wait.

    Attributes:
        retry_in: seconds.
    """

    def __init__(self, retry_in: float, reason: str) -> None:
        super().__init__(reason)
        self.retry_in = retry_in


class FateUnknown(Exception):
    """The mail was handed over and the answer was lost: nobody here knows whether it was taken."""


@dataclass(frozen=True)
class OutgoingMail:
    """A mail as a provider gets it.

    Attributes:
        message_id: without angle brackets; derived from the delivery, so a resend has the same.
        key: the delivery's idempotency key for providers that know one.
        thread_id: message id that the mails of one ticket refer to, without angle brackets.
        unsubscribe_url: where one click stops mails of this kind; None where a person may not opt out.
    """

    message_id: str
    sender: str
    to: str
    subject: str
    html: str
    text: str
    key: str
    thread_id: str | None = None
    unsubscribe_url: str | None = None


class Provider(Protocol):
    """Takes one mail or says why not."""

    @property
    def name(self) -> str:
        """What logs, deliveries and the shared circuit call it; without secrets."""
        ...

    @property
    def rate(self) -> float | None:
        """Mails a second that it takes; None for no limit."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that a hand-over may take; afterwards no answer comes any more."""
        ...

    @property
    def remembers(self) -> timedelta | None:
        """How long it knows a mail by its key, so that asking again sends nothing twice; None for never."""
        ...

    async def send(self, mail: OutgoingMail, handing_over: HandingOver) -> str | None:
        """Hands the mail over and returns the provider's id of it.

        Raises:
            PermanentRefusal: never try again.
            TransientFailure: not taken, try again later.
            ProviderBusy: not taken, try again when told.
            FateUnknown: perhaps taken.
        """
        ...
