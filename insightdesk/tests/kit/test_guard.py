"""Bounds on what comes in, and headers on what goes out (attack A11, and what browsers are told)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from desks import Desk
from fastapi import FastAPI, Request
from starlette.types import Message

from insightdesk.accounts.models import Role
from insightdesk.kit.guard import MAX_BODY, Bounds, SecurityHeaders

TICKET = {"subject": "x", "body": "y"}


async def post(
    api: httpx.AsyncClient, desk: Desk, content: bytes | str | AsyncIterator[bytes]
) -> httpx.Response:
    headers = {**desk.headers(Role.AGENT), "Content-Type": "application/json"}
    return await api.post("/api/tickets", content=content, headers=headers)


@pytest.mark.parametrize(
    "path", ["/", "/ui/app.js", "/api/tickets", "/api/nothing", "/health", "/openapi.json", "/admin/emails"]
)
async def test_every_answer_tells_browsers_what_they_may_not(
    api: httpx.AsyncClient, desk: Desk, path: str
) -> None:
    for headers in ({}, desk.headers(Role.ADMIN)):
        told = (await api.get(path, headers=headers)).headers
        policy = told["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        assert told["cross-origin-resource-policy"] == "same-origin"
        # What is the same for everybody may be kept, what is not may not.
        assert told["cache-control"] == ("no-cache" if path == "/ui/app.js" else "no-store")


async def test_a_giant_body_is_refused_before_it_is_read(api: httpx.AsyncClient, desk: Desk) -> None:
    response = await post(api, desk, b" " * (MAX_BODY + 1))
    assert response.status_code == 413
    assert response.json()["success"] is False


async def test_a_giant_body_without_a_length_is_refused_where_it_grows_too_long(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65536

    response = await post(api, desk, parts())
    assert response.status_code == 413
    assert sent <= MAX_BODY // 65536 + 2


@pytest.mark.parametrize("opening", ["[", '{"a":'])
async def test_deep_json_is_refused_quickly(api: httpx.AsyncClient, desk: Desk, opening: str) -> None:
    started = time.monotonic()
    response = await post(api, desk, opening * (MAX_BODY // len(opening) - 10))
    assert response.status_code in (400, 422)
    assert response.json()["success"] is False
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "value",
    [
        "1" + "0" * 5000,
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 30,
        '"\\u0000"',
        '"\\ud800"',
        '"x\\udfff"',
    ],
)
async def test_values_that_cannot_be_stored_are_refused(
    api: httpx.AsyncClient, desk: Desk, value: str
) -> None:
    for field in ("subject", "body", "assigneeId"):
        parts = {**{name: json.dumps(text) for name, text in TICKET.items()}, field: value}
        body = "{" + ",".join(f'"{name}":{text}' for name, text in parts.items()) + "}"
        response = await post(api, desk, body)
        assert response.status_code in (400, 422), (field, response.text)
        assert response.json()["success"] is False


@pytest.mark.parametrize(
    "path", ["/api/tickets/%00", "/api/tickets/a%00b", "/api/tickets/%ff%fe", "/admin/emails?to=%00",
             "/admin/emails?to=%80", "/api/tickets?status=%00open", "/ui/tickets/%00"]
)  # fmt: skip
async def test_addresses_that_cannot_be_stored_are_refused(
    api: httpx.AsyncClient, desk: Desk, path: str
) -> None:
    response = await api.get(path, headers=desk.headers(Role.ADMIN))
    assert response.status_code == 422
    assert response.json()["success"] is False


async def test_a_slow_body_is_given_up() -> None:
    app = FastAPI()

    @app.post("/")
    async def take(request: Request) -> int:
        return len(await request.body())

    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    async def slowly() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
    }
    started = time.monotonic()
    await Bounds(app, body_time=0.3)(scope, slowly, send)
    assert answers[0]["status"] == 408
    assert time.monotonic() - started < 5
    assert json.loads(answers[1]["body"])["success"] is False


async def test_a_complete_body_sets_no_clock_for_what_follows() -> None:
    """A stream of events lives for hours after the request came in."""
    told: list[Message] = []

    async def long_lived(scope: object, receive: object, send: object) -> None:
        told.append(await receive())  # type: ignore[operator]
        told.append(await receive())  # type: ignore[operator]

    messages = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        if len(messages) == 1:
            await asyncio.sleep(0.3)
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    await Bounds(long_lived, body_time=0.1)(scope, receive, send)
    assert [message["type"] for message in told] == ["http.request", "http.disconnect"]


async def test_an_unexpected_failure_tells_nothing_and_has_the_headers_too() -> None:
    app = FastAPI()
    app.add_middleware(SecurityHeaders, tls=True)

    @app.get("/")
    async def broken() -> None:
        raise RuntimeError("the password is swordfish")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        response = await client.get("/")
    assert response.status_code == 500
    assert response.json() == {"success": False, "error": "internal error"}
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in response.headers["strict-transport-security"]
