"""Renews the locks of all running jobs, from a thread of its own.

A handler that blocks the event loop keeps its job; a watchdog logs where the loop is blocked.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence

from ..errors import ConnectionFailed
from ..storage.locks import LockRenewer, Renewed

logger = logging.getLogger("toril")


class Keeper:
    """Renews locks every third of their duration.

    Args:
        renewer: The thread's own connection.
        lock_duration: Seconds.
        running: Gives the running jobs, id -> token; called in the thread.
        lost: Told, in the event loop, of jobs whose lock is lost.
        cancelled: Told, in the event loop, of running jobs that were cancelled, with reasons.
    """

    def __init__(
        self,
        renewer: LockRenewer,
        lock_duration: float,
        running: Callable[[], Mapping[str, str]],
        lost: Callable[[Sequence[str]], None],
        cancelled: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._renewer = renewer
        self._every = lock_duration / 3
        self._running = running
        self._lost = lost
        self._cancelled = cancelled
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._beat = time.monotonic()
        self._reported = False
        self._thread = threading.Thread(target=self._run, name="toril-keeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run_once(self) -> Renewed:
        """Renew all locks once. Raises ConnectionFailed."""
        running = self._running()
        return self._renewer.extend(running) if running else Renewed([], {})

    def _run(self) -> None:
        pause = self._every
        while not self._stop.wait(pause):
            self._watch()
            try:
                found = self.run_once()
                pause = self._every
            except ConnectionFailed as error:
                logger.warning("%s", error)
                pause = min(self._every, 1.0)
                continue
            if found.lost and not self._stop.is_set():
                self._tell(self._lost, found.lost)
            if found.cancelled and not self._stop.is_set():
                self._tell(self._cancelled, found.cancelled)

    def _watch(self) -> None:
        now = time.monotonic()
        blocked = now - self._beat
        if blocked > self._every * 2 and not self._reported:
            self._reported = True
            frame = sys._current_frames().get(self._loop_thread)
            where = "".join(traceback.format_stack(frame)[-3:]) if frame else "unknown"
            logger.warning("the event loop has been blocked for %.1f s at:\n%s", blocked, where)
        self._tell(self._heard)

    def _heard(self) -> None:
        self._beat = time.monotonic()
        self._reported = False

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            self._stop.set()  # the event loop has closed: there is nothing left to keep

    async def stop(self) -> None:
        """Stop the thread and close its connection."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, 5.0)
        self._renewer.close()
