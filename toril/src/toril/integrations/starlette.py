"""Starlette and FastAPI: an application's queues, and its workers if wanted, while the server runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from ..app import Toril

logger = logging.getLogger("toril")


@contextlib.asynccontextmanager
async def serving(
    app: Toril,
    *,
    worker: bool = False,
    queues: Sequence[str] | Mapping[str, int] | None = None,
    concurrency: int = 10,
    drain_timeout: float = 30.0,
) -> AsyncIterator[None]:
    """Close the application's queues at the end of the block; run its workers in between if wanted.

    Args:
        app: The application.
        worker: Whether jobs run in this process too: for small services, and for development. A handler that
            blocks the event loop blocks the server.
        queues, concurrency, drain_timeout: See `Toril.run_worker`.

    Raises:
        ConnectionFailed: the server cannot be reached at the start, and `worker` is set.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(app.close)
        if worker:
            tasks = await stack.enter_async_context(
                app.worker_running(queues, concurrency, drain_timeout=drain_timeout)
            )
            await _begun(app, tasks)
            stack.enter_context(_watched(tasks))
        yield


def lifespan(
    app: Toril,
    *,
    worker: bool = False,
    queues: Sequence[str] | Mapping[str, int] | None = None,
    concurrency: int = 10,
    drain_timeout: float = 30.0,
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Return what `Starlette(lifespan=...)` and `FastAPI(lifespan=...)` take; see `serving`."""

    def run(_: object) -> AbstractAsyncContextManager[None]:
        return serving(
            app, worker=worker, queues=queues, concurrency=concurrency, drain_timeout=drain_timeout
        )

    return run


async def _begun(app: Toril, tasks: set[asyncio.Task[None]]) -> None:
    """Wait until all workers have heard of the server; raises what one of them has ended with."""
    ready = asyncio.gather(*(worker.ready.wait() for worker in app.workers))
    try:
        parts: set[asyncio.Future[Any]] = {ready, *tasks}
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        ready.cancel()


@contextlib.contextmanager
def _watched(tasks: set[asyncio.Task[None]]) -> Any:
    """Tell in the log of a worker that ends before the block does: the server goes on without it."""
    stopping = False

    def ended(task: asyncio.Task[None]) -> None:
        if not stopping and not task.cancelled():
            logger.error("a worker of this process has ended", exc_info=task.exception())

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        stopping = True
