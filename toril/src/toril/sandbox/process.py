"""One process of a handler, as its worker sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from typing import Self

from ..errors import ProcessDied
from ..failure import how_it_ended
from .wire import HEAD_SIZE, Answer, Run, body_size, frame, read_answer

logger = logging.getLogger("toril")

END_TIMEOUT = 5.0
"""Seconds that an ended process may take to be gone."""


class HandlerProcess:
    """A fresh interpreter that was started for handlers. Made by `start`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> Self:
        """Start a process. Raises ProcessDied if the system does not let us."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                # A session of its own: the terminal's Ctrl-C must not reach it before its worker has
                # drained, and what the handler itself has started is killed with it.
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "toril.sandbox",
                    str(theirs.fileno()),
                    str(os.getpid()),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise ProcessDied(f"the job's process could not be started: {error}") from error
        except BaseException:
            ours.close()
            raise
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def send(self, order: Run) -> None:
        """Let it run a job; `answer` gives first `Begun` and then how the job ended. Raises ProcessDied."""
        try:
            self._writer.write(frame(order))
            await self._writer.drain()
        except ConnectionError:
            raise await self._died() from None

    async def answer(self) -> Answer:
        """Wait for its next answer. Raises ProcessDied."""
        try:
            head = await self._reader.readexactly(HEAD_SIZE)
            body = await self._reader.readexactly(body_size(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._died() from None
        return read_answer(body)

    async def _died(self) -> ProcessDied:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_TIMEOUT):
                await self._process.wait()
        return ProcessDied(f"the job's process {how_it_ended(self._process.returncode)}")

    async def kill(self) -> None:
        """Kill the process and all of its group, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._gone()

    async def close(self) -> None:
        """Let the idle process end by itself; kill it if it does not."""
        self._writer.close()
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
            return
        await self._gone()

    async def _gone(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            logger.error("the process %d of a job was killed and is not gone yet", self.pid)
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
