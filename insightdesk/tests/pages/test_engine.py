"""toril's dashboard within the administration: for whom it is, what it hides, and that acts are audited."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from browsers import browser as client_of
from browsers import log_in
from desks import Desk

import toril
from insightdesk.accounts import service as accounts
from insightdesk.admin.audit import AuditFilter, list_entries
from insightdesk.database import new_id, transaction
from insightdesk.jobs import app
from insightdesk.kit.pagination import PageRequest
from insightdesk.kit.redaction import HIDDEN
from insightdesk.pages.admin.engine import hide
from insightdesk.settings import get_settings
from toril.web import Place


@pytest.fixture
async def operator(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """The organization that operates the installation."""
    async with transaction() as session:
        slug = (await accounts.get_organization(session, desk.organization_id)).slug
    monkeypatch.setenv("INSIGHTDESK_OPERATOR_ORGANIZATION", slug)
    get_settings.cache_clear()
    yield desk
    monkeypatch.undo()
    get_settings.cache_clear()


async def failed(desk: Desk, url: str) -> toril.Job:
    """A job that has failed for good, with personal data."""
    data = {"organizationId": desk.organization_id, "reportType": "tickets", "email": "ann@example.com"}
    queue = app.queue("reports")
    job = await queue.add("export", data)

    async def break_down(running: toril.Job) -> None:
        raise toril.Fail("no room for ann@example.com")

    worker = toril.Worker(queue.name, break_down, url=url)
    running = asyncio.create_task(worker.run(handle_signals=False))
    with pytest.raises(toril.JobFailed):
        await job.wait(timeout=20)
    await worker.close()
    running.cancel()
    await asyncio.wait({running})
    return job


async def test_the_dashboard_is_for_the_installations_operators_alone(
    operator: Desk, other_desk: Desk, valkey_url: str
) -> None:
    async with client_of() as client:
        nobody = await client.get("/admin/toril/")
        assert (nobody.status_code, nobody.headers["location"]) == (303, "/ui/admin/engine")
        assert 'action="/api/login"' in (await client.get("/ui/admin/engine")).text
    for who in (operator.agent, operator.customer, other_desk.admin):
        async with client_of() as client:
            await log_in(client, who.email)
            assert (await client.get("/admin/toril/")).status_code == 403
    async with client_of() as client:
        await log_in(client, other_desk.admin.email)
        assert "INSIGHTDESK_OPERATOR_ORGANIZATION" in (await client.get("/ui/admin/engine")).text
        await log_in(client, operator.admin.email)
        assert (await client.get("/ui/admin/engine")).headers["location"] == "/admin/toril/"
        shown = await client.get("/admin/toril/")
        assert shown.status_code == 200
        assert "unsafe" not in shown.headers["content-security-policy"]


async def test_without_a_named_operator_nobody_sees_the_jobs_of_several_organizations(
    desk: Desk, other_desk: Desk, valkey_url: str
) -> None:
    for each in (desk, other_desk):
        async with client_of() as client:
            await log_in(client, each.admin.email)
            assert (await client.get("/admin/toril/")).status_code == 403


def test_payloads_are_hidden_as_their_jobs_declare() -> None:
    place = Place("email", "welcome", "data")
    shown = hide({"userId": "u1", "email": "ann@example.com", "name": "Ann"}, place)
    assert shown == {"userId": "u1", "email": HIDDEN, "name": HIDDEN}
    unknown = Place("email", f"x-{new_id()}", "data")
    assert hide({"subject": "Fire", "id": "7"}, unknown) == {"subject": HIDDEN, "id": "7"}
    assert hide("Ann", unknown) == {"payload": HIDDEN}
    error = Place("email", "welcome", "error")
    assert hide("refused ann@example.com, Bearer abc", error) == f"refused [address], Bearer {HIDDEN}"
    result = Place("email", "welcome", "result")
    assert hide({"rows": 3, "email": "ann"}, result) == {"rows": 3, "email": HIDDEN}
    assert hide([1, "ann@example.com"], result) == [1, "[address]"]


async def test_acts_are_audited_and_come_from_the_dashboards_own_pages(
    operator: Desk, valkey_url: str
) -> None:
    job = await failed(operator, valkey_url)
    async with client_of() as client:
        await log_in(client, operator.admin.email)
        page = (await client.get(f"/admin/toril/queues/reports/jobs/{job.id}")).text
        (csrf, *_) = re.findall(r'name="csrf" value="([^"]+)"', page)
        form = {"queue": "reports", "verb": "retry", "ids": json.dumps([job.id]), "back": "/admin/toril/"}
        refused = await client.post("/admin/toril/act", data={**form, "csrf": "x"})
        assert refused.status_code == 403
        assert await job.get_state() == "failed"
        done = await client.post("/admin/toril/act", data={**form, "csrf": csrf})
        assert done.status_code == 303
        assert await job.get_state() == "waiting"
    async with transaction() as session:
        rows, _ = await list_entries(
            session, operator.organization_id, AuditFilter(action="toril."), PageRequest(1, 10)
        )
    (entry,) = (row.entry for row in rows)
    assert (entry.action, entry.subject_id) == ("toril.retry", "reports")
    assert entry.actor_id == operator.admin.user_id
    assert entry.details == {"jobs": [job.id], "count": 1}
    await job.remove()
