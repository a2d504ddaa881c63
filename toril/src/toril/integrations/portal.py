"""For code without an event loop: one in a thread of its own, with queues of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from ..app import Toril
from ..job import NewJob
from ..queue import Queue
from ..record import Job

T = TypeVar("T")


class Portal:
    """Adds jobs of an application from plain threads. Started at the first use, in each process anew.

    Args:
        app: The application.
    """

    def __init__(self, app: Toril) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._process = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: dict[str, Queue] = {}

    def add(self, queue: str, jobs: Sequence[NewJob], timeout: float | None = 10.0) -> list[Job]:
        """Add jobs and wait until the server has them.

        Args:
            queue: The queue's name.
            jobs: What is to be added.
            timeout: Seconds to wait at the most.

        Raises:
            InvalidPayload: a job's data cannot be written as JSON.
            ConnectionFailed: the server cannot be reached.
            TimeoutError: there was no answer in time; they may have been added.
        """
        return self._run(self._add(queue, jobs), timeout)

    async def _add(self, queue: str, jobs: Sequence[NewJob]) -> list[Job]:
        if queue not in self._queues:
            self._queues[queue] = Queue(
                queue, self._app.url, prefix=self._app.prefix, telemetry=self._app.telemetry
            )
        return await self._queues[queue].add_many(jobs)

    def _run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # After a fork, as of a server with several processes, the thread is not there any more.
            if self._loop is None or self._process != os.getpid():
                self._process, self._queues = os.getpid(), {}
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="toril-portal", daemon=True).start()
            return self._loop

    def close(self) -> None:
        """Close the queues and end the thread. May be called more than once; the next use starts anew."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._process != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(self._close(), loop).result(5.0)
        loop.call_soon_threadsafe(loop.stop)

    async def _close(self) -> None:
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            await queue.close()
