"""SIGTERM to real processes: what is under way is finished or handed back, within a limit."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from desks import Desk

import toril
from insightdesk.accounts.models import Role

Settings = dict[str, str]


@asynccontextmanager
async def process(*arguments: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "insightdesk", *arguments,
        env={**os.environ, **settings}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(look: Callable[[], bool], limit: float = 30.0) -> None:
    deadline = time.monotonic() + limit
    while not look():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.05)


async def answers(url: str, path: str = "/health") -> None:
    deadline = time.monotonic() + 30.0
    async with httpx.AsyncClient() as client:
        while True:
            try:
                assert (await client.get(f"{url}{path}")).status_code == 200
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the API does not answer"
                await asyncio.sleep(0.1)
            else:
                return


@pytest.mark.slow
async def test_the_api_finishes_requests_ends_streams_and_exits_with_0(
    desk: Desk, database_url: str, valkey_url: str
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with process("api", "--port", str(port), INSIGHTDESK_DATABASE_URL=database_url) as api:
        await answers(url)
        async with httpx.AsyncClient(timeout=30.0) as client:
            stream = client.stream("GET", f"{url}/ui/events", headers=desk.headers(Role.ADMIN))
            async with stream as events:
                assert events.status_code == 200
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                body = b'{"email": "nobody@example.com", "password": "wrong"}'
                head = f"POST /api/login HTTP/1.1\r\nHost: desk\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode())
                await writer.drain()
                await answers(url)  # what was sent before this has been read
                begun = time.monotonic()
                api.send_signal(signal.SIGTERM)
                writer.write(body)
                answer = await asyncio.wait_for(reader.read(), 20)
                assert answer.startswith(b"HTTP/1.1 401 ")
                writer.close()
                with pytest.raises(httpx.TransportError):
                    async with httpx.AsyncClient() as other:
                        await other.get(f"{url}/health")
                assert await asyncio.wait_for(api.wait(), 20) == 0
        assert time.monotonic() - begun < 15


@pytest.mark.slow
async def test_a_worker_hands_back_what_it_cannot_finish(
    desk: Desk, database_url: str, valkey_url: str
) -> None:
    called = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings: Settings = {
        "INSIGHTDESK_DATABASE_URL": database_url,
        "INSIGHTDESK_EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "INSIGHTDESK_DRAIN_SECONDS": "1",
    }
    data = {
        "to": desk.customer.email, "subject": "Slow", "template": "generic", "data": {"body": "..."},
        "organizationId": desk.organization_id,
    }  # fmt: skip
    async with server, toril.Queue("email", valkey_url) as queue, process("worker", **settings) as worker:
        job = await queue.add("send", data, priority=1, attempts=3)
        await asyncio.wait_for(called.wait(), 60)
        begun = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 30) == 75
        assert time.monotonic() - begun < 20
        found = await queue.get_job(job.id)
        assert found is not None
        assert await found.get_state() in (toril.JobState.WAITING, toril.JobState.PRIORITIZED)
        assert (found.attempts_made, found.stalled_count) == (0, 0)
        await found.remove()


@pytest.mark.slow
async def test_a_worker_answers_probes_until_it_ends(
    database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    port, file = free_port(), tmp_path / "alive"
    options = ("--health-port", str(port), "--liveness-file", str(file))
    async with process("worker", *options, INSIGHTDESK_DATABASE_URL=database_url) as worker:
        await answers(f"http://127.0.0.1:{port}", "/live")
        await until(file.exists)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 30) == 0
    assert not file.exists()
