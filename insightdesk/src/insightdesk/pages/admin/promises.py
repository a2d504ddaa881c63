"""The pages of what is promised to customers: policies, the calendars that they count by, escalation."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.accounts.access import CurrentAdmin
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.kit.local_time import zone_names
from insightdesk.pages.admin.frame import admin_page
from insightdesk.pages.view import PageRoute
from insightdesk.sla import calendars, escalation, policies
from insightdesk.sla.calendar import public_holidays
from insightdesk.sla.calendars import Calendar
from insightdesk.sla.models import EscalationAction
from insightdesk.sla.policies import DEFAULT_TARGETS, Policy, Target
from insightdesk.sla.schemas import OpeningInput, Weekday
from insightdesk.tickets.models import Priority

__all__ = ["router"]

router = APIRouter(prefix="/ui/admin", include_in_schema=False, route_class=PageRoute)

_NEW = "new"
_OFFICE_HOURS = [OpeningInput(weekday=day, opens="09:00", closes="17:00") for day in list(Weekday)[:5]]
_HOLIDAYS = 8  # that are shown


@router.get("/policies")
async def policies_page(admin: CurrentAdmin) -> HTMLResponse:
    """What is promised to whom."""
    async with transaction() as session:
        found = await policies.list_policies(session, admin.organization_id)
        of = await calendars.list_calendars(session, admin.organization_id)
        groups = await teams.list_teams(session, admin.organization_id)
    return admin_page(
        "policies.html",
        admin,
        "policies",
        policies=found,
        calendars=of,
        teams={team.id: team.name for team in groups},
    )


@router.get("/policies/{policy_id}")
async def policy_page(policy_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """One policy to be edited, or with `new` a new one."""
    async with transaction() as session:
        found = await policies.list_policies(session, admin.organization_id)
        of = await calendars.list_calendars(session, admin.organization_id)
        groups = await teams.list_teams(session, admin.organization_id)
    policy = next((each for each in found if each.id == policy_id), None)
    if policy is None:
        if policy_id != _NEW:
            raise NotFound("there is no such policy")
        targets = [Target(priority, *minutes) for priority, minutes in DEFAULT_TARGETS.items()]
        policy = Policy("", "", None, targets)
    by_priority = {target.priority: target for target in policy.targets}
    return admin_page(
        "policy.html",
        admin,
        "policies",
        policy=policy,
        targets=[by_priority.get(priority, Target(priority)) for priority in Priority],
        calendars=of,
        teams=groups,
    )


@router.get("/calendars")
async def calendars_page(admin: CurrentAdmin) -> HTMLResponse:
    """When the organization works."""
    async with transaction() as session:
        found = await calendars.list_calendars(session, admin.organization_id)
    shown = [
        (calendar_id, calendar, [OpeningInput.of(opening) for opening in calendar.openings])
        for calendar_id, calendar in found.items()
    ]
    return admin_page("calendars.html", admin, "calendars", calendars=shown)


@router.get("/calendars/{calendar_id}")
async def calendar_page(calendar_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """One calendar to be edited, or with `new` a new one."""
    async with transaction() as session:
        found = await calendars.list_calendars(session, admin.organization_id)
        organization = await accounts.get_organization(session, admin.organization_id)
    calendar = found.get(calendar_id)
    if calendar is None:
        if calendar_id != _NEW:
            raise NotFound("there is no such calendar")
        calendar = Calendar("", organization.time_zone, [opening.opening() for opening in _OFFICE_HOURS])
    return admin_page(
        "calendar.html",
        admin,
        "calendars",
        calendar=calendar,
        calendar_id="" if calendar_id == _NEW else calendar_id,
        openings=[OpeningInput.of(opening) for opening in calendar.openings],
        weekdays=list(Weekday),
        zones=zone_names(),
        holidays=_next_days_off(calendar, clock.now().date()),
    )


def _next_days_off(calendar: Calendar, today: date) -> list[date]:
    """The public holidays that come next."""
    if calendar.country is None:
        return []
    found = {
        day
        for year in (today.year, today.year + 1)
        for day in public_holidays(calendar.country, calendar.subdivision, year)
        if day >= today
    }
    return sorted(found)[:_HOLIDAYS]


@router.get("/escalation")
async def escalation_page(admin: CurrentAdmin) -> HTMLResponse:
    """What follows a broken promise that nobody mends."""
    async with transaction() as session:
        steps = await escalation.list_steps(session, admin.organization_id)
        groups = await teams.list_teams(session, admin.organization_id)
        staff = await accounts.list_staff(session, admin.organization_id)
    return admin_page(
        "escalation.html",
        admin,
        "escalation",
        steps=steps,
        actions=list(EscalationAction),
        teams=groups,
        staff=staff,
        most=escalation.MOST,
    )
