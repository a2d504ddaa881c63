"""The job that posts one alert to one place."""

from __future__ import annotations

import json
from enum import StrEnum

import httpx

import toril
from insightdesk.database import transaction
from insightdesk.dead_letters import alerts, sentry
from insightdesk.dead_letters.models import Alert, DeadLetter
from insightdesk.jobs import MEDIUM, app
from insightdesk.kit import clock
from insightdesk.kit.outbound import TargetRefused, post
from insightdesk.kit.webhooks import signed_headers
from insightdesk.settings import get_settings

__all__ = ["Channel", "post_alert"]


class Channel(StrEnum):
    """Where an alert goes, beside the mails."""

    ORGANIZATION = "organization"
    """The webhook that the organization has set."""
    OPERATOR = "operator"
    """The webhook of the installation."""
    SENTRY = "sentry"


@app.job(
    alerts.ALERT_JOB[0],
    name=alerts.ALERT_JOB[1],
    **MEDIUM.options,
    timeout=30.0,
    keep_completed=toril.Keep(count=1000, age=3600.0),
    keep_failed=toril.Keep(count=1000, age=86_400.0),
)
async def post_alert(alert_id: str, channel: Channel) -> None:
    """Posts an alert, signed; an answer other than 2xx is a failure, for good if trying again cannot help."""
    async with transaction() as session:
        alert = await session.get(Alert, alert_id)
        letter = None if alert is None else await session.get(DeadLetter, alert.letter_id)
        if alert is None or letter is None:
            return  # they were purged meanwhile
        settings = get_settings()
        url, secret = settings.alert_webhook_url, settings.alert_webhook_secret.get_secret_value()
        if channel is Channel.ORGANIZATION and letter.organization_id is not None:
            wish = await alerts.find_settings(session, letter.organization_id)
            url, secret = wish.webhook_url or "", wish.webhook_secret or ""
    if channel is Channel.SENTRY:
        await sentry.capture(letter)
    elif url:
        await _post(url, secret, alert, letter)


async def _post(url: str, secret: str, alert: Alert, letter: DeadLetter) -> None:
    body = json.dumps(_facts(alert, letter)).encode()
    settings = get_settings()
    headers = signed_headers(secret, alert.id, int(clock.now().timestamp()), body)
    try:
        status = await post(url, body, headers, allowed=settings.allowed_hosts)
    except TargetRefused as refused:
        raise toril.Fail(f"the webhook's address is refused: {refused}") from None
    except (httpx.HTTPError, TimeoutError) as error:
        raise ConnectionError(f"the webhook cannot be reached: {type(error).__name__}") from error
    if status in (408, 425, 429) or status >= 500:
        raise ConnectionError(f"the webhook answered {status}")
    if not 200 <= status < 300:
        raise toril.Fail(f"the webhook answered {status}")


def _facts(alert: Alert, letter: DeadLetter) -> dict[str, object]:
    return {
        "type": "job.failed",
        "timestamp": letter.failed_at.isoformat(),
        "data": {
            "alertId": alert.id,
            "deadLetterId": letter.id,
            "organizationId": letter.organization_id,
            "queue": letter.queue,
            "name": letter.name,
            "jobId": letter.job_id,
            "errorClass": letter.error_class,
            "error": letter.error[:1000],
            "attempts": letter.attempts,
            "fingerprint": letter.fingerprint,
        },
    }
