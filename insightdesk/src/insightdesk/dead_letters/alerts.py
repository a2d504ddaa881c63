"""Telling people of failures: by mail and webhook to the organization, by webhook and Sentry to the operator.

Raised in the transaction that records the letters, so none is lost and none is raised twice. An alert that
cannot be delivered becomes a letter, and no alert.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.service import Principal
from insightdesk.database import new_id
from insightdesk.dead_letters.models import Alert, AlertSettings, DeadLetter
from insightdesk.dead_letters.throttle import WINDOW, Told, to_be_told
from insightdesk.email import service as email
from insightdesk.kit.errors import Invalid
from insightdesk.kit.outbound import TargetRefused, check_target
from insightdesk.kit.webhooks import new_secret
from insightdesk.settings import get_settings

__all__ = ["ALERT_JOB", "MAIL_TEMPLATE", "find_settings", "raise_alerts", "save_settings"]

ALERT_JOB = ("notifications", "dead-letter-alert")
"""Queue and name of the job that posts an alert."""

MAIL_TEMPLATE = "dead_letter_alert"

_NOBODY = ""  # whose alert it is, where the letter is no organization's


async def raise_alerts(session: AsyncSession, letters: Sequence[DeadLetter], now: datetime) -> list[Alert]:
    """Tell of new letters, as the throttle allows; returns the alerts raised."""
    own = await _about_alerts(session, letters)
    by_owner: dict[str, dict[str, DeadLetter]] = defaultdict(dict)
    for letter in letters:
        if letter.id not in own:
            by_owner[letter.organization_id or _NOBODY].setdefault(letter.fingerprint, letter)
    if not by_owner:
        return []
    told = await _told(session, list(by_owner), now)
    chosen = [
        by_owner[owner][kind]
        for owner, kinds in by_owner.items()
        for kind in to_be_told(kinds, told.get(owner, Told()), now)
    ]
    alerts = await _store(session, chosen, now)
    await _deliver(session, alerts, {letter.id: letter for letter in chosen})
    return alerts


async def find_settings(session: AsyncSession, organization_id: str) -> AlertSettings:
    """How an organization is told; mails to its administrators unless it chose otherwise."""
    found = await session.get(AlertSettings, organization_id)
    return found or AlertSettings(
        organization_id=organization_id, mail=True, webhook_url=None, webhook_secret=None
    )


async def save_settings(
    session: AsyncSession, actor: Principal, *, mail: bool, webhook_url: str | None
) -> tuple[AlertSettings, str | None]:
    """Change how the actor's organization is told; returns the settings, and the secret if it is a new one.

    Raises:
        Invalid: the address is none that we post to.
    """
    if webhook_url is not None:
        try:
            check_target(webhook_url, get_settings().allowed_hosts)
        except TargetRefused as refused:
            raise Invalid(f"webhookUrl: {refused}") from None
    wish = await find_settings(session, actor.organization_id)
    secret = new_secret() if webhook_url is not None and webhook_url != wish.webhook_url else None
    wish.mail = mail
    wish.webhook_secret = secret or (wish.webhook_secret if webhook_url is not None else None)
    wish.webhook_url = webhook_url
    saved = await session.merge(wish)
    accounts.audit(
        session,
        actor,
        "dead_letter.alerts_changed",
        "organization",
        actor.organization_id,
        mail=mail,
        webhook=webhook_url is not None,
    )
    return saved, secret


async def _about_alerts(session: AsyncSession, letters: Sequence[DeadLetter]) -> set[str]:
    """The letters whose job was to tell of letters."""
    deliveries = {
        letter.id: str(letter.data["deliveryId"])
        for letter in letters
        if letter.queue == "email" and "deliveryId" in letter.data
    }
    templates = await email.templates_of_deliveries(session, deliveries.values())
    return {
        letter.id
        for letter in letters
        if (letter.queue, letter.name) == ALERT_JOB
        or templates.get(deliveries.get(letter.id, "")) == MAIL_TEMPLATE
    }


async def _told(session: AsyncSession, owners: Sequence[str], now: datetime) -> dict[str, Told]:
    rows = await session.execute(
        select(Alert.owner, Alert.fingerprint, func.max(Alert.raised_at), func.count())
        .where(Alert.owner.in_(owners), Alert.raised_at > now - WINDOW)
        .group_by(Alert.owner, Alert.fingerprint)
    )
    last: dict[str, dict[str, datetime]] = defaultdict(dict)
    counts: dict[str, int] = defaultdict(int)
    for owner, kind, raised_at, count in rows:
        last[owner][kind] = raised_at
        counts[owner] += count
    return {owner: Told(kinds, counts[owner]) for owner, kinds in last.items()}


async def _store(session: AsyncSession, letters: Sequence[DeadLetter], now: datetime) -> list[Alert]:
    """Keep the alerts; of two recorders that raise the same one in the same hour, one does."""
    if not letters:
        return []
    hour = int(now.timestamp() // WINDOW.total_seconds())
    rows = [
        {
            "id": new_id(),
            "owner": letter.organization_id or _NOBODY,
            "organization_id": letter.organization_id,
            "fingerprint": letter.fingerprint,
            "letter_id": letter.id,
            "hour": hour,
            "raised_at": now,
        }
        for letter in letters
    ]
    statement = insert(Alert).on_conflict_do_nothing(index_elements=["owner", "fingerprint", "hour"])
    return list((await session.scalars(statement.returning(Alert), rows)).all())


async def _deliver(session: AsyncSession, alerts: Sequence[Alert], letters: dict[str, DeadLetter]) -> None:
    from insightdesk.dead_letters.jobs import Channel, post_alert  # its handler needs this module

    settings = get_settings()
    owners = {alert.organization_id for alert in alerts if alert.organization_id is not None}
    admins = await accounts.administrators(session, owners)
    chosen = await session.scalars(select(AlertSettings).where(AlertSettings.organization_id.in_(owners)))
    wishes = {each.organization_id: each for each in chosen}
    jobs = []
    for alert in alerts:
        channels = []
        wish = wishes.get(alert.organization_id or _NOBODY)
        if alert.organization_id is not None and (wish is None or wish.mail):
            await _mail(session, alert, letters[alert.letter_id], admins.get(alert.organization_id, []))
        if wish is not None and wish.webhook_url is not None:
            channels.append(Channel.ORGANIZATION)
        if settings.alert_webhook_url:
            channels.append(Channel.OPERATOR)
        if settings.sentry_dsn.get_secret_value():
            channels.append(Channel.SENTRY)
        jobs += [
            post_alert.options(job_id=f"alert-{alert.id}-{channel}").new_job(
                alert_id=alert.id, channel=channel
            )
            for channel in channels
        ]
    if jobs:
        await outbox.enqueue(session, post_alert.queue, *jobs)


async def _mail(
    session: AsyncSession, alert: Alert, letter: DeadLetter, people: Sequence[accounts.Addressee]
) -> None:
    url = f"{get_settings().base_url}/ui/admin/dead-letters/{letter.fingerprint}"
    for person in people:
        await email.queue_mail(
            session,
            organization_id=person.organization_id,
            recipient=person.email,
            template=MAIL_TEMPLATE,
            data={
                "recipient": {"name": person.name},
                "job": {"queue": letter.queue, "name": letter.name, "attempts": letter.attempts},
                "error": letter.error[:500],
                "failed_at": f"{letter.failed_at:%Y-%m-%d %H:%M} UTC",
                "url": url,
            },
            key=f"dead-letter-alert:{alert.id}:{person.user_id}",
            user_id=person.user_id,
        )
