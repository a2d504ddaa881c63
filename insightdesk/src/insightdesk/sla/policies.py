"""What an organization promises: policies, and their targets by priority."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import teams
from insightdesk.database import new_id
from insightdesk.kit import clock
from insightdesk.kit.errors import Invalid, NotFound
from insightdesk.sla import calendars
from insightdesk.sla.changes import rules_changed
from insightdesk.sla.models import SlaPolicy, SlaTarget
from insightdesk.tickets.models import Priority

GENERAL = "Standard"
"""The name of the policy that stands for every team without one of its own."""

DEFAULT_TARGETS: dict[Priority, tuple[float, float, float]] = {
    Priority.LOW: (24 * 60, 48 * 60, 7 * 24 * 60),
    Priority.NORMAL: (8 * 60, 24 * 60, 3 * 24 * 60),
    Priority.HIGH: (4 * 60, 8 * 60, 24 * 60),
    Priority.URGENT: (60, 2 * 60, 8 * 60),
}
"""Minutes to the first response, to each next one and to resolution, for a new organization."""


@dataclass(frozen=True)
class Target:
    """What is promised for one priority, in minutes; None promises nothing."""

    priority: Priority
    first_response_minutes: float | None = None
    next_response_minutes: float | None = None
    resolution_minutes: float | None = None


@dataclass(frozen=True)
class Policy:
    """A policy as administrators see and write it.

    Attributes:
        team_id: whose tickets; None for all that have no team with a policy.
        targets: ordered by priority.
        calendar_id: None counts round the clock.
    """

    id: str
    name: str
    team_id: str | None
    targets: Sequence[Target]
    calendar_id: str | None = None


async def create_default_policy(session: AsyncSession, organization_id: str) -> None:
    """Give a new organization something to promise."""
    for priority, (first_response, next_response, resolution) in DEFAULT_TARGETS.items():
        await set_target(
            session,
            organization_id,
            priority,
            first_response_minutes=first_response,
            next_response_minutes=next_response,
            resolution_minutes=resolution,
        )


async def set_target(
    session: AsyncSession,
    organization_id: str,
    priority: Priority,
    *,
    first_response_minutes: float | None,
    resolution_minutes: float | None,
    next_response_minutes: float | None = None,
) -> None:
    """Set one priority's targets in the general policy, which is made if there is none."""
    await session.execute(
        insert(SlaPolicy)
        .values(
            id=new_id(), organization_id=organization_id, name=GENERAL, team_id=None, changed_at=clock.now()
        )
        .on_conflict_do_nothing(index_elements=["organization_id", "team_id"])
    )
    general = (
        await session.scalars(
            select(SlaPolicy)
            .where(SlaPolicy.organization_id == organization_id, SlaPolicy.team_id.is_(None))
            .with_for_update()
        )
    ).one()
    general.changed_at = clock.now()
    target = Target(priority, first_response_minutes, next_response_minutes, resolution_minutes)
    await _put_targets(session, organization_id, general.id, [target])
    await rules_changed(session, organization_id)


async def list_policies(session: AsyncSession, organization_id: str) -> list[Policy]:
    """The general policy first, then those of teams by name."""
    rows = await session.scalars(
        select(SlaPolicy)
        .where(SlaPolicy.organization_id == organization_id)
        .order_by(SlaPolicy.team_id.is_not(None), SlaPolicy.name)
    )
    targets: dict[str, list[Target]] = {}
    for row in await session.scalars(select(SlaTarget).where(SlaTarget.organization_id == organization_id)):
        targets.setdefault(row.policy_id, []).append(
            Target(
                row.priority, row.first_response_minutes, row.next_response_minutes, row.resolution_minutes
            )
        )
    order = list(Priority)
    return [
        Policy(
            row.id,
            row.name,
            row.team_id,
            sorted(targets.get(row.id, ()), key=lambda target: order.index(target.priority)),
            row.calendar_id,
        )
        for row in rows
    ]


async def create_policy(session: AsyncSession, organization_id: str, wanted: Policy) -> None:
    """Promise something to the tickets of a team, or to all that have no team with a policy.

    Raises:
        Invalid: The name or the team is taken, or there is no such team.
    """
    row = SlaPolicy(id=wanted.id, organization_id=organization_id)
    await _save(session, row, wanted)


async def change_policy(session: AsyncSession, organization_id: str, wanted: Policy) -> None:
    """Promise something else; running clocks follow, as if it had been so from their start.

    Raises:
        NotFound: There is no such policy.
        Invalid: The name or the team is taken, or there is no such team.
    """
    row = await session.scalar(
        select(SlaPolicy)
        .where(SlaPolicy.id == wanted.id, SlaPolicy.organization_id == organization_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound("policy not found")
    await _save(session, row, wanted)


async def delete_policy(session: AsyncSession, organization_id: str, policy_id: str) -> None:
    """Promise nothing of one's own any more.

    Raises:
        NotFound: There is no such policy.
    """
    gone = await session.scalar(
        delete(SlaPolicy)
        .where(SlaPolicy.id == policy_id, SlaPolicy.organization_id == organization_id)
        .returning(SlaPolicy.id)
    )
    if gone is None:
        raise NotFound("policy not found")
    # What it promised is now promised, or not, by the others.
    await session.execute(
        update(SlaPolicy).where(SlaPolicy.organization_id == organization_id).values(changed_at=clock.now())
    )
    await rules_changed(session, organization_id)


async def _save(session: AsyncSession, row: SlaPolicy, wanted: Policy) -> None:
    if wanted.team_id is not None:
        await teams.require_team(session, row.organization_id, wanted.team_id)
    calendar = None
    if wanted.calendar_id is not None:
        calendar = await calendars.find_calendar(session, row.organization_id, wanted.calendar_id)
        if calendar is None:
            raise Invalid("calendarId: no such calendar in this organization")
    calendars.require_reach(calendar, max(_minutes(wanted), default=0.0))
    try:
        async with session.begin_nested():
            row.name, row.team_id, row.calendar_id = wanted.name, wanted.team_id, wanted.calendar_id
            row.changed_at = clock.now()
            session.add(row)
            await session.flush()
    except IntegrityError as error:
        if "uq_sla_policies_team" in str(error.orig):
            raise Invalid("teamId: there is a policy for this already") from None
        if "uq_sla_policies" in str(error.orig):
            raise Invalid("name: a policy of this name already exists") from None
        raise
    priorities = [target.priority for target in wanted.targets]
    await session.execute(
        delete(SlaTarget).where(SlaTarget.policy_id == row.id, SlaTarget.priority.not_in(priorities))
    )
    await _put_targets(session, row.organization_id, row.id, wanted.targets)
    await rules_changed(session, row.organization_id)


def _minutes(policy: Policy) -> list[float]:
    return [
        value
        for target in policy.targets
        for value in (target.first_response_minutes, target.next_response_minutes, target.resolution_minutes)
        if value is not None
    ]


async def _put_targets(
    session: AsyncSession, organization_id: str, policy_id: str, targets: Collection[Target]
) -> None:
    statement = insert(SlaTarget)
    columns = ("first_response_minutes", "next_response_minutes", "resolution_minutes")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["policy_id", "priority"],
            set_={name: statement.excluded[name] for name in columns},
        ),
        [
            {
                "id": new_id(),
                "organization_id": organization_id,
                "policy_id": policy_id,
                "priority": target.priority,
                **{name: getattr(target, name) for name in columns},
            }
            for target in targets
        ],
    )
