"""What travels over REST about people and teams."""

from __future__ import annotations

from pydantic import Field

from insightdesk.accounts.models import Role
from insightdesk.kit.schema import Input, Schema


class LoginInput(Input):
    """An address and a password; the organization's short name where the address has several."""

    email: str = Field(min_length=3, max_length=320)
    password: str = Field(min_length=1, max_length=1000)
    organization: str | None = None


class UserInput(Input):
    """A user to be made by an administrator."""

    email: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s<>\"]+@[^@\s<>\"]+$")
    name: str = Field(min_length=1, max_length=200)
    role: Role = Role.CUSTOMER
    password: str | None = Field(default=None, min_length=8, max_length=1000)


class UserView(Schema):
    """A user as others see him."""

    id: str
    email: str
    name: str
    role: Role


class PrincipalView(Schema):
    """Who you are."""

    user_id: str
    organization_id: str
    role: Role
    name: str
    email: str


class TeamInput(Input):
    """A team's name and its members, all of them."""

    name: str = Field(min_length=1, max_length=200)
    member_ids: list[str] = Field(default_factory=list, max_length=500)


class TeamView(Schema):
    """A team and its active members."""

    id: str
    name: str
    member_ids: list[str]
