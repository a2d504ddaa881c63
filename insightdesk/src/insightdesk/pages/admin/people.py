"""The pages of people, their teams, and the tokens of their programs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from insightdesk.accounts import people, teams, tokens
from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin
from insightdesk.accounts.models import Role, Scope
from insightdesk.accounts.people import Sought
from insightdesk.accounts.service import Principal
from insightdesk.accounts.teams import TeamWithMembers
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.kit.pagination import PageRequest
from insightdesk.pages.admin.frame import PageNumber, Text, admin_page, page_count
from insightdesk.pages.view import PageRoute

__all__ = ["router"]

router = APIRouter(prefix="/ui/admin", include_in_schema=False, route_class=PageRoute)

_PEOPLE = 50  # of one page


@router.get("/people")
async def people_page(
    admin: CurrentAdmin,
    text: Text = "",
    role: Annotated[Role | Literal[""], Query()] = "",
    show: Text = "active",
    page: PageNumber = 1,
) -> HTMLResponse:
    """Everybody of the organization, with a form for a new one."""
    sought = Sought(text.strip(), role or None, True if show == "active" else None)
    async with transaction() as session:
        found, total = await people.find_people(
            session, admin.organization_id, sought, PageRequest(page, _PEOPLE)
        )
    return admin_page(
        "people.html",
        admin,
        "people",
        people=found,
        total=total,
        roles=list(Role),
        text=text,
        role=role,
        show=show,
        page=page,
        pages=page_count(total, _PEOPLE),
    )


@router.get("/people/{user_id}")
async def person_page(user_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """One person: name, role, whether he may come in, and his erasure."""
    async with transaction() as session:
        person = await people.get_person(session, admin.organization_id, user_id)
        of = await teams.list_teams(session, admin.organization_id)
    return admin_page(
        "person.html",
        admin,
        "people",
        person=person,
        roles=list(Role),
        teams=[team for team in of if user_id in team.member_ids],
    )


@router.get("/teams")
async def teams_page(admin: CurrentAdmin) -> HTMLResponse:
    """The teams, with a form for a new one."""
    return await _teams(admin, None)


@router.get("/teams/{team_id}")
async def team_page(team_id: str, admin: CurrentAdmin) -> HTMLResponse:
    """One team's name and members."""
    return await _teams(admin, team_id)


async def _teams(admin: Principal, team_id: str | None) -> HTMLResponse:
    async with transaction() as session:
        found = await teams.list_teams(session, admin.organization_id)
        staff = await accounts.list_staff(session, admin.organization_id)
    chosen: TeamWithMembers | None = None
    if team_id is not None:
        chosen = next((team for team in found if team.id == team_id), None)
        if chosen is None:
            raise NotFound("there is no such team")
    return admin_page(
        "team.html" if chosen else "teams.html",
        admin,
        "teams",
        teams=found,
        staff=staff,
        team=chosen,
        names={user.id: user.name for user in staff},
    )


@router.get("/tokens")
async def tokens_page(admin: CurrentAdmin) -> HTMLResponse:
    """The organization's tokens, with a form for one of one's own; its text is shown once, by the script."""
    async with transaction() as session:
        found = await tokens.list_with_owners(session, admin.organization_id)
    return admin_page("tokens.html", admin, "tokens", tokens=found, scopes=list(Scope), now=clock.now())
