"""No route crosses the line between organizations. The routes are taken from the application itself and the
victim's rows from the tables themselves, so that whatever is added later is tried by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from desks import Desk, make_desk
from filled import Document, crossing_references, example, fill, fingerprint, id_for

from insightdesk.accounts.models import Role
from insightdesk.database import new_id, transaction
from insightdesk.main import create_app

# A route without a login is named here, each for a reason.
PUBLIC = {
    "POST /api/login",
    "POST /api/password/forgot",
    "POST /api/password/reset",  # by the token of the mail
    "GET /health",
    "GET /ready",
    "GET /files/{key}",  # by a signed link
    "POST /webhooks/resend",  # by its signature
}
_ENDLESS = {"/ui/events"}  # streams until the browser goes


def _operations() -> Sequence[tuple[str, str, Document]]:
    """Method, path and description of every route, those that the document leaves out too."""
    app = create_app()
    told: dict[tuple[str, str], Document] = {
        (method.upper(), path): operation
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }
    for route in _routes(app):
        if route.path not in _ENDLESS:
            for method in route.methods - {"HEAD", "OPTIONS"}:
                told.setdefault((method, route.path), {})
    return [
        (method, path, operation)
        for (method, path), operation in sorted(told.items(), key=lambda one: one[0])
    ]


def _routes(app: Any) -> Iterator[Any]:
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner)
        elif getattr(route, "methods", None):
            yield route


OPERATIONS = _operations()
DOCUMENT = create_app().openapi()


def named(operations: Sequence[tuple[str, str, Document]]) -> Any:
    return pytest.mark.parametrize(
        ("method", "path", "operation"),
        operations,
        ids=[f"{method} {path}" for method, path, _ in operations],
    )


@pytest.fixture
async def victim(db: None) -> tuple[Desk, str, dict[str, str]]:
    """An organization with a row in every table, the mark that all its texts bear, and the rows' ids."""
    desk, mark = await make_desk(), f"secret-{new_id()}"
    async with transaction() as session:
        return desk, mark, await fill(session, desk.organization_id, mark)


@named(OPERATIONS)
async def test_no_route_reaches_into_another_organization(
    api: httpx.AsyncClient,
    valkey_url: str,
    victim: tuple[Desk, str, dict[str, str]],
    method: str,
    path: str,
    operation: Document,
) -> None:
    desk, mark, ids = victim
    attacker = await make_desk()
    async with transaction() as session:
        before = await fingerprint(session, desk.organization_id)
    for role in Role:
        for request in _requests(path, operation, ids):
            answer = await api.request(method, headers=attacker.headers(role), **request)
            told = f"{role}: {method} {request} -> {answer.status_code} {answer.text[:300]}"
            assert answer.status_code < 500 or answer.status_code == 503, told
            assert mark not in answer.text, told
            sent = str(request)
            assert not [one for one in ids.values() if one in answer.text and one not in sent], told
            if any(one in request["url"] for one in ids.values()):
                assert not answer.is_success, told
    async with transaction() as session:
        assert await fingerprint(session, desk.organization_id) == before
        assert await crossing_references(session) == []


def _requests(path: str, operation: Document, ids: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The route called with each of the victim's ids that its parameters may mean, and with a body full of
    them; once with what the query may ask for, once without."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = example(content["schema"], DOCUMENT, ids) if content else None
    parameters = re.findall(r"{(\w+)(?::\w+)?}", path)
    for chosen in id_for(parameters[0], ids) if parameters else [""]:
        url = re.sub(r"{\w+(?::\w+)?}", chosen, path)
        yield {"url": url, "json": body}
        if query := _query(operation, ids):
            yield {"url": url, "json": body, "params": query}


def _query(operation: Document, ids: dict[str, str]) -> dict[str, str]:
    return {
        one["name"]: str(example(one["schema"], DOCUMENT, ids, one["name"]))
        for one in operation.get("parameters", [])
        if one["in"] == "query"
    }


@named([one for one in OPERATIONS if one[2]])
async def test_every_route_asks_who_it_is_unless_it_is_public(
    api: httpx.AsyncClient, method: str, path: str, operation: Document
) -> None:
    assert bool(operation.get("security")) is (f"{method} {path}" not in PUBLIC)
    if operation.get("security"):
        [request, *_] = _requests(path, operation, {"users": "somebody"})
        answer = await api.request(method, **{"params": _query(operation, {"users": "x"}), **request})
        assert answer.status_code == 401
        assert answer.json()["success"] is False


@named([one for one in OPERATIONS if one[1].startswith(("/admin", "/ui/admin"))])
async def test_what_is_for_administrators_is_for_nobody_else(
    api: httpx.AsyncClient, desk: Desk, method: str, path: str, operation: Document
) -> None:
    [request, *_] = _requests(path, operation, {"users": "somebody"})
    for role in (Role.AGENT, Role.CUSTOMER):
        answer = await api.request(
            method, headers=desk.headers(role), **{"params": _query(operation, {"users": "x"}), **request}
        )
        assert answer.status_code == 403


async def test_the_filled_organization_can_be_seen_by_its_own(
    api: httpx.AsyncClient, victim: tuple[Desk, str, dict[str, str]]
) -> None:
    """Else the tests above could not fail: the mark and the ids are there for whoever may see them."""
    desk, mark, ids = victim
    admin = desk.headers(Role.ADMIN)
    for path in (f"/api/tickets/{ids['tickets']}", f"/admin/emails/{ids['deliveries']}", "/admin/emails"):
        answer = await api.get(path, headers=admin)
        assert answer.status_code == 200, answer.text
        assert mark in answer.text
    listed = await api.get("/api/teams", headers=admin)
    assert ids["teams"] in listed.text
