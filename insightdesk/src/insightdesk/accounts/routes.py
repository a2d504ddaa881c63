"""REST of login and users."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from insightdesk.accounts import people, resets, service, sessions
from insightdesk.accounts.access import (
    CurrentAdmin,
    CurrentPrincipal,
    clear_session,
    not_from_elsewhere,
    session_token,
    set_session,
)
from insightdesk.accounts.models import Role
from insightdesk.accounts.schemas import (
    ForgottenInput,
    LoginInput,
    PasswordInput,
    PrincipalView,
    ResetInput,
    UserInput,
    UserPatch,
    UserView,
)
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok

router = APIRouter(prefix="/api", tags=["accounts"])


def client_address(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else ""


@router.post("/login", dependencies=[Depends(not_from_elsewhere)])
async def login(body: LoginInput, request: Request, response: Response) -> Envelope[PrincipalView]:
    """Open a session: a cookie that scripts cannot read."""
    opened = await sessions.log_in(
        body.email,
        body.password,
        body.organization,
        address=client_address(request),
        presented=session_token(request),
        now=clock.now(),
    )
    set_session(response, opened)
    return ok(PrincipalView.model_validate(opened.principal))


@router.post("/logout")
async def logout(principal: CurrentPrincipal, request: Request, response: Response) -> Envelope[None]:
    """End the browser's session."""
    if token := session_token(request):
        async with transaction() as session:
            await sessions.log_out(session, token)
    clear_session(response)
    return ok(None)


@router.get("/me")
async def me(principal: CurrentPrincipal) -> Envelope[PrincipalView]:
    """Who you are."""
    return ok(PrincipalView.model_validate(principal))


@router.post("/password")
async def change_password(
    body: PasswordInput, principal: CurrentPrincipal, request: Request, response: Response
) -> Envelope[None]:
    """Another password. All your sessions end, and a browser gets a new one."""
    address = client_address(request)
    opened = await resets.change(principal, body.current, body.password, address=address, now=clock.now())
    set_session(response, opened)
    return ok(None)


@router.post("/password/forgot", status_code=202, dependencies=[Depends(not_from_elsewhere)])
async def forgot_password(body: ForgottenInput, request: Request) -> Envelope[None]:
    """Mail a link for a new password to this address, if it is somebody's."""
    await resets.ask(body.email, body.organization, address=client_address(request), now=clock.now())
    return ok(None)


@router.post("/password/reset", dependencies=[Depends(not_from_elsewhere)])
async def reset_password(body: ResetInput, request: Request, response: Response) -> Envelope[None]:
    """Choose a new password by the link of the mail. All sessions end."""
    await resets.use(body.token, body.password, address=client_address(request), now=clock.now())
    clear_session(response)
    return ok(None)


@router.get("/users")
async def list_users(
    principal: CurrentPrincipal, include_inactive: Annotated[bool, Query(alias="includeInactive")] = False
) -> Envelope[list[UserView]]:
    """The organization's people; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        users = await people.list_people(session, principal.organization_id, inactive=include_inactive)
        return ok([UserView.model_validate(user) for user in users])


@router.post("/users", status_code=201)
async def create_user(body: UserInput, admin: CurrentAdmin) -> Envelope[UserView]:
    """A new user of the administrator's organization; a welcome mail is sent."""
    async with transaction() as session:
        user = await service.create_user(
            session, admin.organization_id, body.email, body.name, body.role, password=body.password
        )
        service.audit(session, admin, "user.created", "user", user.id, role=user.role)
        return ok(UserView.model_validate(user))


@router.patch("/users/{user_id}")
async def update_user(user_id: str, body: UserPatch, admin: CurrentAdmin) -> Envelope[UserView]:
    """Change a user's name or role, or lock him out: his sessions and tokens end at once."""
    async with transaction() as session:
        user = await people.update_user(session, admin, user_id, body, clock.now())
        return ok(UserView.model_validate(user))
