"""Days of organizations at a moved clock: the scans come by every quarter of an hour, and what they stage
is carried out as workers would."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from desks import Desk, make_desk
from sqlalchemy import select, text, update

from insightdesk.accounts.models import Organization
from insightdesk.database import transaction
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.reports.digest.jobs import daily_digest_scan
from insightdesk.reports.weekly.jobs import weekly_report
from insightdesk.worker import app

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Sent:
    """A mail: when it was staged, to whom, and which."""

    utc: str
    recipient: str
    key: str


async def desk_in(zone: str, since: datetime) -> Desk:
    """An organization in a zone, which has been there ``since``."""
    desk = await make_desk()
    async with transaction() as session:
        await session.execute(
            update(Organization)
            .where(Organization.id == desk.organization_id)
            .values(time_zone=zone, created_at=since)
        )
    return desk


class MovedClock:
    """The helpdesk's time, moved by the test; ``sent`` has the mails of one organization."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, start: datetime, desk: Desk) -> None:
        self.now = start
        self.sent: list[Sent] = []
        self._desk = desk
        self._seen: set[str] = set()
        monkeypatch.setattr(clock, "now", lambda: self.now)

    async def until(self, end: datetime) -> None:
        """Let the scans come by each quarter, up to ``end``."""
        while self.now <= end:
            await daily_digest_scan()
            await weekly_report()
            while jobs := await self._take():
                for name, data in jobs:
                    [definition] = [known for known in app.definitions if known.name == name]
                    arguments = definition.payload.decode(data)
                    # Twice, as after a crash between its commit and its settling.
                    for _ in range(2):
                        await cast("Awaitable[object]", definition.handler(**arguments))
            await self._note_mails()
            self.now += QUARTER

    async def _take(self) -> Sequence[tuple[str, dict[str, Any]]]:
        async with transaction() as session:
            rows = await session.execute(
                text(
                    "DELETE FROM toril_outbox WHERE queue = 'reports' "
                    "AND data->>'organizationId' = :organization RETURNING name, data"
                ),
                {"organization": self._desk.organization_id},
            )
            return [(row.name, row.data) for row in rows]

    async def _note_mails(self) -> None:
        async with transaction() as session:
            mails = await session.scalars(
                select(Delivery)
                .where(
                    Delivery.organization_id == self._desk.organization_id,
                    Delivery.template.in_(["daily_digest", "weekly_report"]),
                    Delivery.id.not_in(self._seen),
                )
                .order_by(Delivery.id)
            )
        for mail in mails:
            self._seen.add(mail.id)
            self.sent.append(Sent(f"{self.now:%Y-%m-%d %H:%M}", mail.recipient, mail.idempotency_key))
