"""What holds for a set of tickets: the promises of their policies and the organizations' escalation steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.sla.calendar import Hours, Opening, RoundTheClock, WorkTime, shared
from insightdesk.sla.models import (
    Metric,
    SlaCalendar,
    SlaEscalationStep,
    SlaPolicy,
    SlaTarget,
)
from insightdesk.tickets.models import Priority, Ticket


@dataclass(frozen=True)
class Promise:
    """What a policy promises to tickets of one priority.

    Attributes:
        seconds: working time by metric; a metric that is missing is not promised.
        since: when the policy or its calendar was last changed.
    """

    policy_id: str
    seconds: Mapping[Metric, float]
    work: WorkTime
    since: datetime


@dataclass(frozen=True)
class Rules:
    """The promises by organization, team and priority, and each organization's steps in order."""

    promises: Mapping[tuple[str, str | None, Priority], Promise]
    steps: Mapping[str, Sequence[SlaEscalationStep]]

    def promise(self, ticket: Ticket) -> Promise | None:
        """What the ticket is promised: by its team's own policy, else by the general one."""
        key = ticket.organization_id, ticket.team_id, ticket.priority
        return self.promises.get(key) or self.promises.get((key[0], None, key[2]))

    def steps_of(self, organization_id: str) -> Sequence[SlaEscalationStep]:
        """What follows a breach, in order of time."""
        return self.steps.get(organization_id, ())


async def load(session: AsyncSession, tickets: Collection[Ticket]) -> Rules:
    """The rules for these tickets, in two statements however many there are."""
    organizations = {ticket.organization_id for ticket in tickets}
    teams = {ticket.team_id for ticket in tickets if ticket.team_id is not None}
    rows = await session.execute(
        select(SlaPolicy, SlaTarget, SlaCalendar)
        .join(SlaTarget, SlaTarget.policy_id == SlaPolicy.id)
        .outerjoin(SlaCalendar, SlaCalendar.id == SlaPolicy.calendar_id)
        .where(
            SlaPolicy.organization_id.in_(organizations),
            or_(SlaPolicy.team_id.is_(None), SlaPolicy.team_id.in_(teams)),
        )
    )
    promises = {
        (policy.organization_id, policy.team_id, target.priority): Promise(
            policy.id,
            _seconds(target),
            work_time(calendar),
            max(policy.changed_at, calendar.changed_at) if calendar else policy.changed_at,
        )
        for policy, target, calendar in rows
    }
    steps: dict[str, list[SlaEscalationStep]] = defaultdict(list)
    for step in await session.scalars(
        select(SlaEscalationStep)
        .where(SlaEscalationStep.organization_id.in_(organizations))
        .order_by(SlaEscalationStep.after_minutes, SlaEscalationStep.id)
    ):
        steps[step.organization_id].append(step)
    return Rules(promises, steps)


def work_time(calendar: SlaCalendar | None) -> WorkTime:
    """The working time of a calendar; round the clock without one."""
    if calendar is None:
        return RoundTheClock()
    return shared(
        Hours(
            calendar.time_zone,
            tuple(Opening(*opening) for opening in calendar.openings),
            calendar.country,
            calendar.subdivision,
            frozenset(date.fromisoformat(day) for day in calendar.own_days),
        )
    )


def _seconds(target: SlaTarget) -> dict[Metric, float]:
    minutes = {
        Metric.FIRST_RESPONSE: target.first_response_minutes,
        Metric.NEXT_RESPONSE: target.next_response_minutes,
        Metric.RESOLUTION: target.resolution_minutes,
    }
    return {metric: value * 60 for metric, value in minutes.items() if value is not None}
