"""A client that does not say what it wants does not keep a connection (attack A11)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket

from insightdesk.kit.serving import ImpatientProtocol


class Quick(ImpatientProtocol):
    header_time = 0.3


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that waits 0.3 seconds for headers."""
    app = FastAPI()

    @app.get("/")
    async def slowly() -> str:
        await asyncio.sleep(0.6)
        return "done"

    @app.websocket("/socket")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=Quick, ws="wsproto", log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield int(listening.getsockname()[1])
        server.should_exit = True
        await serving


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: desk.test\r\nX-Slow: "])
async def test_headers_that_never_end_are_given_up(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_trickle_of_headers_wins_no_time(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n")
    async with asyncio.timeout(5):
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(b"X: y\r\n")
            await asyncio.wait([ended], timeout=0.1)
    assert ended.result() == b""
    writer.close()


async def test_an_answer_may_take_longer_than_its_question(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: desk.test\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len('"done"')) == b'"done"'
    writer.close()


async def test_a_web_socket_lives_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /socket HTTP/1.1\r\nHost: desk.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await asyncio.sleep(0.6)
        writer.write(b"\x81\x82\x00\x00\x00\x00hi")  # a masked text frame, with a mask of zeros
        assert await reader.readexactly(4) == b"\x81\x02hi"
    writer.close()
