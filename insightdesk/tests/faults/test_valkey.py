"""Valkey is away while tickets come in: each job of the outbox follows, once (H1)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
from desks import Desk
from sqlalchemy import text

import toril
from insightdesk.accounts.models import Role
from insightdesk.database import database, transaction
from toril import outbox

TICKETS = 5
STATES = (toril.JobState.PRIORITIZED, toril.JobState.DELAYED, toril.JobState.WAITING)


async def staged_jobs(desk: Desk) -> list[tuple[str, str]]:
    """Queue and ticket of each job in the outbox that is about a ticket of the organization."""
    query = text(
        "SELECT queue, data->>'ticketId' AS ticket FROM toril_outbox WHERE data->>'ticketId' IN"
        " (SELECT id FROM tickets WHERE organization_id = :organization)"
    )
    async with transaction() as session:
        rows = await session.execute(query, {"organization": desk.organization_id})
        return sorted((row.queue, row.ticket) for row in rows)


async def test_jobs_wait_while_valkey_is_away_and_follow_once_each(
    api: httpx.AsyncClient, desk: Desk, tmp_path: Path
) -> None:
    with toril.embedded(tmp_path, appendonly="always") as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        relay = outbox.OutboxRelay(database().engine, url=url, prefix="away", interval=0.1)
        relaying = asyncio.create_task(relay.run())
    for number in range(TICKETS):
        body = {"subject": f"Help {number}", "body": "Please", "customerId": desk.customer.user_id}
        answer = await api.post("/api/tickets", json=body, headers=desk.headers(Role.ADMIN))
        assert answer.status_code == 201
    left = await staged_jobs(desk)
    tickets = {ticket for _, ticket in left}
    assert len(tickets) == TICKETS
    with toril.embedded(tmp_path, port=port, appendonly="always"):
        deadline = time.monotonic() + 30
        while await staged_jobs(desk):
            assert time.monotonic() < deadline, "the jobs have not followed"
            await asyncio.sleep(0.05)
        relay.stop()
        await relaying
        found = []
        for name in {queue for queue, _ in left}:
            async with toril.Queue(name, url=url, prefix="away") as queue:
                for state in STATES:
                    for job in await queue.get_jobs(state, 0, 999):
                        if isinstance(job.data, dict) and job.data.get("ticketId") in tickets:
                            found.append((name, str(job.data["ticketId"])))
    assert sorted(found) == left
