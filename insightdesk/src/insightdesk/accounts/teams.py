"""Teams: staff who share work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from psycopg.errors import ForeignKeyViolation, RestrictViolation
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.models import Role, Team, TeamMember, User
from insightdesk.database import new_id
from insightdesk.kit.errors import Invalid, NotFound


@dataclass(frozen=True)
class TeamWithMembers:
    """A team and its active staff."""

    id: str
    name: str
    member_ids: list[str]


async def list_teams(session: AsyncSession, organization_id: str) -> list[TeamWithMembers]:
    """The organization's teams by name."""
    found: Sequence[Team] = (
        await session.scalars(select(Team).where(Team.organization_id == organization_id).order_by(Team.name))
    ).all()
    members = await member_ids(session, [team.id for team in found])
    return [TeamWithMembers(team.id, team.name, sorted(members.get(team.id, ()))) for team in found]


async def member_ids(session: AsyncSession, team_ids: Collection[str]) -> dict[str, set[str]]:
    """The active staff of each of these teams."""
    rows = await session.execute(
        select(TeamMember.team_id, TeamMember.user_id)
        .join(User, User.id == TeamMember.user_id)
        .where(TeamMember.team_id.in_(team_ids), User.active, User.role != Role.CUSTOMER)
    )
    found: dict[str, set[str]] = defaultdict(set)
    for team_id, user_id in rows:
        found[team_id].add(user_id)
    return found


async def require_team(session: AsyncSession, organization_id: str, team_id: str) -> Team:
    """The organization's team with this id.

    Raises:
        Invalid: There is none.
    """
    team = await _team(session, organization_id, team_id)
    if team is None:
        raise Invalid("teamId: no such team in this organization")
    return team


async def create_team(
    session: AsyncSession, organization_id: str, name: str, members: Collection[str]
) -> TeamWithMembers:
    """A new team.

    Raises:
        Invalid: The name is taken, or a member is not staff of the organization.
    """
    team = Team(organization_id=organization_id, name=name)
    await _save(session, team)
    await _set_members(session, team, members)
    return TeamWithMembers(team.id, team.name, sorted(set(members)))


async def change_team(
    session: AsyncSession, organization_id: str, team_id: str, name: str, members: Collection[str]
) -> TeamWithMembers:
    """Give a team another name and other members.

    Raises:
        NotFound: There is no such team.
        Invalid: The name is taken, or a member is not staff of the organization.
    """
    team = await _team(session, organization_id, team_id)
    if team is None:
        raise NotFound("team not found")
    team.name = name
    await _save(session, team)
    await _set_members(session, team, members)
    return TeamWithMembers(team.id, team.name, sorted(set(members)))


async def delete_team(session: AsyncSession, organization_id: str, team_id: str) -> None:
    """Dissolve a team; its tickets stay, without a team.

    Raises:
        NotFound: There is no such team.
        Invalid: Something else, such as a policy of its own, still needs it.
    """
    dissolve = delete(Team).where(Team.id == team_id, Team.organization_id == organization_id)
    try:
        async with session.begin_nested():
            gone = await session.scalar(dissolve.returning(Team.id))
    except IntegrityError as error:
        if not isinstance(error.orig, ForeignKeyViolation | RestrictViolation):
            raise
        raise Invalid("the team is still used by an SLA policy or an escalation step") from None
    if gone is None:
        raise NotFound("team not found")


async def _team(session: AsyncSession, organization_id: str, team_id: str) -> Team | None:
    found: Team | None = await session.scalar(
        select(Team).where(Team.id == team_id, Team.organization_id == organization_id)
    )
    return found


async def _save(session: AsyncSession, team: Team) -> None:
    try:
        async with session.begin_nested():
            session.add(team)
            await session.flush()
    except IntegrityError as error:
        if "uq_teams" not in str(error.orig):
            raise
        raise Invalid("name: a team of this name already exists") from None


async def _set_members(session: AsyncSession, team: Team, members: Collection[str]) -> None:
    wanted = set(members)
    staff = set(
        await session.scalars(
            select(User.id).where(
                User.id.in_(wanted),
                User.organization_id == team.organization_id,
                User.role != Role.CUSTOMER,
                User.active,
            )
        )
    )
    if wanted - staff:
        raise Invalid("memberIds: only active staff of this organization can be members")
    await session.execute(
        delete(TeamMember).where(TeamMember.team_id == team.id, TeamMember.user_id.not_in(wanted))
    )
    rows = [
        {"id": new_id(), "organization_id": team.organization_id, "team_id": team.id, "user_id": user_id}
        for user_id in sorted(wanted)
    ]
    if rows:
        await session.execute(
            insert(TeamMember).on_conflict_do_nothing(index_elements=["team_id", "user_id"]), rows
        )
