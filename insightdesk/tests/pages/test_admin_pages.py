"""The administrators' pages: what they show, to whom, and what a browser does with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from chromium import WIDTHS, window
from desks import Desk
from playwright.async_api import Browser, expect
from queries import counted

import toril
from insightdesk.accounts.models import Role
from insightdesk.database import database, new_id, transaction
from insightdesk.dead_letters import service
from insightdesk.dead_letters.capture import Failure
from insightdesk.dead_letters.recorder import QueueRecorder
from insightdesk.kit import clock
from insightdesk.pages.admin.jobs import QueueView
from insightdesk.queues import QUEUES
from insightdesk.worker import app

HOSTILE = "<script>alert(1)</script>{{ 7*7 }}"
PAGES = (
    "overview", "overview/live", "queues/reports", "queues/reports?state=waiting", "schedules",
    "dead-letters", "dead-letters?show=all", "workers", "audit", "audit?action=user",
)  # fmt: skip


@pytest.fixture
async def reports(db: None, valkey_url: str) -> AsyncIterator[toril.Queue]:
    """The queue of reports, put on the server as workers do."""
    await app.apply_schedules()
    async with toril.Queue("reports", valkey_url) as queue:
        yield queue


async def failed(queue: toril.Queue, url: str, desk: Desk, name: str) -> toril.Job:
    """A job of the organization that has failed for good, with a log line, and its dead letter."""
    data = {"organizationId": desk.organization_id, "reportType": HOSTILE, "email": "ann@example.com"}
    job = await queue.add(name, data, attempts=2, backoff=0.01, priority=1)

    async def break_down(running: toril.Job) -> None:
        if running.id == job.id:
            await running.log(f"asked ann@example.com {HOSTILE}")
        raise ValueError(f"no room for ann@example.com {HOSTILE}")

    worker = toril.Worker(queue.name, break_down, url=url)
    running = asyncio.create_task(worker.run(handle_signals=False))
    with pytest.raises(toril.JobFailed):
        await job.wait(timeout=20)
    await worker.close()
    await running
    await QueueRecorder(database(), queue.name, url).reconcile(queue, whole=True)
    return job


@pytest.mark.parametrize("page", PAGES)
async def test_pages_are_for_administrators_with_a_strict_policy(
    api: httpx.AsyncClient, desk: Desk, reports: toril.Queue, page: str
) -> None:
    answer = await api.get(f"/ui/admin/{page}", headers=desk.headers(Role.ADMIN))
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "style=" not in answer.text
    assert "onclick" not in answer.text
    nobody = await api.get(f"/ui/admin/{page}", headers={"Sec-Fetch-Mode": "navigate"})
    assert (
        'action="/api/login"' in nobody.text
    )  # in the page's place, so that one comes to it after the login
    assert (await api.get(f"/ui/admin/{page}", headers={"Sec-Fetch-Mode": "cors"})).status_code == 401
    for role in (Role.AGENT, Role.CUSTOMER):
        refused = await api.get(f"/ui/admin/{page}", headers=desk.headers(role))
        assert refused.status_code == 403
        assert "this needs the role admin" in refused.text


async def test_what_cannot_be_meant_is_told_on_a_page(api: httpx.AsyncClient, desk: Desk) -> None:
    for path in ("people?page=0", "people?role=king", "archive?number=x", "queues/reports?page=x"):
        answer = await api.get(f"/ui/admin/{path}", headers=desk.headers(Role.ADMIN))
        assert answer.status_code == 422, path
        assert answer.headers["content-type"].startswith("text/html")
        assert 'class="problem"' in answer.text


async def test_a_job_is_shown_to_its_organization_alone_and_without_what_is_personal(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, reports: toril.Queue, valkey_url: str
) -> None:
    name = f"export-{new_id()}"
    job = await failed(reports, valkey_url, desk, name)
    admin, foreign = desk.headers(Role.ADMIN), other_desk.headers(Role.ADMIN)
    listed = await api.get("/ui/admin/queues/reports?state=failed", headers=admin)
    assert name in listed.text
    shown = await api.get(f"/ui/admin/queues/reports/jobs/{job.id}", headers=admin)
    assert shown.status_code == 200
    for text in ("run 1 failed", "run 2 failed", "Traceback", "no room for", "asked [redacted]", "2 of 2"):
        assert text in shown.text, text
    for text in ("ann@example.com", "<script>alert"):
        assert text not in shown.text
        assert text not in listed.text
    assert "&lt;script&gt;" in shown.text
    assert "{{ 7*7 }}" in shown.text
    assert name not in (await api.get("/ui/admin/queues/reports?state=failed", headers=foreign)).text
    for path in (
        f"queues/reports/jobs/{job.id}",
        "queues/reports/jobs/none",
        "queues/none",
        "queues/reports?state=x",
    ):
        answer = await api.get(f"/ui/admin/{path}", headers=foreign)
        assert answer.status_code == 404
        assert "there is no such" in answer.text


async def test_failures_are_grouped_and_their_page_belongs_to_the_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, reports: toril.Queue, valkey_url: str
) -> None:
    name = f"export-{new_id()}"
    await failed(reports, valkey_url, desk, name)
    admin = desk.headers(Role.ADMIN)
    (group,) = (await api.get("/admin/dead-letters/groups", headers=admin)).json()["data"]
    kinds = await api.get("/ui/admin/dead-letters", headers=admin)
    assert f"/ui/admin/dead-letters/{group['fingerprint']}" in kinds.text
    page = await api.get(f"/ui/admin/dead-letters/{group['fingerprint']}", headers=admin)
    assert "Dry run" in page.text
    assert "Traceback" in page.text
    assert "ann@example.com" not in page.text
    assert "<script>alert" not in page.text
    foreign = await api.get(
        f"/ui/admin/dead-letters/{group['fingerprint']}", headers=other_desk.headers(Role.ADMIN)
    )
    assert foreign.status_code == 404


async def test_the_number_of_statements_does_not_grow_with_the_jobs(
    api: httpx.AsyncClient, desk: Desk, reports: toril.Queue
) -> None:
    data = {"organizationId": desk.organization_id, "requestedBy": desk.admin.user_id}
    path, admin = "/ui/admin/queues/reports?state=delayed", desk.headers(Role.ADMIN)
    await api.get(path, headers=admin)  # a token's first use is noted
    sent = []
    for _ in range(2):
        jobs = await reports.add_many([toril.NewJob("later", data, delay=3600.0) for _ in range(20)])
        async with counted() as statements:
            assert "later" in (await api.get(path, headers=admin)).text
        sent.append(len(statements))
    assert sent[0] == sent[1]
    for job in await reports.get_jobs(toril.JobState.DELAYED, 0, 99):
        if job.name == "later":
            await job.remove()
    assert jobs


def test_rates_and_bars_of_a_queue() -> None:
    view = QueueView(QUEUES[0], {}, [4, 0, 8, 2, 1, 9], [])
    assert view.rate == 3.0
    assert view.bars == [(59, 4 / 9), (57, 8 / 9), (56, 2 / 9), (55, 1 / 9), (54, 1.0)]
    assert QueueView(QUEUES[0], {}, [], []).rate == 0.0


@pytest.mark.browser
async def test_a_browser_replays_a_kind_after_a_dry_run(browser: Browser, address: str, desk: Desk) -> None:
    failures = [
        Failure(
            "reports", f"j-{new_id()}", "export", clock.now(), f"no room {HOSTILE}",
            data={"organizationId": desk.organization_id}, readable=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    async with transaction() as session:
        letters = await service.record(session, failures, clock.now())
    posted: list[str] = []
    async with window(browser, address, width=WIDTHS["phone"]) as opened:
        page = opened.page
        page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
        await opened.open("/")
        await opened.sign_in(desk.admin)
        await page.click("text=Admin")
        await page.click("text=Failures")
        await page.click("a.row")
        async with page.expect_navigation():
            await page.click("button:text-is('Retry') >> nth=0")
        await expect(page.locator(".tag:text-is('replayed')")).to_be_visible()
        assert len([url for url in posted if "/admin/jobs/retry/" in url]) == 1
        await page.click("text=Dry run")
        await page.wait_for_selector("output:has-text('Would replay 3 jobs within 2 s.')")
        await page.click("button:text-is('Seen') >> nth=0")
        await page.wait_for_selector(".tag:text-is('seen')")
        await page.click("button:text-is('Note') >> nth=0")
        await page.fill("dialog textarea", "Ask the storage's people")
        await page.click("dialog [value=save]")
        await expect(page.locator("text=Ask the storage's people")).to_be_visible()
        await page.click("button:text-is('Replay')")
        await page.wait_for_selector("output:has-text('Replays 3 jobs within 2 s.')")
    async with transaction() as session:
        for letter in letters:
            found = await service.get(session, letter.id, desk.organization_id)
            assert found.retried_by == desk.admin.user_id
