"""Child processes of `insightdesk dev`: each in its own session, restarted when it dies, stopped together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["PARENT_VARIABLE", "Child", "stop_with_parent"]

PARENT_VARIABLE = "INSIGHTDESK_PARENT"
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds before a dead child is started again


class Child:
    """One supervised process."""

    def __init__(
        self, name: str, arguments: list[str], env: Mapping[str, str], log: Path, tell: Callable[[str], None]
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._env = {**env, PARENT_VARIABLE: str(os.getpid())}
        self._log = log
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keeps the process alive until `stop`."""
        wait = _FIRST_WAIT
        self._log.parent.mkdir(parents=True, exist_ok=True)
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "insightdesk",
                    *self._arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._env,
                    start_new_session=True,
                )
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            if asyncio.get_running_loop().time() - started > 30.0:
                wait = _FIRST_WAIT
            self._tell(
                f"{self.name} ended with code {code}; starting it again in {wait:g} s (see {self._log})"
            )
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def stop(self, limit: float) -> None:
        """Asks the process to finish what it is doing; after `limit` seconds kills its group."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), limit)
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """Ends the whole process group at once."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)


async def stop_with_parent() -> None:
    """In a child: ends this process when the one that started it is gone, so that no orphan stays."""
    parent = os.environ.get(PARENT_VARIABLE)
    while parent is not None:
        if str(os.getppid()) != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        await asyncio.sleep(1.0)
