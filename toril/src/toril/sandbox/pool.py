"""The processes that run one worker's handlers: started when needed, kept, killed when they must end."""

from __future__ import annotations

import asyncio
import logging
import sys

from ..codec import decode_json
from ..errors import HandlerRaised, ProcessDied, RunTimedOut
from ..job import Json
from ..record import Job
from .errors import from_wire
from .process import HandlerProcess
from .wire import Done, Raised, Run

logger = logging.getLogger("toril")

START_TIMEOUT = 60.0
"""Seconds that a process may take to start and to import its handler."""


class Pool:
    """As many processes as jobs run in them at once; each runs one at a time and is used again.

    Args:
        queue, url, prefix: The queue whose jobs run here; their processes connect to it if a
            handler uses its job's verbs.
    """

    def __init__(self, queue: str, url: str, prefix: str) -> None:
        self._queue = queue
        self._url = url
        self._prefix = prefix
        self._idle: list[HandlerProcess] = []

    async def run(self, address: str, job: Job, timeout: float | None) -> Json:
        """Run a job in a process of its own and return its result.

        When this is cancelled, or the time is up, the process is killed before anything else.
        `timeout` does not count the start of a process.

        Raises:
            ProcessDied: the process ended before the job did.
            RunTimedOut: the time was up.
            HandlerRaised: the handler raised something; or the outcome itself that it raised.
        """
        level = logging.getLogger().getEffectiveLevel()
        place = (self._queue, self._prefix, self._url)
        process = await self._begun(Run(address, sys.path, level, *place, job.id, dict(job.fields)))
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                answer = await process.answer()
        except BaseException as error:
            await process.kill()
            if isinstance(error, TimeoutError) and scope.expired():
                raise RunTimedOut(f"timed out after {timeout:g} s; its process was killed") from None
            raise
        self._idle.append(process)
        if isinstance(answer, Raised):
            raise from_wire(answer)
        assert isinstance(answer, Done)
        return decode_json(answer.result.encode(), f"result of job {job.id}")

    async def _begun(self, order: Run) -> HandlerProcess:
        """Find a process whose handler is about to be called."""
        while True:
            used = bool(self._idle)
            process = self._idle.pop() if used else await HandlerProcess.start()
            try:
                async with asyncio.timeout(START_TIMEOUT):
                    await process.send(order)
                    answer = await process.answer()
            except ProcessDied:
                await process.kill()
                if used:
                    continue  # it died while it was idle: no fault of this job
                raise
            except TimeoutError:
                await process.kill()
                raise ProcessDied(f"the job's process did not start within {START_TIMEOUT:g} s") from None
            except BaseException:
                await process.kill()
                raise
            if isinstance(answer, Raised):
                await process.close()
                raise HandlerRaised(
                    f"the job's process cannot import {order.address}: {answer.text}", answer.type_name
                ) from from_wire(answer).__cause__
            return process

    async def close(self) -> None:
        """End the idle processes; to be called when no job runs any more."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.close() for process in idle))
