"""Sentry, where `INSIGHTDESK_SENTRY_DSN` names a project: it is told what a letter shows, no more."""

from __future__ import annotations

import asyncio
from functools import lru_cache

import sentry_sdk
from sentry_sdk.types import Event

from insightdesk.dead_letters.models import DeadLetter
from insightdesk.settings import get_settings

__all__ = ["capture"]

_PATIENCE = 5.0  # seconds for the event to leave


async def capture(letter: DeadLetter) -> None:
    """Send one event, grouped as the letters are."""
    event: Event = {
        "level": "error",
        "logger": "insightdesk.dead_letters",
        "fingerprint": [letter.fingerprint],
        "timestamp": letter.failed_at,
        "transaction": f"{letter.queue}/{letter.name}",
        "tags": {
            "queue": letter.queue,
            "job": letter.name,
            "organization": letter.organization_id or "",
        },
        "extra": {
            "letter": letter.id,
            "job_id": letter.job_id,
            "attempts": letter.attempts,
            "stalls": letter.stalls,
        },
        "exception": {"values": [{"type": letter.error_class or "Error", "value": letter.error[:1000]}]},
    }
    await asyncio.to_thread(_send, event)


def _send(event: Event) -> None:
    client = _client(get_settings().sentry_dsn.get_secret_value())
    client.capture_event(event)
    client.flush(timeout=_PATIENCE)


@lru_cache(maxsize=4)
def _client(dsn: str) -> sentry_sdk.Client:
    # No integration: what they collect (logs, local variables, requests) could be personal.
    return sentry_sdk.Client(
        dsn=dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
        server_name="",
    )
