"""REST of teams: administrators edit, staff read."""

from __future__ import annotations

from fastapi import APIRouter

from insightdesk.accounts import service, teams
from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.accounts.schemas import TeamInput, TeamView
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok

router = APIRouter(prefix="/api/teams", tags=["teams"])


@router.get("")
async def list_teams(principal: CurrentPrincipal) -> Envelope[list[TeamView]]:
    """The organization's teams; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        found = await teams.list_teams(session, principal.organization_id)
    return ok([TeamView.model_validate(team) for team in found])


@router.post("", status_code=201)
async def create_team(body: TeamInput, admin: CurrentAdmin) -> Envelope[TeamView]:
    """A new team."""
    async with transaction() as session:
        team = await teams.create_team(session, admin.organization_id, body.name, body.member_ids)
        service.audit(session, admin, "team.created", "team", team.id, **body.model_dump(by_alias=True))
    return ok(TeamView.model_validate(team))


@router.put("/{team_id}")
async def change_team(team_id: str, body: TeamInput, admin: CurrentAdmin) -> Envelope[TeamView]:
    """Another name, other members."""
    async with transaction() as session:
        team = await teams.change_team(session, admin.organization_id, team_id, body.name, body.member_ids)
        service.audit(session, admin, "team.changed", "team", team.id, **body.model_dump(by_alias=True))
    return ok(TeamView.model_validate(team))


@router.delete("/{team_id}")
async def delete_team(team_id: str, admin: CurrentAdmin) -> Envelope[None]:
    """Dissolve a team; its tickets stay, without a team."""
    async with transaction() as session:
        await teams.delete_team(session, admin.organization_id, team_id)
        service.audit(session, admin, "team.deleted", "team", team_id)
    return ok(None)
