"""The process of a handler: runs one job at a time, as its worker says, and dies with it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..bridge import attach
from ..codec import encode_json
from ..queue import Queue
from ..record import Job
from .address import load
from .errors import to_wire
from .wire import HEAD_SIZE, Begun, Done, Raised, Run, body_size, frame, read_order

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, worker: int) -> None:
    """Serve the worker of this process id over an inherited socket until it closes it."""
    die_with(worker)
    # systemd asks all processes of a service to end; this one does when its worker says so. With
    # handlers, for what is ignored would stay so in the programs that a job starts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with socket.socket(fileno=descriptor) as link:
        link.set_inheritable(False)
        asyncio.run(_serve(link))


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; elsewhere the closed socket tells."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


async def _serve(link: socket.socket) -> None:
    await _Child(link).serve()


class _Child:
    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._orders: asyncio.Queue[Run | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._handlers: dict[str, tuple[Callable[[Job], Any], bool]] = {}
        self._queue: Queue | None = None
        self._thread = ThreadPoolExecutor(1, "toril-job")
        self._busy = False

    async def serve(self) -> None:
        threading.Thread(target=self._listen, name="toril-orders", daemon=True).start()
        try:
            while (order := await self._orders.get()) is not None:
                answer = self._prepare(order) or await self._run(order)
                self._busy = False
                self._link.sendall(frame(answer))
        finally:
            if self._queue is not None:
                await self._queue.close()

    def _listen(self) -> None:
        # In a thread, so that a handler which blocks the event loop dies with its worker too.
        while True:
            head = self._read(HEAD_SIZE)
            body = self._read(body_size(head)) if head else b""
            order = read_order(body) if body else None
            if order is None and self._busy:
                os.killpg(0, signal.SIGKILL)
            self._busy = order is not None
            self._loop.call_soon_threadsafe(self._orders.put_nowait, order)
            if order is None:
                return

    def _read(self, size: int) -> bytes:
        parts = []
        while size > 0:
            try:
                part = self._link.recv(min(size, 1 << 20))
            except ConnectionError:
                return b""
            if not part:
                return b""
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _prepare(self, order: Run) -> Raised | None:
        if order.address not in self._handlers:
            sys.path[:] = order.path
            try:
                self._handlers[order.address] = load(order.address)
            except BaseException as error:  # noqa: BLE001 - a module may raise anything
                return to_wire(error)
            logging.basicConfig(level=order.log_level, format="%(asctime)s %(levelname)s %(message)s")
        self._link.sendall(frame(Begun()))
        return None

    async def _run(self, order: Run) -> Done | Raised:
        call, is_async = self._handlers[order.address]
        if self._queue is None:
            self._queue = Queue(order.queue, order.url, prefix=order.prefix)
        job = Job(self._queue, order.job_id, order.fields)
        try:
            result = await call(job) if is_async else await self._in_thread(call, job)
            return Done(encode_json(result, "the handler's result"))
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            return to_wire(error)

    async def _in_thread(self, call: Callable[[Job], Any], job: Job) -> Any:
        # Beside the event loop, which serves the job's own calls meanwhile.
        context = contextvars.copy_context()
        attach(context, self._loop)

        def work() -> tuple[Any, BaseException | None]:
            try:
                return context.run(call, job), None
            except BaseException as error:  # noqa: BLE001 - a future would refuse some of them
                return None, error

        result, raised = await self._loop.run_in_executor(self._thread, work)
        if raised is not None:
            raise raised
        return result
