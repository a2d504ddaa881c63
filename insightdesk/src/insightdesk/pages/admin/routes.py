"""The pages of administrators. They show; what they change goes through the REST API, with its CSRF token."""

from __future__ import annotations

import asyncio
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, RedirectResponse

import toril
from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin
from insightdesk.admin import audit, health
from insightdesk.admin.audit import AuditFilter
from insightdesk.admin.heartbeat import list_workers
from insightdesk.database import database, transaction
from insightdesk.dead_letters import service as dead_letters
from insightdesk.dead_letters.service import Wanted
from insightdesk.jobs import app
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound, Unavailable
from insightdesk.kit.pagination import PageRequest
from insightdesk.pages.admin import jobs
from insightdesk.pages.admin.frame import PageNumber, Text, admin_page, page_count
from insightdesk.pages.rendering import html
from insightdesk.pages.view import PageRoute
from insightdesk.queues import QUEUES
from insightdesk.schedules import SCHEDULES
from insightdesk.tenancy import everyone

__all__ = ["router"]


router = APIRouter(prefix="/ui/admin", include_in_schema=False, route_class=PageRoute)

_LETTERS = 50  # of a kind, on its page
_AUDIT = 50


@router.get("")
async def begin(admin: CurrentAdmin) -> RedirectResponse:
    """The first page."""
    return RedirectResponse("/ui/admin/overview", 303)


@router.get("/overview")
async def overview(admin: CurrentAdmin) -> HTMLResponse:
    """Counts and rates of all queues, the helpdesk's parts, and what failed."""
    return admin_page("overview.html", admin, "overview", **await _overview(admin.organization_id))


@router.get("/overview/live")
async def overview_live(admin: CurrentAdmin) -> HTMLResponse:
    """The part of the overview that changes."""
    return html("admin/_overview.html", **await _overview(admin.organization_id))


async def _overview(organization_id: str) -> dict[str, object]:
    with everyone():
        parts = await health.readiness(database())
    try:
        queues = await jobs.queue_views()
    except Unavailable:
        queues = []
    async with transaction() as session:
        groups = await dead_letters.list_groups(session, Wanted(organization_id, open=True), 5)
    return {"parts": parts, "queues": queues, "groups": groups, "now": clock.now()}


@router.get("/queues/{queue}")
async def queue_page(
    queue: str, admin: CurrentAdmin, state: Text = "failed", page: PageNumber = 1
) -> HTMLResponse:
    """A queue's jobs of one state."""
    found, views = await asyncio.gather(
        jobs.job_page(admin.organization_id, queue, state, page), jobs.queue_views()
    )
    view = next(each for each in views if each.spec.name == queue)
    return admin_page(
        "queue.html",
        admin,
        "overview",
        queue=view,
        state=state,
        states=jobs.STATES,
        found=found,
        page=page,
        pages=page_count(found.total, jobs.PAGE),
    )


@router.get("/queues/{queue}/jobs/{job_id:path}")
async def job_page(
    queue: str, job_id: Annotated[str, Path(max_length=600)], admin: CurrentAdmin
) -> HTMLResponse:
    """One job: what happened to it, its stack traces, its log, its data without what is personal."""
    job = await jobs.job_view(admin.organization_id, queue, job_id)
    return admin_page("job.html", admin, "overview", job=job)


@router.get("/schedules")
async def schedules(admin: CurrentAdmin) -> HTMLResponse:
    """What runs again and again, and when next."""
    async with transaction() as session:
        zone = await accounts.time_zone(session, admin.organization_id) or "UTC"
    try:
        async with asyncio.timeout(health.PATIENCE):
            found = await asyncio.gather(
                *(app.queue(each.queue).get_job_scheduler(each.id) for each in SCHEDULES)
            )
    except (toril.ConnectionFailed, toril.ServerRefused, TimeoutError):
        raise Unavailable("the job server (Valkey) cannot be reached; try again shortly") from None
    return admin_page(
        "schedules.html",
        admin,
        "schedules",
        zone=zone,
        tz=ZoneInfo(zone),
        rows=list(zip(SCHEDULES, found, strict=True)),
        now=clock.now(),
    )


@router.get("/dead-letters")
async def kinds(admin: CurrentAdmin, show: Text = "open") -> HTMLResponse:
    """Kinds of failure, the one that happened last first."""
    wanted = Wanted(admin.organization_id, open=True if show == "open" else None)
    async with transaction() as session:
        groups = await dead_letters.list_groups(session, wanted)
    return admin_page("dead_letters.html", admin, "dead-letters", groups=groups, show=show)


@router.get("/dead-letters/{fingerprint}")
async def kind(fingerprint: str, admin: CurrentAdmin, page: PageNumber = 1) -> HTMLResponse:
    """The failures of one kind, with their replay."""
    wanted = Wanted(admin.organization_id, fingerprint=fingerprint)
    async with transaction() as session:
        groups = await dead_letters.list_groups(session, wanted, 1) if fingerprint.isalnum() else []
        if not groups:
            raise NotFound("there is no such kind of failure")
        letters, total = await dead_letters.list_letters(
            session, wanted, offset=(page - 1) * _LETTERS, limit=_LETTERS
        )
        newest = await dead_letters.get(session, letters[0].id, admin.organization_id) if letters else None
    return admin_page(
        "dead_letter.html",
        admin,
        "dead-letters",
        group=groups[0],
        letters=letters,
        newest=newest,
        page=page,
        pages=page_count(total, _LETTERS),
    )


@router.get("/workers")
async def workers(admin: CurrentAdmin) -> HTMLResponse:
    """Processes that work, and their connections to each queue."""
    with everyone():
        async with transaction() as session:
            processes = await list_workers(session, clock.now())
    try:
        async with asyncio.timeout(health.PATIENCE):
            found = await asyncio.gather(*(app.queue(spec.name).workers() for spec in QUEUES))
    except (toril.ConnectionFailed, toril.ServerRefused, TimeoutError):
        raise Unavailable("the job server (Valkey) cannot be reached; try again shortly") from None
    return admin_page(
        "workers.html",
        admin,
        "workers",
        processes=processes,
        rows=list(zip(QUEUES, found, strict=True)),
        now=clock.now(),
    )


@router.get("/audit")
async def audit_page(
    admin: CurrentAdmin, action: Text = "", actor: Text = "", page: PageNumber = 1
) -> HTMLResponse:
    """Who changed what, and when."""
    wanted = AuditFilter(actor_id=actor or None, action=action or None)
    async with transaction() as session:
        rows, total = await audit.list_entries(
            session, admin.organization_id, wanted, PageRequest(page, _AUDIT)
        )
        staff = await accounts.list_staff(session, admin.organization_id)
    return admin_page(
        "audit.html",
        admin,
        "audit",
        rows=rows,
        staff=staff,
        action=action,
        actor=actor,
        page=page,
        pages=page_count(total, _AUDIT),
    )
