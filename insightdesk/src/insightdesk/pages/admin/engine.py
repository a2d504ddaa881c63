"""toril's dashboard as a part of the administration. It shows the jobs of all organizations, and of none, so
it is for those who operate the installation."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin, authenticate, session_token
from insightdesk.accounts.operators import is_operator
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.jobs import declared_fields
from insightdesk.kit.errors import Unauthorized
from insightdesk.kit.redaction import mask, redact
from insightdesk.pages.admin.frame import admin_page
from insightdesk.pages.view import PageRoute
from insightdesk.queues import QUEUES
from insightdesk.settings import get_settings
from insightdesk.tenancy import stay_within
from toril import Json
from toril.web import Act, Dashboard, Identity, Place

__all__ = ["PATH", "create_dashboard", "hide", "router"]

PATH = "/admin/toril"
"""Where the dashboard is mounted."""

_ENTRANCE = "/ui/admin/engine"
_IDS = 50  # of jobs, in one entry of the audit log

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class _Operator(Identity):
    principal: Principal | None = None


@router.get(_ENTRANCE)
async def entrance(admin: CurrentAdmin) -> Response:
    """The way in: through the login, to the dashboard; for others, why they do not see it."""
    if await is_operator(admin):
        return RedirectResponse(f"{PATH}/", 303)
    return admin_page("engine.html", admin, "engine")


def create_dashboard() -> Dashboard:
    """The dashboard of the queues, which is to be closed when the application ends."""
    return Dashboard(
        get_settings().valkey_url,
        authorize=_authorize,
        queues=[spec.name for spec in QUEUES],
        on_act=_audit,
        redact=hide,
        title="InsightDesk's jobs",
    )


async def _authorize(request: Request) -> Identity | Response | None:
    # The dashboard's forms carry a CSRF token of its own.
    try:
        principal = await authenticate(None, session_token(request))
    except Unauthorized:
        return RedirectResponse(_ENTRANCE, 303)
    if not await is_operator(principal):
        return None
    stay_within(principal.organization_id)  # that of the audit log
    return _Operator(principal.name, True, principal)


async def _audit(identity: Identity, act: Act) -> None:
    assert isinstance(identity, _Operator)
    assert identity.principal is not None
    details = {
        "jobs": list(act.job_ids[:_IDS]),
        "count": len(act.job_ids),
        "state": act.state,
        "scheduler": act.scheduler_id,
    }
    async with transaction() as session:
        accounts.audit(
            session,
            identity.principal,
            f"toril.{act.verb}",
            "queue",
            act.queue,
            **{name: value for name, value in details.items() if value},
        )


def hide(value: Json, place: Place) -> Json:
    """A value as it may be shown: of a payload, what its job's type declares or what has a harmless name; of
    results and progress, numbers too; of texts, all but addresses and secrets."""
    if place.part == "data":
        return redact(value, declared_fields(place.queue, place.name))
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [hide(each, place) for each in value]
    if isinstance(value, dict):
        numbers = {name: each for name, each in value.items() if isinstance(each, (bool, int, float))}
        return redact(value) | numbers
    return value
