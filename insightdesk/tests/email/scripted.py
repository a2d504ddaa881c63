"""A provider that does what it is told, and notes what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from insightdesk.database import new_id
from insightdesk.email import delivery
from insightdesk.email.providers import HandingOver, OutgoingMail, Provider


@dataclass
class Scripted:
    """One answer a mail, in turn, then success.

    Attributes:
        answers: errors to raise; None for success.
        before: whether the errors come before the mail is handed over.
        sent: what was taken, or may have been.
    """

    answers: Sequence[BaseException | None] = ()
    before: bool = False
    remembers: timedelta | None = None
    rate: float | None = None
    timeout: float = 30.0
    name: str = field(default_factory=lambda: f"scripted:{new_id()}")
    sent: list[OutgoingMail] = field(default_factory=list)
    tries: int = 0

    async def send(self, mail: OutgoingMail, handing_over: HandingOver) -> str | None:
        answer = self.answers[self.tries] if self.tries < len(self.answers) else None
        self.tries += 1
        if answer is not None and self.before:
            raise answer
        await handing_over()
        if answer is not None:
            raise answer
        self.sent.append(mail)
        return f"id-{len(self.sent)}"


def use(monkeypatch: pytest.MonkeyPatch, *providers: Provider) -> None:
    """Let these be the configured providers."""
    monkeypatch.setattr(delivery, "configured_providers", lambda _: providers)
