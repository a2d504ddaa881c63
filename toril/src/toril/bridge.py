"""Lets a plain `def` handler call what is `async`, on the event loop that its job belongs to."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from .errors import WrongPlace
from .options import seconds

T = TypeVar("T")

_loop: contextvars.ContextVar[asyncio.AbstractEventLoop] = contextvars.ContextVar("toril_loop")


def attach(context: contextvars.Context, loop: asyncio.AbstractEventLoop) -> None:
    """Let `run_async` find this event loop in a handler's context."""
    context.run(_loop.set, loop)


def run_async(coroutine: Coroutine[Any, Any, T], timeout: float | timedelta | None = None) -> T:
    """Run a coroutine from a plain `def` handler and return its result: `run_async(job.log("half"))`.

    It runs on the worker's event loop, or on that of the handler's own process (`run_in="process"`).

    Args:
        coroutine: What an `async def` handler would await.
        timeout: Seconds to wait for it at most; it is cancelled then.

    Raises:
        WrongPlace: called outside of a plain handler; an `async def` handler awaits instead.
        TimeoutError: it took longer.
        Exception: whatever the coroutine raises.
    """
    try:
        limit = None if timeout is None else seconds(timeout, "timeout")
        loop = _loop.get(None)
        if loop is None:
            raise WrongPlace("run_async is for plain `def` handlers of jobs")
        if _is_running(loop):
            raise WrongPlace("run_async would block the event loop; await the coroutine instead")
    except BaseException:
        coroutine.close()
        raise
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result(limit)
    except TimeoutError:
        future.cancel()
        raise


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
