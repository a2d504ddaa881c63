"""An organization for a test of its own."""

from __future__ import annotations

from dataclasses import dataclass

from argon2 import PasswordHasher

from insightdesk.accounts import service as accounts
from insightdesk.accounts import tokens as bearer
from insightdesk.accounts.models import Role, User
from insightdesk.accounts.service import Principal
from insightdesk.database import new_id, transaction
from insightdesk.kit import clock
from insightdesk.sla import service as sla
from insightdesk.tickets.models import Priority

# Made once: it is slow by intent.
_PASSWORD_HASH = PasswordHasher().hash("correct horse")


@dataclass(frozen=True)
class Desk:
    """An organization with one person of each role, and their tokens."""

    organization_id: str
    admin: Principal
    agent: Principal
    customer: Principal
    tokens: dict[Role, str]

    def headers(self, role: Role) -> dict[str, str]:
        """What a request of this role carries."""
        return {"Authorization": f"Bearer {self.tokens[role]}"}


async def make_desk() -> Desk:
    """A new organization: normal tickets are answered in 10 minutes and solved in 60, urgent ones in 1
    and 6; low ones are promised nothing near."""
    async with transaction() as session:
        slug = f"org-{new_id()}"
        organization = await accounts.create_organization(session, slug, slug)
        for priority, response, resolution in (
            (Priority.LOW, 2 * 24 * 60.0, 9 * 24 * 60.0),
            (Priority.NORMAL, 10.0, 60.0),
            (Priority.URGENT, 1.0, 6.0),
        ):
            await sla.set_target(
                session,
                organization.id,
                priority,
                first_response_minutes=response,
                resolution_minutes=resolution,
            )
        people: dict[Role, User] = {}
        tokens: dict[Role, str] = {}
        for role in Role:
            email = f"{role}@{slug}.example"
            user = await accounts.create_user(
                session, organization.id, email, f"The {role}", role, welcome=False
            )
            user.password_hash = _PASSWORD_HASH
            people[role] = user
            issued = await bearer.issue(session, user, now=clock.now(), name="test", lifetime=None)
            tokens[role] = issued.token
    admin, agent, customer = (Principal.of(people[role]) for role in Role)
    return Desk(organization.id, admin, agent, customer, tokens)
