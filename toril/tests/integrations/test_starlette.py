"""The lifespan helper, in FastAPI and Starlette as they are served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

import toril
from toril.integrations.starlette import lifespan, serving
from toril.telemetry.prometheus import Metrics


@pytest.fixture
def jobs(valkey_url: str, queue_name: str) -> toril.Toril:
    app = toril.Toril(valkey_url, prefix=queue_name, telemetry=[Metrics()])

    @app.job("orders", name="ship")
    async def ship(order_id: int) -> str:
        return f"shipped {order_id}"

    return app


@asynccontextmanager
async def served(web: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Serve by a real server, which runs the lifespan; gives a client of it."""
    config = uvicorn.Config(web, host="127.0.0.1", port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server has not started"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = True
    await task


async def test_fastapi_runs_jobs_in_its_own_process(jobs: toril.Toril) -> None:
    web = FastAPI(lifespan=lifespan(jobs, worker=True, concurrency=3))
    (ship,) = jobs.definitions

    @web.post("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, object]:
        job = await ship.enqueue(order_id=order_id)
        return {"result": await job.wait(timeout=10), "slots": [each.concurrency for each in jobs.workers]}

    for _ in range(2):  # a server that is started again
        async with served(web) as client:
            assert (await client.post("/orders/7")).json() == {"result": "shipped 7", "slots": [3]}
        assert jobs.workers == []


async def test_starlette_only_adds_and_tells_its_metrics(jobs: toril.Toril) -> None:
    (ship,) = jobs.definitions

    async def order(request: Request) -> JSONResponse:
        job = await ship.enqueue(order_id=7)
        return JSONResponse({"state": await job.get_state()})

    async def metrics(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await jobs.metrics())

    web = Starlette(
        routes=[Route("/orders", order, methods=["POST"]), Route("/metrics", metrics)],
        lifespan=lifespan(jobs),
    )
    async with served(web) as client:
        assert (await client.post("/orders")).json() == {"state": "waiting"}
        assert "toril_exporter_up" in (await client.get("/metrics")).text


async def test_it_goes_into_a_lifespan_of_one_s_own(jobs: toril.Toril) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def own(web: Starlette) -> AsyncIterator[None]:
        async with serving(jobs, worker=True):
            seen.append(f"{len(jobs.workers)} worker")
            yield

    async with served(Starlette(lifespan=own)):
        assert seen == ["1 worker"]


async def test_a_server_that_cannot_be_reached_stops_the_start() -> None:
    app = toril.Toril("valkey://127.0.0.1:9/0")

    @app.job("orders")
    async def ship() -> None: ...

    with pytest.raises(toril.ConnectionFailed):
        async with lifespan(app, worker=True)(Starlette()):
            pass


async def test_a_worker_that_ends_by_itself_is_told(
    jobs: toril.Toril, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "toril"):
        async with serving(jobs, worker=True):
            (worker,) = jobs.workers
            worker.stop()
            async with asyncio.timeout(10):
                while "a worker of this process has ended" not in caplog.text:
                    await asyncio.sleep(0.01)
