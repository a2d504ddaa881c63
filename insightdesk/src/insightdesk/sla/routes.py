"""REST of promises: administrators edit, staff read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.database import new_id, transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.errors import Invalid
from insightdesk.kit.schema import Input
from insightdesk.sla import calendars, escalation, policies, service
from insightdesk.sla.calendars import Calendar
from insightdesk.sla.escalation import Step
from insightdesk.sla.policies import Policy, Target
from insightdesk.sla.schemas import (
    AttainmentView,
    BreachView,
    CalendarInput,
    CalendarView,
    EscalationInput,
    OpeningInput,
    PolicyInput,
    PolicyView,
    StepView,
)

router = APIRouter(prefix="/api/sla", tags=["sla"])

_LONGEST = timedelta(days=366 * 2)


@router.get("/policies")
async def list_policies(principal: CurrentPrincipal) -> Envelope[list[PolicyView]]:
    """What the organization promises; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await policies.list_policies(session, principal.organization_id)
    return ok([PolicyView.model_validate(policy) for policy in found])


@router.post("/policies", status_code=201)
async def create_policy(body: PolicyInput, admin: CurrentAdmin) -> Envelope[PolicyView]:
    """Promise something to a team's tickets, or to all others."""
    policy = _policy(new_id(), body)
    async with transaction() as session:
        await policies.create_policy(session, admin.organization_id, policy)
        accounts.audit(session, admin, "sla.policy.created", "policy", policy.id, **_details(body))
    return ok(PolicyView.model_validate(policy))


@router.put("/policies/{policy_id}")
async def change_policy(policy_id: str, body: PolicyInput, admin: CurrentAdmin) -> Envelope[PolicyView]:
    """Promise something else."""
    policy = _policy(policy_id, body)
    async with transaction() as session:
        await policies.change_policy(session, admin.organization_id, policy)
        accounts.audit(session, admin, "sla.policy.changed", "policy", policy_id, **_details(body))
    return ok(PolicyView.model_validate(policy))


@router.delete("/policies/{policy_id}")
async def delete_policy(policy_id: str, admin: CurrentAdmin) -> Envelope[None]:
    """Promise nothing of one's own any more."""
    async with transaction() as session:
        await policies.delete_policy(session, admin.organization_id, policy_id)
        accounts.audit(session, admin, "sla.policy.deleted", "policy", policy_id)
    return ok(None)


@router.get("/calendars")
async def list_calendars(principal: CurrentPrincipal) -> Envelope[list[CalendarView]]:
    """When the organization works; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await calendars.list_calendars(session, principal.organization_id)
    return ok([_calendar_view(calendar_id, calendar) for calendar_id, calendar in found.items()])


@router.post("/calendars", status_code=201)
async def create_calendar(body: CalendarInput, admin: CurrentAdmin) -> Envelope[CalendarView]:
    """A new calendar, for policies to count by."""
    calendar = _calendar(body)
    async with transaction() as session:
        calendar_id = await calendars.create_calendar(session, admin.organization_id, calendar)
        accounts.audit(session, admin, "sla.calendar.created", "calendar", calendar_id, **_details(body))
    return ok(_calendar_view(calendar_id, calendar))


@router.put("/calendars/{calendar_id}")
async def change_calendar(
    calendar_id: str, body: CalendarInput, admin: CurrentAdmin
) -> Envelope[CalendarView]:
    """Work at other hours; running clocks follow."""
    calendar = _calendar(body)
    async with transaction() as session:
        await calendars.change_calendar(session, admin.organization_id, calendar_id, calendar)
        accounts.audit(session, admin, "sla.calendar.changed", "calendar", calendar_id, **_details(body))
    return ok(_calendar_view(calendar_id, calendar))


@router.delete("/calendars/{calendar_id}")
async def delete_calendar(calendar_id: str, admin: CurrentAdmin) -> Envelope[None]:
    """Forget a calendar that no policy counts by."""
    async with transaction() as session:
        await calendars.delete_calendar(session, admin.organization_id, calendar_id)
        accounts.audit(session, admin, "sla.calendar.deleted", "calendar", calendar_id)
    return ok(None)


@router.get("/escalation")
async def get_escalation(principal: CurrentPrincipal) -> Envelope[list[StepView]]:
    """What follows a breach that nobody mends; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await escalation.list_steps(session, principal.organization_id)
    return ok([StepView.model_validate(step) for step in found])


@router.put("/escalation")
async def set_escalation(body: EscalationInput, admin: CurrentAdmin) -> Envelope[list[StepView]]:
    """Escalate in this way; the steps replace those of before."""
    steps = [Step(**step.model_dump()) for step in body.steps]
    async with transaction() as session:
        await escalation.set_steps(session, admin.organization_id, steps)
        accounts.audit(
            session, admin, "sla.escalation.set", "organization", admin.organization_id, **_details(body)
        )
    return ok([StepView.model_validate(step) for step in steps])


@router.get("/breaches")
async def list_breaches(
    principal: CurrentPrincipal, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Envelope[list[BreachView]]:
    """The latest breaches; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await service.list_breaches(session, principal.organization_id, limit)
        return ok([BreachView.model_validate(breach) for breach in found])


@router.get("/attainment")
async def attainment(
    principal: CurrentPrincipal, start: datetime | None = None, end: datetime | None = None
) -> Envelope[list[AttainmentView]]:
    """How well promises were kept, by policy, team, week and metric; the last 12 weeks; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    until = end or clock.now()
    since = start or until - timedelta(weeks=12)
    if since.tzinfo is None or until.tzinfo is None:
        raise Invalid("start, end: give the offset too, as in 2026-11-01T00:00:00Z")
    if not timedelta(0) < until - since <= _LONGEST:
        raise Invalid("start, end: end must be after start, by two years at most")
    async with transaction() as session:
        found = await service.attainment(session, principal.organization_id, since, until)
    return ok([AttainmentView.model_validate(row) for row in found])


def _policy(policy_id: str, body: PolicyInput) -> Policy:
    targets = [Target(**target.model_dump()) for target in body.targets]
    return Policy(policy_id, body.name, body.team_id, targets, body.calendar_id)


def _calendar(body: CalendarInput) -> Calendar:
    return Calendar(
        body.name,
        body.time_zone,
        [opening.opening() for opening in body.openings],
        body.country,
        body.subdivision,
        sorted(set(body.own_days)),
    )


def _calendar_view(calendar_id: str, calendar: Calendar) -> CalendarView:
    return CalendarView(
        id=calendar_id,
        name=calendar.name,
        time_zone=calendar.time_zone,
        openings=[OpeningInput.of(opening) for opening in calendar.openings],
        country=calendar.country,
        subdivision=calendar.subdivision,
        own_days=list(calendar.own_days),
    )


def _details(body: Input) -> dict[str, object]:
    return body.model_dump(by_alias=True, mode="json")
