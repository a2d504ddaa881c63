"""What travels over REST about people and teams."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from insightdesk.accounts.models import Role, Scope
from insightdesk.kit.schema import Input, Patch, Schema

MIN_PASSWORD, MAX_PASSWORD = 8, 1000
"""Characters. Longer ones are refused before they are hashed."""


class LoginInput(Input):
    """An address and a password; the organization's short name where the address has several."""

    email: str = Field(min_length=3, max_length=320)
    password: str = Field(min_length=1, max_length=MAX_PASSWORD)
    organization: str | None = Field(default=None, max_length=200)


class UserInput(Input):
    """A user to be made by an administrator."""

    email: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s<>\"]+@[^@\s<>\"]+$")
    name: str = Field(min_length=1, max_length=200)
    role: Role = Role.CUSTOMER
    password: str | None = Field(default=None, min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)


class UserPatch(Patch):
    """What changes of a user; what is not sent stays."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    role: Role | None = None
    active: bool | None = None


class ForgottenInput(Input):
    """Whose password is forgotten; the organization's short name where the address has several."""

    email: str = Field(min_length=3, max_length=320)
    organization: str | None = Field(default=None, max_length=200)


class ResetInput(Input):
    """What the link of the mail holds, and the new password."""

    token: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)


class PasswordInput(Input):
    """The present password and the new one."""

    current: str = Field(min_length=1, max_length=MAX_PASSWORD)
    password: str = Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)


class TokenInput(Input):
    """A token to be made for oneself."""

    name: str = Field(min_length=1, max_length=100)
    scope: Scope = Scope.READ
    expires_in_days: int = Field(default=90, ge=1, le=366)


class TokenView(Schema):
    """A token, without its text."""

    id: str
    user_id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class IssuedView(TokenView):
    """A new token with its text, which is shown this once."""

    token: str


class UserView(Schema):
    """A user as others see him."""

    id: str
    email: str
    name: str
    role: Role
    active: bool


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
