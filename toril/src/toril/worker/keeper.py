"""Keeps what a worker has, from a thread of its own: tells that it lives, and renews the locks of its jobs.

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
from typing import Any, NamedTuple

from ..errors import ConnectionFailed
from ..storage.lifeline import Lifeline

logger = logging.getLogger("toril")

BEATS = 4
"""Signs of life in the time after which a worker is taken for dead."""


class Terms(NamedTuple):
    """What a worker may rely on."""

    lock_duration: float
    """Seconds that its jobs stay its own, unless they are renewed."""
    death_after: float | None
    """Seconds without a sign of life after which they are given to others; None for the locks alone."""
    max_stalled: int | None
    """How often a job of a dead worker may stall; None if this worker looks for no dead ones."""


class Keeper:
    """Renews locks every third of their duration, and tells four times in its time that the worker lives.

    Args:
        lifeline: The thread's own connection.
        terms: What the worker may rely on.
        running: Gives the running jobs, id -> token; called in the thread.
        lost: Told, in the event loop, of jobs whose lock is lost.
        cancelled: Told, in the event loop, of running jobs that were cancelled, with reasons.
        card: Gives what the worker tells of itself; called in the thread.
    """

    def __init__(
        self,
        lifeline: Lifeline,
        terms: Terms,
        running: Callable[[], Mapping[str, str]],
        lost: Callable[[Sequence[str]], None],
        cancelled: Callable[[Mapping[str, str]], None],
        card: Callable[[], str],
    ) -> None:
        self._lifeline = lifeline
        self._lock_ms = round(terms.lock_duration * 1000)
        self._every = terms.lock_duration / 3
        self._death_after = terms.death_after
        self._max_stalled = terms.max_stalled
        self._running = running
        self._lost = lost
        self._cancelled = cancelled
        self._card = card
        self._stop = threading.Event()
        self._known = False
        self._renewal = 0.0
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._beat = time.monotonic()
        self._reported = False
        self.recovered = 0
        """How many jobs of dead workers it has given back."""
        self._begun = asyncio.Event()
        self.crash: asyncio.Future[None] = self._loop.create_future()
        """Gets the error that the thread has ended with: a worker without it must not go on."""
        self._thread = threading.Thread(target=self._run, name="toril-keeper", daemon=True)

    async def start(self) -> None:
        """Start the thread, and wait for the first sign of life: what is fetched then can be given back.

        Raises what the thread has ended with, if it could not begin.
        """
        self._thread.start()
        if self._death_after is None:
            return
        begun = asyncio.create_task(self._begun.wait())
        parts: set[asyncio.Future[Any]] = {begun, self.crash}
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
        if self.crash.done():
            self.crash.result()

    def renew(self) -> None:
        """Renew all locks once. Raises ConnectionFailed."""
        running = self._running()
        if not running:
            return
        found = self._lifeline.extend(running, self._lock_ms)
        if found.lost and not self._stop.is_set():
            self._tell(self._lost, found.lost)
        if found.cancelled and not self._stop.is_set():
            self._tell(self._cancelled, found.cancelled)

    def tell(self) -> None:
        """Tell once that the worker lives. Raises ConnectionFailed."""
        assert self._death_after is not None
        every = self._death_after / BEATS
        found = self._lifeline.beat(every, self._death_after, self._max_stalled, self._card())
        self.recovered += len(found.given_back)
        for job_id in found.given_back:
            logger.warning("job %s stalled: its worker has died", job_id)
        if found.begins and self._known:
            logger.warning("this worker was taken for dead; it looks at its jobs")
            self._renewal = 0.0
        self._known = True

    def _run(self) -> None:
        try:
            self._keep()
        except Exception as error:  # noqa: BLE001 - the worker ends with it
            self._tell(self._failed, error)

    def _failed(self, error: Exception) -> None:
        if not self.crash.done():
            self.crash.set_exception(error)

    def _keep(self) -> None:
        now = time.monotonic()
        self._renewal = now + self._every
        sign = now if self._death_after is not None else float("inf")
        while not self._stop.wait(max(0.0, min(self._renewal, sign) - time.monotonic())):
            # Locks come first: when the server is back, they may be about to expire.
            if time.monotonic() >= self._renewal:
                self._watch()
                done = self._attempt(self.renew)
                self._renewal = time.monotonic() + (self._every if done else min(self._every, 1.0))
            if time.monotonic() >= sign and self._death_after is not None:
                self._attempt(self.tell)
                sign = time.monotonic() + self._death_after / BEATS
                self._tell(self._begun.set)

    def _attempt(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except ConnectionFailed as error:
            logger.warning("%s", error)
            return False
        return True

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
        """Stop the thread, tell that the worker ends, and close the connection."""
        self._stop.set()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._thread.join(5.0)
        try:
            if self._known:
                self._lifeline.leave()
        except ConnectionFailed as error:
            logger.info("%s", error)  # nobody is harmed: others will find a dead worker without jobs
        finally:
            self._lifeline.close()
