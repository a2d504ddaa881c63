"""Live notifications over several API processes: real sockets on two servers, of which one is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio
import uvicorn
from browsers import PASSWORD
from desks import Desk
from sqlalchemy import text

from insightdesk.accounts import people
from insightdesk.accounts.access import SESSION_COOKIE
from insightdesk.accounts.models import Role
from insightdesk.accounts.schemas import UserPatch
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.realtime import server as realtime

CLIENTS = 60
"""Screens that come and go in CI; INSIGHTDESK_FLAPPING sets another number."""


_THREADS = ThreadPoolExecutor(24)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """`insightdesk api` or `worker`, as in production."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "insightdesk", *arguments], stdout=self._log, stderr=self._log
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)
        self._log.close()


@pytest.fixture
async def processes(
    db: None, database_url: str, valkey_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Sequence[str], Sequence[Process]]]:
    """Two API processes at addresses of their own, and a worker."""
    ports = [_free_port(), _free_port()]
    started = [Process(tmp_path / f"api-{port}.log", "api", "--port", str(port)) for port in ports]
    started.append(Process(tmp_path / "worker.log", "worker"))
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        async with httpx.AsyncClient() as client:
            for url in urls:

                async def up(url: str = url) -> bool:
                    try:
                        return (await client.get(f"{url}/health")).is_success
                    except httpx.TransportError:
                        return False

                await eventually(up, 40)
        yield urls, started
    finally:
        for one in started:
            one.end()


async def eventually(look: Callable[[], Awaitable[bool]], limit: float = 20.0) -> None:
    async with asyncio.timeout(limit):
        while not await look():
            await asyncio.sleep(0.05)


class Screen:
    """A client that notes what it hears; a synchronous one, since the other wants aiohttp."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        self.client = socketio.Client(handle_sigint=False, reconnection=False)
        self.client.on("notification", self.heard.append)

    async def heard_of(self, ticket_id: str) -> None:
        async def look() -> bool:
            return any(event["ticketId"] == ticket_id for event in self.heard)

        await eventually(look)


@asynccontextmanager
async def screen(url: str, **proof: Any) -> AsyncIterator[Screen]:
    made = Screen()
    connect = partial(made.client.connect, url, transports=["websocket"], wait_timeout=10, **proof)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(_THREADS, connect)
    try:
        yield made
    finally:
        await loop.run_in_executor(_THREADS, made.client.disconnect)


def by_token(desk: Desk, role: Role) -> dict[str, Any]:
    return {"auth": {"token": desk.tokens[role]}}


async def open_ticket(url: str, desk: Desk) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post(
            "/api/tickets", json={"subject": "Fire", "body": "!"}, headers=desk.headers(Role.CUSTOMER)
        )
        return str(answer.json()["data"]["id"])


async def missed(url: str, desk: Desk, role: Role) -> list[str]:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/api/notifications?unreadOnly=true", headers=desk.headers(role))
        return [entry["ticketId"] for entry in answer.json()["data"]["items"]]


@pytest.mark.slow
async def test_screens_on_two_processes_hear_and_what_a_dead_one_missed_is_in_the_inbox(
    processes: tuple[Sequence[str], Sequence[Process]], desk: Desk, other_desk: Desk
) -> None:
    (first, second), (first_process, *_) = processes
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(screen(first, **by_token(desk, Role.AGENT)))
        async with httpx.AsyncClient(base_url=second) as client:
            await client.post("/api/login", json={"email": desk.admin.email, "password": PASSWORD})
            cookie = f"{SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
        admin = await stack.enter_async_context(screen(second, headers={"Cookie": cookie}))
        stranger = await stack.enter_async_context(screen(second, **by_token(other_desk, Role.ADMIN)))

        heard = await open_ticket(first, desk)
        await asyncio.gather(agent.heard_of(heard), admin.heard_of(heard))
        assert agent.heard == [{"ticketId": heard, "action": "created"}]

        first_process.end(signal.SIGKILL)
        unheard = await open_ticket(second, desk)
        await admin.heard_of(unheard)
        assert all(event["ticketId"] != unheard for event in agent.heard)

        back = await stack.enter_async_context(screen(second, **by_token(desk, Role.AGENT)))
        assert sorted(await missed(second, desk, Role.AGENT)) == sorted([heard, unheard])
        again = await open_ticket(second, desk)
        await back.heard_of(again)
        assert stranger.heard == []
        assert await missed(second, other_desk, Role.ADMIN) == []


@pytest.mark.slow
async def test_many_screens_flap_and_nothing_is_lost_from_the_inbox(
    processes: tuple[Sequence[str], Sequence[Process]], desk: Desk
) -> None:
    urls, _ = processes
    clients = int(os.environ.get("INSIGHTDESK_FLAPPING", CLIENTS))
    tickets: list[str] = []

    async def flap(number: int) -> None:
        for turn in range(2):
            async with screen(urls[(number + turn) % 2], **by_token(desk, Role.AGENT)):
                await asyncio.sleep(0)

    async def talk() -> None:
        for number in range(10):
            tickets.append(await open_ticket(urls[number % 2], desk))

    async with asyncio.timeout(60 + clients / 4):
        await asyncio.gather(talk(), *(flap(number) for number in range(clients)))

    async def complete() -> bool:
        return sorted(await missed(urls[0], desk, Role.AGENT)) == sorted(tickets)

    await eventually(complete)
    # Those that are gone leave nothing behind: the one that comes now hears each event once.
    async with screen(urls[0], **by_token(desk, Role.AGENT)) as last:
        ticket = await open_ticket(urls[1], desk)
        await last.heard_of(ticket)
        assert last.heard == [{"ticketId": ticket, "action": "created"}]


@pytest.mark.parametrize("proof", [{}, {"auth": {"token": "idk_wrong"}}, {"headers": {"Cookie": "a=b"}}])
async def test_a_socket_without_proof_is_refused(served: str, proof: dict[str, Any]) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with screen(served, **proof):
            pass


async def test_a_page_of_another_site_opens_no_socket(served: str, desk: Desk) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with screen(served, headers={"Origin": "https://evil.example"}, **by_token(desk, Role.AGENT)):
            pass


async def test_a_socket_ends_with_what_it_was_opened_by(
    served: str, screens: realtime.Screens, desk: Desk
) -> None:
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(screen(served, **by_token(desk, Role.AGENT)))
        customer = await stack.enter_async_context(screen(served, **by_token(desk, Role.CUSTOMER)))
        assert await screens.sweep() == 0
        async with transaction() as session:
            locked_out = UserPatch(active=False)
            await people.update_user(session, desk.admin, desk.agent.user_id, locked_out, clock.now())
        assert await screens.sweep() == 1

        async def gone() -> bool:
            return not agent.client.connected

        await eventually(gone)
        assert customer.client.connected
        async with transaction() as session:
            await session.execute(
                text("UPDATE api_tokens SET expires_at = :then WHERE user_id = :user"),
                {"then": clock.now() - timedelta(seconds=1), "user": desk.customer.user_id},
            )
        assert await screens.sweep() == 1


@pytest.fixture
def screens(valkey_url: str) -> realtime.Screens:
    """The sockets of a server in this process."""
    return realtime.Screens(realtime.create_server(valkey_url))


@pytest.fixture
async def served(db: None, screens: realtime.Screens) -> AsyncIterator[str]:
    """Its address."""

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(socketio.ASGIApp(screens.server), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
        manager = screens.server.manager
        if screens.server.manager_initialized:
            manager.thread.cancel()
            await asyncio.gather(manager.thread, return_exceptions=True)
            await manager.redis.aclose()
