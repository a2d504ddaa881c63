"""Waits for jobs to end, by one reader of the queue's events for all who wait."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from .codec import decode_json
from .errors import ConnectionFailed, JobFailed, JobNotFound, ServerRefused, WaitTimeout
from .job import Json
from .options import seconds
from .storage.connection import Connection
from .storage.jobs import JobStore, pair

logger = logging.getLogger("toril")

_BLOCK_MS = 5000
_ENDS = (b"completed", b"failed", b"removed")


class JobEnds:
    """Tells callers of `wait` when their job has ended. One per queue object."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._connection = Connection(store.connection.address, name="toril-wait")
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def wait(self, job_id: str, timeout: float | timedelta | None) -> Json:
        """Return the job's result once it has ended; see `Job.wait`."""
        limit = None if timeout is None else seconds(timeout, "timeout")
        changed = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(changed)
        try:
            async with asyncio.timeout(limit):
                while True:
                    changed.clear()
                    if self._reader is None or self._reader.done():
                        cursor = await self._last_id()
                        self._reader = asyncio.create_task(self._read(cursor))
                    # Looked at after the reader's cursor is set: no end between the two is missed.
                    state, text = await self._store.state(job_id)
                    if state == "missing":
                        raise JobNotFound(f"job {job_id} was removed or never was", job_id)
                    if state == "completed":
                        return decode_json(text or b"null", f"result of job {job_id}")
                    if state == "failed":
                        raise JobFailed((text or b"").decode("utf-8", "replace"), job_id)
                    await changed.wait()
        except TimeoutError:
            raise WaitTimeout(f"job {job_id} did not end within {limit:g} s", job_id) from None
        finally:
            waiters = self._waiting.get(job_id, set())
            waiters.discard(changed)
            if not waiters:
                self._waiting.pop(job_id, None)

    async def _last_id(self) -> str:
        found = await self._store.connection.call("XREVRANGE", self._store.keys.events, "+", "-", "COUNT", 1)
        return found[0][0].decode() if found else "0-0"

    async def _read(self, cursor: str) -> None:
        pause = 0.05
        while self._waiting:
            try:
                reply = await self._connection.call(
                    "XREAD", "BLOCK", _BLOCK_MS, "COUNT", 1000, "STREAMS", self._store.keys.events, cursor,
                    timeout=_BLOCK_MS / 1000 + 10,
                )  # fmt: skip
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("waiting for jobs to end: %s; trying again", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                self._wake_all()  # what ended meanwhile may have left the stream
                continue
            pause = 0.05
            for entry_id, flat in reply[0][1] if reply else ():
                cursor = entry_id.decode()
                event = pair(flat)
                if event.get(b"event") in _ENDS:
                    for changed in self._waiting.get(event[b"jobId"].decode("utf-8", "replace"), ()):
                        changed.set()
            if not reply:
                self._wake_all()  # trimmed events are made good by a look now and then

    def _wake_all(self) -> None:
        for waiters in self._waiting.values():
            for changed in waiters:
                changed.set()

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._connection.close()
