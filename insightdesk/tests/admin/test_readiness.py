"""Whether every part is there: anybody is told whether, administrators which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from desks import Desk
from sqlalchemy import text

from insightdesk.accounts.models import Role
from insightdesk.admin import health
from insightdesk.admin.heartbeat import beat
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.worker import app


@pytest.fixture
async def all_there(db: None, valkey_url: str) -> None:
    """A worker's sign of life, the schedules, and an outbox in which nothing is late."""
    async with transaction() as session:
        await beat(session, "a worker", clock.now())
        await session.execute(text("DELETE FROM toril_outbox"))
    await app.apply_schedules()


async def test_anybody_is_told_whether_and_nothing_else(api: httpx.AsyncClient, all_there: None) -> None:
    answer = await api.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"success": True, "data": {"status": "ready"}})


@pytest.mark.parametrize("role", [Role.AGENT, Role.CUSTOMER])
async def test_details_are_for_administrators(
    api: httpx.AsyncClient, all_there: None, desk: Desk, role: Role
) -> None:
    assert (await api.get("/ready", headers=desk.headers(role))).json()["data"] == {"status": "ready"}
    parts = (await api.get("/ready", headers=desk.headers(Role.ADMIN))).json()["data"]["parts"]
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(
        ("database", "migrations", "workers", "outbox", "valkey", "schedules"), "ok"
    )
    assert parts["workers"]["alive"] >= 1
    assert "sla-scan" in parts["schedules"]


async def test_what_is_missing_is_named_to_administrators(
    api: httpx.AsyncClient, all_there: None, desk: Desk
) -> None:
    await app.queue("sla-check").remove_job_scheduler("sla-scan")
    async with transaction() as session:
        await session.execute(text("DELETE FROM worker_heartbeats"))
        await session.execute(
            text("INSERT INTO toril_outbox (id, queue, name, data, options, created_at)"
                 " VALUES ('0', 'email', 'x', '{}', '{}', now() - interval '5 minutes')")
        )  # fmt: skip
    try:
        open_answer = await api.get("/ready")
        assert (open_answer.status_code, open_answer.json()["error"]) == (503, "not ready")
        told = (await api.get("/ready", headers=desk.headers(Role.ADMIN))).json()["error"]
        assert "workers not seen" in told
        assert "sla-scan is missing" in told
        assert "outbox behind by 3" in told
    finally:
        async with transaction() as session:
            await session.execute(text("DELETE FROM toril_outbox WHERE id = '0'"))


async def test_a_schedule_that_waits_for_no_worker_is_late(
    api: httpx.AsyncClient, all_there: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    parts = await health._valkey_parts(later)
    assert "sla-scan was due at" in parts["schedules"].state


async def test_the_audit_log_is_filtered_and_stays_within_the_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    admin = desk.headers(Role.ADMIN)
    for number in range(3):
        body = {"email": f"new{number}@{desk.organization_id}.example", "name": "New"}
        assert (await api.post("/api/users", json=body, headers=admin)).status_code == 201
    await api.put("/admin/dead-letters/alerts", json={"mail": False}, headers=admin)

    async def found(**query: object) -> list[dict[str, object]]:
        answer = await api.get("/admin/audit", params=query, headers=admin)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"]["items"])

    everything = await found()
    assert [entry["action"] for entry in everything][:2] == ["dead_letter.alerts_changed", "user.created"]
    assert everything[0]["actorName"] == desk.admin.name
    assert len(await found(action="user.")) == 3
    assert len(await found(action="user.", page=2, pageSize=2)) == 1
    assert await found(actor=desk.agent.user_id) == []
    assert len(await found(subject=everything[1]["subjectId"])) == 1
    assert await found(until=(clock.now() - timedelta(hours=1)).isoformat()) == []
    assert len(await found(since=(clock.now() - timedelta(hours=1)).isoformat())) == len(everything)
    assert (await api.get("/admin/audit?since=yesterday", headers=admin)).status_code == 422
    foreign = await api.get("/admin/audit", headers=other_desk.headers(Role.ADMIN))
    assert foreign.json()["data"]["items"] == []
    assert (await api.get("/admin/audit", headers=desk.headers(Role.AGENT))).status_code == 403
