"""A browser for tests: cookies of its own, an address of its own, and the CSRF header that pages send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from insightdesk.accounts.access import CSRF_COOKIE, CSRF_HEADER
from insightdesk.main import create_app

PASSWORD = "correct horse"


@asynccontextmanager
async def browser(address: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """A client at this address, on an application of its own, as another process would be."""
    application = create_app()
    transport = httpx.ASGITransport(application, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        yield client
    await application.state.dashboard.close()  # a server would, in its lifespan


async def log_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    """Log in, whatever comes of it."""
    return await client.post("/api/login", json={"email": email, "password": password})


def csrf(client: httpx.AsyncClient) -> dict[str, str]:
    """What a page's script sends with what it changes."""
    return {CSRF_HEADER: client.cookies[CSRF_COOKIE]}
