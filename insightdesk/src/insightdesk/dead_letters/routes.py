"""REST of dead letters, for administrators, each for his own organization."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from insightdesk.accounts.access import CurrentAdmin
from insightdesk.database import transaction
from insightdesk.dead_letters import alerts, service
from insightdesk.dead_letters.schemas import (
    AlertSettingsInput,
    AlertSettingsSaved,
    AlertSettingsView,
    FailedJob,
    FailedJobDetail,
    FailureGroup,
    Fingerprint,
    GroupResolved,
    ReplayInput,
    ReplayPlan,
    Retried,
    ReviewInput,
)
from insightdesk.dead_letters.service import Wanted
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.pagination import PageQuery

router = APIRouter(prefix="/admin", tags=["dead letters"])

Text = Annotated[str | None, Query(max_length=200)]
LetterId = Annotated[str, Path(max_length=100)]
GroupId = Annotated[Fingerprint, Path()]


@router.get("/jobs/failed")
async def failed_jobs(
    admin: CurrentAdmin,
    page: PageQuery,
    queue: Text = None,
    name: Text = None,
    fingerprint: Annotated[Fingerprint | None, Query()] = None,
    open: bool | None = None,
) -> Envelope[list[FailedJob]]:
    """Jobs that failed for good, the newest first, 50 unless told otherwise."""
    wanted = Wanted(admin.organization_id, queue, name, fingerprint, open)
    async with transaction() as session:
        found, _ = await service.list_letters(session, wanted, offset=page.offset, limit=page.page_size)
        return ok([FailedJob.model_validate(letter) for letter in found])


@router.post("/jobs/retry/{job_id}")
async def retry_job(job_id: LetterId, admin: CurrentAdmin) -> Retried:
    """Put a failed job into its own queue again, as it was; `job_id` is the `id` of the list. Once."""
    async with transaction() as session:
        letter = await service.replay(session, job_id, admin, clock.now())
        return Retried(data=FailedJob.model_validate(letter))


@router.get("/dead-letters/groups")
async def failure_groups(admin: CurrentAdmin, queue: Text = None) -> Envelope[list[FailureGroup]]:
    """The hundred kinds of failure that happened last."""
    async with transaction() as session:
        found = await service.list_groups(session, Wanted(admin.organization_id, queue))
    return ok([FailureGroup.model_validate(group) for group in found])


@router.post("/dead-letters/groups/{fingerprint}/resolve")
async def resolve_group(fingerprint: GroupId, admin: CurrentAdmin) -> Envelope[GroupResolved]:
    """Resolve all failures of a kind."""
    wanted = Wanted(admin.organization_id, fingerprint=fingerprint)
    async with transaction() as session:
        return ok(GroupResolved(resolved=await service.resolve_many(session, wanted, admin, clock.now())))


@router.post("/dead-letters/replay")
async def replay_group(body: ReplayInput, admin: CurrentAdmin) -> Envelope[ReplayPlan]:
    """Replay all failures of a kind, evenly paced; unless `dryRun` is false, only tell what it would do."""
    wanted = Wanted(admin.organization_id, fingerprint=body.fingerprint)
    async with transaction() as session:
        plan = await service.replay_many(
            session, wanted, admin, clock.now(), per_minute=body.per_minute, dry_run=body.dry_run
        )
    return ok(ReplayPlan(dry_run=body.dry_run, letters=plan.letters, left=plan.left, seconds=plan.seconds))


@router.get("/dead-letters/alerts")
async def get_alert_settings(admin: CurrentAdmin) -> Envelope[AlertSettingsView]:
    """How the organization is told of failed jobs."""
    async with transaction() as session:
        found = await alerts.find_settings(session, admin.organization_id)
        return ok(AlertSettingsView.model_validate(found))


@router.put("/dead-letters/alerts")
async def put_alert_settings(body: AlertSettingsInput, admin: CurrentAdmin) -> Envelope[AlertSettingsSaved]:
    """Change how the organization is told: by mail to its administrators, and by a signed webhook."""
    async with transaction() as session:
        saved, secret = await alerts.save_settings(
            session, admin, mail=body.mail, webhook_url=body.webhook_url
        )
        return ok(AlertSettingsSaved(mail=saved.mail, webhook_url=saved.webhook_url, webhook_secret=secret))


@router.get("/dead-letters/{letter_id}")
async def get_letter(letter_id: LetterId, admin: CurrentAdmin) -> Envelope[FailedJobDetail]:
    """One failed job with its stack trace."""
    async with transaction() as session:
        return ok(FailedJobDetail.of(await service.get(session, letter_id, admin.organization_id)))


@router.patch("/dead-letters/{letter_id}")
async def review_letter(letter_id: LetterId, body: ReviewInput, admin: CurrentAdmin) -> Envelope[FailedJob]:
    """Acknowledge, resolve, or note something."""
    async with transaction() as session:
        letter = await service.review(
            session,
            letter_id,
            admin,
            clock.now(),
            acknowledge=body.acknowledged,
            resolve=body.resolved,
            note=body.note,
        )
        return ok(FailedJob.model_validate(letter))
