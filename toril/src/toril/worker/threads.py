"""Runs a plain handler in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any

from ..bridge import attach
from ..errors import RunTimedOut
from ..failure import reason_of
from ..job import Json
from ..record import Job
from .marks import CancelAsked, HandBack, unless_told

logger = logging.getLogger("toril")


class Slot:
    """Gives a worker's slot back, once. `held` says that a thread will do so when it has ended."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release
        self.held = False

    def __call__(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


async def run_in_thread(call: Callable[[Job], Any], job: Job, timeout: float | None, slot: Slot) -> Json:
    """Run the handler and return its result.

    A thread cannot be stopped: after its time is up it goes on with its slot until it ends. That its
    job is cancelled or its worker stops is only told to it, by `job.cancelled`.
    """
    # A daemon thread a run: one that hangs must neither use up a pool nor keep the process alive.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Json] = loop.create_future()
    context = contextvars.copy_context()
    attach(context, loop)

    def report(result: Json, error: BaseException | None) -> None:
        if slot.held:
            slot()
        if not done.done():
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)
        elif error is not None:
            logger.warning("job %s ended with an error after its time was up: %s", job.id, reason_of(error))

    def work() -> None:
        result: Json = None
        error: BaseException | None = None
        try:
            result = context.run(call, job)
        except StopIteration as stop:  # a future refuses to carry one
            error = RuntimeError(f"the handler raised StopIteration: {stop.value!r}")
        except BaseException as raised:  # noqa: BLE001 - handed to the event loop
            error = raised
        try:
            loop.call_soon_threadsafe(report, result, error)
        except RuntimeError:
            logger.warning("job %s ended after its worker's event loop had closed", job.id)

    threading.Thread(target=work, name=f"toril-job-{job.id}", daemon=True).start()
    try:
        async with asyncio.timeout(timeout):
            return await unless_told(done, CancelAsked, HandBack)
    except TimeoutError:
        if done.done():
            raise
        slot.held = True
        raise RunTimedOut(f"timed out after {timeout:g} s; its thread goes on") from None
    except asyncio.CancelledError:
        slot.held = not done.done()
        done.cancel()  # so that an error which comes of it later is logged, not lost
        raise
