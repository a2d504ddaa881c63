"""The demo organization: one login for each role, and promises short enough to watch them break."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams, tokens
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.cli.history import tell_history
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import Unauthorized
from insightdesk.sla import escalation
from insightdesk.sla import service as sla
from insightdesk.sla.escalation import Step
from insightdesk.sla.models import EscalationAction
from insightdesk.tickets.models import Priority

__all__ = ["DEMO_SLUG", "PASSWORD", "Login", "saved_logins", "seed"]

DEMO_SLUG = "demo"
PASSWORD = "insightdesk"
_PEOPLE = (
    (Role.ADMIN, "admin@demo.example", "Ada Admin"),
    (Role.AGENT, "agent@demo.example", "Gus Agent"),
    (Role.CUSTOMER, "customer@demo.example", "Cleo Customer"),
)
# Minutes of first response (and of each next one) and of resolution.
_TARGETS = {
    Priority.URGENT: (0.2, 0.6),
    Priority.HIGH: (0.5, 1.5),
    Priority.NORMAL: (1.0, 3.0),
    Priority.LOW: (3.0, 10.0),
}


@dataclass(frozen=True)
class Login:
    """How to be one of the demo's people."""

    role: str
    email: str
    password: str
    token: str


async def seed(data_dir: Path) -> list[Login]:
    """Makes the demo organization unless it is there, and returns its logins.

    Tokens are kept in the data folder, readable by its owner alone, since the database has only hashes.
    """
    async with transaction() as session:
        organization = await accounts.find_organization(session, DEMO_SLUG)
        if organization is None:
            organization = await accounts.create_organization(session, "Demo Helpdesk", DEMO_SLUG)
            for priority, (response, resolution) in _TARGETS.items():
                await sla.set_target(
                    session,
                    organization.id,
                    priority,
                    first_response_minutes=response,
                    next_response_minutes=response,
                    resolution_minutes=resolution,
                )
            people = {
                role: Principal.of(
                    await accounts.create_user(session, organization.id, email, name, role, password=PASSWORD)
                )
                for role, email, name in _PEOPLE
            }
            staff = await accounts.staff_ids(session, organization.id)
            team = await teams.create_team(session, organization.id, "Front desk", staff)
            steps = [
                Step(0.5, EscalationAction.RAISE_PRIORITY),
                Step(2.0, EscalationAction.TELL_TEAM, team_id=team.id),
            ]
            await escalation.set_steps(session, organization.id, steps)
            await tell_history(session, people[Role.AGENT], people[Role.CUSTOMER], clock.now())
        known = {login.role: login for login in saved_logins(data_dir)}
        logins: list[Login] = []
        for role, email, _ in _PEOPLE:
            login = known.get(role.value)
            if login is None or not await _works(login):
                user = await accounts.find_user_by_email(session, organization.id, email)
                if user is None:
                    continue  # somebody removed this demo user; the others still serve
                issued = await tokens.issue(
                    session, user, now=clock.now(), name="insightdesk dev", lifetime=None
                )
                login = Login(role.value, email, PASSWORD, issued.token)
            logins.append(login)
    path = _path(data_dir)
    path.touch(mode=0o600)
    path.write_text(json.dumps([asdict(login) for login in logins], indent=2))
    return logins


async def _works(login: Login) -> bool:
    async with transaction() as session:
        try:
            await tokens.principal_of_token(session, login.token, clock.now())
        except Unauthorized:
            return False
    return True


def saved_logins(data_dir: Path) -> list[Login]:
    """The logins of an earlier start; empty when there was none."""
    try:
        return [Login(**entry) for entry in json.loads(_path(data_dir).read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def _path(data_dir: Path) -> Path:
    return data_dir / "logins.json"
